"""The HTTP client over TLS: a certificate that is trusted, one that is not, and a proxy's tunnel."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
from quackllm.workers.engines.http_client import Call, HttpClient
from quackllm.workers.errors import ProviderError
from quackllm.workers.secret_refs import Redactor

x509 = pytest.importorskip("cryptography.x509")

REPLY = b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"ok":true}'


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost's own, and its key, in one file."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.OID_COMMON_NAME, "localhost")]),
    )
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
    built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(built.sign(key, hashes.SHA256()).public_bytes(pem) + private)
    return path


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(REPLY)
    await writer.drain()


class Tunnel:
    """An HTTP proxy that joins two connections, and keeps what was asked of it."""

    def __init__(self) -> None:
        self.head = ""

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.head = (await reader.readuntil(b"\r\n\r\n")).decode()
        host, _, port = self.head.split(" ")[1].partition(":")
        inner, outer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 joined\r\n\r\n")
        await asyncio.gather(_copy(reader, outer), _copy(inner, writer), return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def post(certificate: Path, tunnel: Tunnel | None = None) -> object:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    proxy = await asyncio.start_server(tunnel.join, "127.0.0.1", 0) if tunnel else None
    through = f"http://someone:pass@127.0.0.1:{proxy.sockets[0].getsockname()[1]}" if proxy else None
    address = f"https://localhost:{server.sockets[0].getsockname()[1]}/v1"
    client = HttpClient(address, {"Authorization": "Bearer inner"}, proxy=through, redactor=Redactor())
    client.open()
    try:
        events, _ = await client.post(Call("/chat", {}))
        return events[0].value
    finally:
        await client.close()
        await asyncio.sleep(0.05)
        server.close()
        if proxy:
            proxy.close()


def test_a_trusted_certificate(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert asyncio.run(post(certificate)) == {"ok": True}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_certificate_that_nobody_trusts(certificate: Path) -> None:
    with pytest.raises(ProviderError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        asyncio.run(post(certificate))
    assert caught.value.code == "connection"


def test_a_tunnel_through_a_proxy_sees_no_key(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tunnel = Tunnel()
    assert asyncio.run(post(certificate, tunnel)) == {"ok": True}
    assert tunnel.head.startswith("CONNECT localhost:")
    assert "Proxy-Authorization: Basic" in tunnel.head
    assert "inner" not in tunnel.head
