"""The HTTP client of the engines that call a service: one pool of connections, and no more than the wire needs.

Redirects to another origin are refused, so that no key leaves the one that it was given for. Replies have a limit of
size, also after their compression is undone. Retries are the worker's.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import msgspec

from ..errors import ProviderError, SetupError
from ..secret_refs import Redactor, url_origin
from .reply_errors import broken_reply_error, connection_error, read_error_body, refusal_error, timeout_error
from .reply_events import Decompressor, EventReader, FramingError, ReplyEvent, TooLargeError, read_events
from .send_gate import SendGate

if TYPE_CHECKING:
    import aiohttp

DEFAULT_TIMEOUT_SECONDS = 600.0
"""How long a reply may take where neither the request nor the worker says so."""
CONNECT_SECONDS = 10.0
"""How long a connection may take, TLS and proxy included."""
KEEP_ALIVE_SECONDS = 4.0
"""An idle connection is reused for less than uvicorn's 5 s, so that none is used while the server closes it."""
MAX_REPLY_BYTES = 8 * 2**20
"""The most bytes of a reply: an answer of a million tokens has about 4 million."""
MAX_FILE_BYTES = 2**30
"""The most bytes of a file of answers."""
MAX_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a protocol writes it.

    Args:
        path: behind the service's address.
        fields: the body.
        headers: beside those of every request.
        seconds: how long the service may say nothing; None: `DEFAULT_TIMEOUT_SECONDS`.
        method: 'POST', or 'GET', which has no body.
        content: the body, if it is not the fields as JSON.
    """

    path: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] | None = None
    seconds: float | None = None
    method: str = "POST"
    content: bytes | None = None

    def body(self) -> bytes | None:
        """Return what is sent.

        Raises:
            ProviderError: the fields cannot be written as JSON.
        """
        if self.content is not None:
            return self.content
        return encoded(self.fields) if self.method == "POST" else None


KEY_HEADERS = frozenset({"authorization", "api-key", "x-api-key"})


class HttpClient:
    """Posts JSON to one service.

    Args:
        base_url: the service's address; what stands behind its `?` is sent with every request.
        headers: sent with every request, secrets resolved.
        query: parameters of the address, secrets resolved.
        proxy: an HTTP proxy's address; None: the environment's (`HTTPS_PROXY`, `NO_PROXY`).
        redactor: hides the model's secrets in errors.

    Raises:
        SetupError: the address or a header cannot be sent.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        proxy: str | None = None,
        redactor: Redactor,
    ) -> None:
        self._base = checked_address(base_url)
        self._query = query or {}
        self._headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        self._headers |= {"Accept-Encoding": "gzip, deflate", "User-Agent": "quackllm"}
        self._headers |= checked_headers(headers)
        self._proxy = proxy or environment_proxy(base_url)
        self.redactor = redactor
        self._session: aiohttp.ClientSession | None = None
        self._gate = SendGate()

    def open(self) -> None:
        """Open the pool of connections; nothing is sent yet. Called in the event loop."""
        import aiohttp

        secure = urlsplit(self._base).scheme == "https"
        connector = aiohttp.TCPConnector(
            limit=0,  # As many as the worker has requests under way.
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            ssl=_tls() if secure else True,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            proxy=self._proxy,
            timeout=_limits(DEFAULT_TIMEOUT_SECONDS),
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()

    async def post(self, call: Call) -> tuple[list[ReplyEvent], Mapping[str, str]]:
        """Send one body; return the values of the whole reply, and its headers.

        Raises:
            ProviderError: the service refused, did not answer, or with what is neither JSON nor events.
        """
        async with self._reply(call) as reply:
            body = await _read(reply)
            return read_events(body, reply.charset), reply.headers

    async def lines(self, call: Call) -> AsyncIterator[bytes]:
        """Yield the lines of a file, which may be larger than any answer.

        Raises:
            ProviderError: the service refused, or the reply breaks off.
        """
        rest = b""
        async with self._reply(call) as reply:
            async for data in _chunks(reply, MAX_FILE_BYTES):
                *whole, rest = (rest + data).split(b"\n")
                for line in whole:
                    yield line
        yield rest

    async def stream(self, call: Call) -> AsyncIterator[tuple[ReplyEvent, Mapping[str, str]]]:
        """Send one body; yield the values of the reply as they arrive, each with the headers.

        Raises:
            ProviderError: as `post` does, and where the reply breaks off.
        """
        async with self._reply(call) as reply:
            reader = EventReader(reply.charset)
            async for data in _chunks(reply):
                for event in reader.feed(data):
                    yield event, reply.headers
            for event in reader.close():
                yield event, reply.headers

    @asynccontextmanager
    async def _reply(self, call: Call) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield the reply of a service that did not refuse; what goes wrong until it is read becomes our error."""
        import aiohttp

        assert self._session is not None, "open() comes first"
        address, body = self._address(call.path), call.body()
        limits = _limits(call.seconds) if call.seconds else self._session.timeout
        try:
            await self._gate.wait()
            for _ in range(MAX_REDIRECTS):
                async with self._session.request(
                    call.method, address, data=body, headers=call.headers, allow_redirects=False, timeout=limits
                ) as reply:
                    if reply.status in (307, 308) and self._same_origin(target := _target(reply, address)):
                        address = target
                        continue
                    await self._check(reply)
                    yield reply
                    return
            raise refusal_error("the service redirects in a circle", code="redirect", status=400)
        except aiohttp.ConnectionTimeoutError as error:
            raise connection_error(TimeoutError(f"no connection within {CONNECT_SECONDS:g} s: {error}")) from error
        except TimeoutError as error:
            raise timeout_error() from error
        except TooLargeError as error:
            raise ProviderError(str(error), code="reply_too_large") from error
        except FramingError as error:
            raise broken_reply_error(f"the service's reply cannot be read: {error}") from error
        except aiohttp.ClientResponseError as error:
            raise broken_reply_error(f"the service's reply is no HTTP: {error.message}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise connection_error(error) from error

    def _address(self, path: str) -> str:
        scheme, host, base, query, _ = urlsplit(self._base)
        parameters = "&".join(filter(None, [query, urlencode(self._query)]))
        return urlunsplit((scheme, host, base.rstrip("/") + path, parameters, ""))

    def _same_origin(self, address: str) -> bool:
        return url_origin(address) == url_origin(self._base)

    async def _check(self, reply: aiohttp.ClientResponse) -> None:
        """Raise what a refusal stands for."""
        if 200 <= reply.status < 300:
            return
        if 300 <= reply.status < 400:
            where = url_origin(_target(reply, self._base)) or "another address"
            message = (
                f"the service answers with a redirect (HTTP status {reply.status}) to {where}, which is not followed"
            )
            hint = "deploy the model with the address itself: saas.base_url=…"
            raise ProviderError(message, code="redirect", setup=True, status=reply.status, hint=hint)
        try:
            error = read_error_body(await _read(reply), reply.charset)
        except (TooLargeError, FramingError):
            error = read_error_body(b"")
        raise refusal_error(
            error.message,
            code=error.code,
            status=reply.status,
            headers=reply.headers,
            key_sent=bool(self._query or KEY_HEADERS & {name.lower() for name in self._headers}),
        )


def encoded(fields: Mapping[str, Any]) -> bytes:
    """Return a body as JSON.

    Raises:
        ProviderError: it cannot be written: a lone surrogate, NaN, an object. No other try can help.
    """
    try:
        body = msgspec.json.encode(fields)
        # Where there is a null, it may have been NaN, which msgspec writes so.
        return body if b"null" not in body else json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        message = f"the request contains half a surrogate pair at character {error.start}, which is not valid text"
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        message = f"the request cannot be written as JSON: {error}"
    raise ProviderError(message, code="invalid_request")


def checked_address(address: str) -> str:
    """Return an address that requests can be sent to.

    Raises:
        SetupError: it is none.
    """
    if url_origin(address) is None:
        raise SetupError("saas.base_url is not a URL", hint="write e.g. saas.base_url=https://api.openai.com/v1")
    return address


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers that can be sent.

    Raises:
        SetupError: one holds a line break, or no Latin text.
    """
    for name, value in headers.items():
        if not f"{name}{value}".isprintable() or not name.isascii():
            raise SetupError(
                f"the header {name!a} contains a character that an HTTP header cannot contain",
                hint="was the whole key copied?",
            )
    return dict(headers)


def environment_proxy(address: str) -> str | None:
    """Return the environment's proxy: looked up once, where aiohttp's trust_env looks for each call (0.3 ms)."""
    parts = urlsplit(address)
    if proxy_bypass(parts.netloc.rpartition("@")[2]) or proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    return found if not found or "://" in found else f"http://{found}"


def _limits(seconds: float) -> aiohttp.ClientTimeout:
    import aiohttp

    return aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=seconds)


def _tls() -> ssl.SSLContext:
    """Trust what the machine trusts and what Mozilla does: some machines have no list of their own."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _target(reply: aiohttp.ClientResponse, address: str) -> str:
    return urljoin(address, reply.headers.get("Location", ""))


async def _read(reply: aiohttp.ClientResponse) -> bytes:
    length = reply.content_length
    if length is not None and length <= MAX_REPLY_BYTES and "Content-Encoding" not in reply.headers:
        body = await reply.read()
        if not body.startswith(b"\x1f\x8b"):
            return body
        decompressor = Decompressor(MAX_REPLY_BYTES)
        return b"".join(decompressor.feed(body))
    return b"".join([data async for data in _chunks(reply)])


async def _chunks(reply: aiohttp.ClientResponse, max_bytes: int = MAX_REPLY_BYTES) -> AsyncIterator[bytes]:
    """Yield what a reply holds, its compression undone.

    Raises:
        TooLargeError: it is too much.
    """
    decompressor = Decompressor(max_bytes, reply.headers.get("Content-Encoding"))
    async for data in reply.content.iter_any():
        for piece in decompressor.feed(data):
            yield piece
    if rest := decompressor.close():
        yield rest
