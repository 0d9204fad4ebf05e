"""The HTTP client: what it refuses, how much it reads, how long it waits."""

from __future__ import annotations

import asyncio
import gzip
import socket
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from quackllm.workers.engines import http_client
from quackllm.workers.engines.http_client import MAX_REPLY_BYTES, Call, HttpClient
from quackllm.workers.errors import ProviderError, SetupError
from quackllm.workers.secret_refs import Redactor

from support.raw_service import RawReply, RawService, Received, running_raw_service

FINE = RawReply.json({"choices": []})


@pytest.fixture
def raw() -> Iterator[RawService]:
    with running_raw_service() as service:
        yield service


def post(url: str, stream: bool = False, **settings: Any) -> list[Any]:
    """Return the values of one reply."""

    async def main() -> list[Any]:
        client = HttpClient(url, settings.pop("headers", {}), redactor=Redactor(), **settings)
        client.open()
        try:
            if stream:
                return [event.value async for event, _ in client.stream(Call("/chat", {"a": 1}))]
            events, _ = await client.post(Call("/chat", {"a": 1}))
            return [event.value for event in events]
        finally:
            await client.close()

    return asyncio.run(main())


def refused(url: str, stream: bool = False, **settings: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        post(url, stream, **settings)
    return caught.value


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nothing_follows_a_redirect_to_another_origin(raw: RawService, status: int) -> None:
    with running_raw_service() as other:
        other.reply = FINE
        raw.reply = RawReply(status=status, headers={"Location": f"http://localhost:{other.port}/v1/chat?k=1"})
        error = refused(raw.url, headers={"api-key": "secret-of-mine"})
        assert not other.received
    assert (error.code, error.setup, error.retryable) == ("redirect", True, False)
    assert f"http://localhost:{other.port}" in error.message
    assert "saas.base_url" in error.hint


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_within_the_origin_is_followed(raw: RawService, status: int) -> None:
    def respond(received: Received) -> RawReply:
        return FINE if received.path == "/v2/chat" else RawReply(status=status, headers={"Location": "/v2/chat"})

    raw.reply = respond
    assert post(raw.url, headers={"api-key": "k"}) == [{"choices": []}]
    assert [(each.path, each.headers["api-key"], each.body) for each in raw.received] == [
        ("/v1/chat", "k", {"a": 1}),
        ("/v2/chat", "k", {"a": 1}),
    ]


def test_a_redirect_in_a_circle_ends(raw: RawService) -> None:
    raw.reply = RawReply(status=307, headers={"Location": "/v1/chat"})
    assert refused(raw.url).code == "redirect"
    assert len(raw.received) == http_client.MAX_REDIRECTS


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_reply_has_a_limit_of_size(raw: RawService, stream: bool, compressed: bool, chunked: bool) -> None:
    body = b'{"a": "' + b"x" * (5 * MAX_REPLY_BYTES if compressed else MAX_REPLY_BYTES + 100) + b'"}'
    body = gzip.compress(body, 9) if compressed else body
    headers = {"Content-Encoding": "gzip"} if compressed else {}
    raw.reply = RawReply([body[:100], body[100:]], headers=headers, chunked=chunked)
    tracemalloc.start()
    try:
        error = refused(raw.url, stream)
        (_, most) = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (error.code, error.retryable) == ("reply_too_large", False)
    assert most < 6 * MAX_REPLY_BYTES


def test_a_refusal_has_a_limit_of_size_too(raw: RawService) -> None:
    raw.reply = RawReply(gzip.compress(b"x" * 20 * MAX_REPLY_BYTES), 400, {"Content-Encoding": "gzip"})
    error = refused(raw.url)
    assert (error.code, error.status, error.retryable) == ("400", 400, False)


@pytest.mark.parametrize("stream", [False, True])
def test_a_compression_that_cannot_be_undone_is_told(raw: RawService, stream: bool) -> None:
    raw.reply = RawReply(gzip.compress(b'{"a": 1}')[:12] + b"rubbish", headers={"Content-Encoding": "gzip"})
    assert refused(raw.url, stream).code == "broken_reply"
    raw.reply = RawReply(b"\x0b\x02\x80", headers={"Content-Encoding": "br"})
    assert "br" in refused(raw.url, stream).message


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_has_a_limit_of_its_own(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that takes connections and never says a word: over TLS the connection itself never comes about."""
    monkeypatch.setattr(http_client, "CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:

        async def main() -> None:
            address = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/v1"
            client = HttpClient(address, {}, redactor=Redactor())
            client.open()
            try:
                await client.post(Call("/chat", {}, seconds=1.5))
            finally:
                await client.close()

        with pytest.raises(ProviderError) as caught:
            asyncio.run(main())
    assert caught.value.code == ("connection" if scheme == "https" else "timeout")
    assert caught.value.retryable


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_no_http_is_told(stream: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        async def main() -> None:
            asyncio.get_running_loop().call_later(0.05, answer)
            client = HttpClient(f"http://127.0.0.1:{server.getsockname()[1]}/v1", {}, redactor=Redactor())
            client.open()
            try:
                if stream:
                    async for _ in client.stream(Call("/chat", {})):
                        pass
                await client.post(Call("/chat", {}))
            finally:
                await client.close()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")

        with pytest.raises(ProviderError) as caught:
            asyncio.run(main())
    assert caught.value.code in ("broken_reply", "connection")


def test_the_addresses_own_parameters_are_kept(raw: RawService) -> None:
    raw.reply = FINE
    post(f"{raw.url}/?api-version=1", query={"key": "k 1"})
    assert raw.received[0].path == "/v1/chat?api-version=1&key=k+1"


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("not an address", {}),
        ("http://", {}),
        ("http://127.0.0.1:99999/v1", {}),
        ("http://127.0.0.1/v1", {"Authorization": "Bearer sk\n1"}),
        ("http://127.0.0.1/v1", {"名": "x"}),
    ],
)
def test_what_cannot_be_sent_is_a_matter_of_the_set_up(url: str, headers: dict[str, str]) -> None:
    with pytest.raises(SetupError) as caught:
        HttpClient(url, headers, redactor=Redactor())
    assert "sk" not in str(caught.value)


def test_words_of_a_refusal_of_every_shape(raw: RawService) -> None:
    bodies: list[tuple[bytes, str]] = [
        (b'{"error": {"message": "no"}}', "no"),
        (b'{"error": "no"}', "no"),
        (b'[{"error": {"message": "no"}}]', "no"),
        (b'{"detail": "no"}', "no"),
        (b"no", "no"),
        (b"<html><head><title>502 Bad&amp;Gateway</title></head><body>x</body></html>", "502 Bad&Gateway"),
        ("{'错': 1}".encode("gbk"), "1}"),
        (b'data: {"error": {"message": "no"}}\n\n', "no"),
        (b"", "HTTP status 400"),
        (b'{"reason": {"deep": ["x"]}}', "deep"),
    ]
    for body, words in bodies:
        raw.reply = RawReply(body, 400)
        error = refused(raw.url)
        assert words in error.message, body
        assert (error.status, error.retryable, error.setup) == (400, False, False)
