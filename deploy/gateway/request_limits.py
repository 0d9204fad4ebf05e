"""Limits for every request of every route: its origin, its size, its speed, and the number of requests."""

from __future__ import annotations

import asyncio
from time import monotonic, perf_counter
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .error_replies import GatewayError
from .error_styles import reply_error
from .request_metrics import Metrics
from .settings import GatewaySettings

OTHER_SITES = frozenset({"cross-site", "same-site"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


class RequestLimitsMiddleware:
    """ASGI middleware around all routes."""

    def __init__(self, app: ASGIApp, settings: GatewaySettings, metrics: Metrics) -> None:
        self.settings = settings
        self.held_bytes = 0  # Size of the bodies of all requests in flight.
        self._app, self._metrics = app, metrics
        own = None if settings.open_to_network else LOOPBACK
        self._hosts = own and own | {host.lower() for host in settings.host_names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = LimitedExchange(self, receive, send)
        started = perf_counter()
        with self._metrics.in_flight.track_inprogress():
            try:
                self._check(scope["method"], Headers(scope=scope))
                await self._app(scope, exchange.receive, exchange.send)
            except GatewayError as error:
                await reply_error(scope, error)(scope, receive, exchange.send)
            finally:
                self.held_bytes -= exchange.read
                self._metrics.count(scope, exchange.status, perf_counter() - started)

    def _check(self, method: str, headers: Headers) -> None:
        """Refuse requests of other sites' web pages, and bodies that are too large.

        Raises:
            GatewayError: 403, 413, 421 or 503.
        """
        host = headers.get("host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if self._hosts is not None and name.lower() not in self._hosts:
            hint = "quackllm serve --host-name NAME allows another name"
            raise GatewayError(421, f"this gateway is not called {name!r}; {hint}", code="unknown_host")
        origin = headers.get("origin")
        if (origin is not None and urlsplit(origin).netloc != host) or _from_another_site(method, headers):
            raise GatewayError(403, "a web page of another site may not send requests", code="cross_origin")
        length = headers.get("content-length", "")
        self.check_size(int(length) if length.isdigit() else 0)

    def check_size(self, read: int, more: int = 0) -> None:
        """Refuse a body that is too large, or that arrives while the bodies in memory are too many.

        Args:
            read: the size of the body so far, in bytes.
            more: the part of it that is not yet counted as in memory.

        Raises:
            GatewayError: 413 or 503.
        """
        if read > self.settings.most_body_bytes:
            message = f"the body is larger than {self.settings.most_body_bytes:,} bytes"
            raise GatewayError(413, message, code="body_too_large")
        if self.held_bytes + more > self.settings.most_held_bytes:
            raise GatewayError(
                503, "the requests in flight are too large in total", code="overloaded", retry_after_seconds=1
            )


def _from_another_site(method: str, headers: Headers) -> bool:
    """Whether a page of another site sends it, as images and scripts, which carry no `Origin`; links may be followed.

    Source: https://www.w3.org/TR/fetch-metadata/; another port of this machine is `same-site`.
    """
    is_link = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    return headers.get("sec-fetch-site") in OTHER_SITES and not is_link


class LimitedExchange:
    """One request's ASGI messages, with size and time limits."""

    def __init__(self, limits: RequestLimitsMiddleware, receive: Receive, send: Send) -> None:
        self.status = 0
        self.read = 0
        self._limits, self._receive, self._send = limits, receive, send
        self._whole = False
        self._until = monotonic() + limits.settings.body_seconds

    async def receive(self) -> Message:
        """Return the client's next message.

        Raises:
            GatewayError: the body is too large, or takes too long.
        """
        if self._whole:  # From here on, the only message is the client's disconnect, at any time.
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._until - monotonic())):
                message = await self._receive()
        except TimeoutError as error:
            text = f"the body took longer than {self._limits.settings.body_seconds:g} s"
            raise GatewayError(408, text, code="body_too_slow") from error
        came = len(message.get("body", b""))
        self._limits.check_size(self.read + came, came)
        self.read += came
        self._limits.held_bytes += came
        self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a message of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)
