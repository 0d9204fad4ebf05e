"""Ctrl-C while DuckDB runs: its C++ code blocks Python's signal handler, so a separate thread receives the signal."""

from __future__ import annotations

import atexit
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator

_LISTENERS: list[Callable[[], None]] = []
_DISPATCH_LOCK = threading.Lock()
_STARTED = threading.Event()
_SENDING, _RECEIVING = socket.socketpair()
atexit.register(_SENDING.close)
atexit.register(_RECEIVING.close)


@contextlib.contextmanager
def on_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` immediately, in another thread, if Ctrl-C is pressed inside the block.

    Python delivers signals to the main thread only; in other threads this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _start_listening()
    # Python's own handler still runs and raises KeyboardInterrupt as soon as DuckDB returns; the wake-up
    # byte is written by the C-level handler and needs no bytecode to run in the main thread.
    before = signal.set_wakeup_fd(_SENDING.fileno(), warn_on_full_buffer=False)
    _LISTENERS.append(stop)
    try:
        yield
    finally:
        with _DISPATCH_LOCK:  # A signal that was not handled yet belongs to this block, not to the next.
            _LISTENERS.remove(stop)
            signal.set_wakeup_fd(before)
            if not _LISTENERS:
                with contextlib.suppress(BlockingIOError):
                    _RECEIVING.recv(4096, socket.MSG_DONTWAIT)


def _start_listening() -> None:
    if not _STARTED.is_set():
        _SENDING.setblocking(False)
        _STARTED.set()
        threading.Thread(target=_listen, name="quackllm-interrupts", daemon=True).start()


def _listen() -> None:
    while _RECEIVING.recv(1, socket.MSG_PEEK):  # Empty when the process ends and closes the sockets.
        with _DISPATCH_LOCK, contextlib.suppress(BlockingIOError):
            if signal.SIGINT in _RECEIVING.recv(4096, socket.MSG_DONTWAIT):
                for stop in _LISTENERS:
                    stop()
