"""The gateway in one process: uvicorn in the event loop of the model calls, so that no request switches threads."""

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
GRACE_SECONDS = 10  # How long requests in flight may take after SIGTERM.
HEAD_SECONDS = 20.0  # Timeout for a request's headers.
HEAD_BYTES = 64 << 10
UNREAD_SECONDS = 60.0  # Timeout for a client that does not read its answer.


class TimeoutHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with timeouts: uvicorn itself waits forever for headers and for unread answers."""

    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timeout for the headers."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Read on, unless the headers are too long."""
        super().data_received(data)
        self._head_bytes += len(data)
        if self._deadline and self._head_bytes > HEAD_BYTES:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """Start the timeout for the rest of the headers."""
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
        """Start the timeout for a client that does not read what was sent."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the timeout: the client reads again."""
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


def serve_in_process(settings: GatewaySettings, print_line: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: the address, and the limits of all requests.
        print_line: called with the address as soon as the server answers.

    Raises:
        SetupError: the address is taken or not this machine's; the keys cannot be read.
    """
    _allow_files(2 * settings.most_connections)
    with serving(settings) as (address, server, ended):

        def end(number: int, frame: FrameType | None) -> None:
            server.force_exit = server.should_exit  # On the second signal it does not wait for requests in flight.
            server.should_exit = True

        before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            print_line(address)
            ended.result()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _allow_files(wanted: int) -> None:
    """Raise the limit of open files for all connections to clients and services, as far as the system allows."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft != resource.RLIM_INFINITY and soft < limit:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


@contextmanager
def serving(settings: GatewaySettings) -> Iterator[tuple[str, uvicorn.Server, Future[None]]]:
    """Serve while the block runs; yield the address, uvicorn's server, and a future that is done when it has ended.

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
