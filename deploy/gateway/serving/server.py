"""The gateway in one process: uvicorn in the event loop where the models are asked, so that nothing waits to cross."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import FrameType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ....workers import event_loop
from ....workers.errors import SetupError
from ..app import create_app
from ..settings import GatewaySettings

BACKLOG = 2048
GRACE_SECONDS = 10
"""How long answers under way may take when the gateway is told to end."""
HEAD_SECONDS = 20.0
"""How long a connection may take to say what it wants."""
HEAD_BYTES = 64 << 10
UNREAD_SECONDS = 60.0
"""How long a client may leave what it was sent unread."""


class TimeoutHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, which by itself waits for ever for a request's head, and for a client that reads nothing."""

    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head gets too long."""
        super().data_received(data)
        self._head_bytes += len(data)
        if self._deadline and self._head_bytes > HEAD_BYTES:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of a head."""
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        self._stop_watching()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to watch a client that has more to read than fits on the way."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop watching: it reads."""
        super().resume_writing()
        self._stop_watching()

    def _stop_watching(self) -> None:
        if self._unread:
            self._unread.cancel()
            self._unread = None

    def _wait(self) -> None:
        self._stop_waiting()
        self._head_bytes = 0
        self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None


def serve_in_process(settings: GatewaySettings, tell: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: where, and what holds for all requests.
        tell: called with the address when requests are answered.

    Raises:
        SetupError: the address is taken or not this machine's; the keys cannot be read.
    """
    _allow_files(2 * settings.most_connections)
    with serving(settings) as (address, server, ended):

        def end(number: int, frame: FrameType | None) -> None:
            server.force_exit = server.should_exit  # Told twice, it does not wait for what is under way.
            server.should_exit = True

        before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            tell(address)
            ended.result()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _allow_files(wanted: int) -> None:
    """Let this process open as many files as there may be connections, to clients and to services, or all it may."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@contextmanager
def serving(settings: GatewaySettings) -> Iterator[tuple[str, uvicorn.Server, Future[None]]]:
    """Serve while the block runs; yield the address, uvicorn's server, and what is done when it has ended.

    Raises:
        SetupError: as `serve_here`.
    """
    listening = _listen(settings)
    config = uvicorn.Config(
        create_app(settings),
        http=TimeoutHttpProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        limit_concurrency=settings.most_connections,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = uvicorn.Server(config)
    ended = event_loop.submit(server.serve(sockets=[listening]))
    try:
        host, port = listening.getsockname()[:2]
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}", server, ended
    finally:
        server.should_exit = True
        ended.result()


def _listen(settings: GatewaySettings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        hint = "type: quackllm serve --port 0   for any port that is free"
        raise SetupError(f"cannot listen on {settings.host} port {settings.port}: {error}", hint=hint) from error
