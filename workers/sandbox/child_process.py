"""The child process of a sandbox: it runs one function of ours after another, each within limits of memory and time.

Frames go both ways over its standard input and output.
"""

from __future__ import annotations

import importlib
import mmap
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from threading import TIMEOUT_MAX, Condition, Thread
from time import monotonic
from typing import IO, Any

from .pickle_frames import MAX_RESULT_BYTES, read_frame, write_frame

try:
    import resource
except ModuleNotFoundError:  # Windows: the parent watches the memory.
    resource = None  # type: ignore[assignment]

MEGABYTE = 1 << 20
STATM = "/proc/self/statm"
RESIDENT, WRITABLE = 1, 5
INTERRUPT_EVERY_SECONDS = 0.1
"""An interrupt that comes between two statements is lost, so that it is repeated."""
MAX_GROWN_MEGABYTES = 192
"""A child that keeps more after a call than it had at first is replaced: what a call may take is added to it."""
ORPHAN_SECONDS = 2.0
"""How long past its limit a child lives whose parent is gone and cannot end it."""


class Clock:
    """Counts the seconds of one call, except those in which it waits for the parent, and interrupts it at their end.

    Args:
        seconds: that the call may take.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._since: float | None = None
        """When the time began to count; None: it does not."""
        self._changed = Condition()
        self._ended = False
        self.expired = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the time of the block count."""
        # Its thread is there before the call's memory is limited: later there may be no room for it.
        Thread(target=self._run, daemon=True).start()
        self._resume()
        try:
            yield
        finally:
            self._pause()
            with self._changed:
                self._ended = True
                self._changed.notify()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the time of the block not count."""
        self._pause()
        try:
            yield
        finally:
            self._resume()

    def _resume(self) -> None:
        _set_alarm(max(self._left, 0) + ORPHAN_SECONDS)
        with self._changed:
            self._since = monotonic()
            self._changed.notify()

    def _pause(self) -> None:
        _set_alarm(0)
        with self._changed:
            self._left -= monotonic() - (self._since or monotonic())
            self._since = None
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._ended and (rest := self._rest()) > 0:
                self._changed.wait(rest)
            while not self._ended:
                self.expired = True
                for stop in _STOPS.copy():
                    stop()
                self._changed.wait(INTERRUPT_EVERY_SECONDS)

    def _rest(self) -> float:
        """Return how long to wait for the end of the time, or for a change."""
        return TIMEOUT_MAX if self._since is None else self._left - (monotonic() - self._since)


_STOPS: list[Callable[[], None]] = []
_STREAMS: list[IO[bytes]] = []
_CLOCKS: list[Clock] = []


@contextmanager
def interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """Let the time limit call `stop` while the block runs, so that its work ends and the process does not have to.

    Nothing calls it in a process that is no sandbox's child.
    """
    _STOPS.append(stop)
    try:
        yield
    finally:
        _STOPS.remove(stop)


def call_parent(question: Any) -> Any:
    """Return the parent's answer to a plain value that the running function asks; its time does not count.

    None where no parent waits: outside of a call.

    Raises:
        Exception: whatever the parent's answer was.
    """
    if not _CLOCKS:
        return None
    source, sink = _STREAMS
    with _CLOCKS[-1].paused():
        write_frame(sink, pickle.dumps(("ask", question), protocol=5))
        failed, answer = pickle.loads(read_frame(source))
    if failed:
        raise answer
    return answer


def main() -> None:
    """Serve calls until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's.
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What a library prints must not come between the frames.
    _STREAMS[:] = source, sink
    with suppress(EOFError, BrokenPipeError):
        if start := pickle.loads(read_frame(source)):
            _find(start)()
        _give_way()
        write_frame(sink, pickle.dumps(("ready", limits_hold())))
        max_bytes = _pages_in_bytes(RESIDENT) + MAX_GROWN_MEGABYTES * MEGABYTE
        while True:
            write_frame(sink, _bounded_result(*pickle.loads(read_frame(source))))
            write_frame(sink, pickle.dumps(("rests", _pages_in_bytes(RESIDENT) <= max_bytes)))
    os._exit(0)  # A thread that still computes would keep the process.


def limits_hold() -> bool:
    """Whether this platform keeps a process from taking more memory than `setrlimit` allows it; tried, not guessed."""
    if not os.path.exists(STATM):
        return False
    with _memory_limit(16):
        try:
            mmap.mmap(-1, 64 * MEGABYTE).close()
        except (OSError, MemoryError):
            return True
    return False


def _bounded_result(function: str, arguments: tuple[Any, ...], megabytes: int, seconds: float) -> bytes:
    """Return what a function gives as ('result', value), or how it failed, all of plain values, as a frame."""
    clock = Clock(seconds)
    _CLOCKS[:] = [clock]
    reply = b""
    with _Outcome() as outcome:
        run = _find(function)
        with clock.running(), _memory_limit(megabytes):
            reply = pickle.dumps(("result", run(*arguments)), protocol=5)
    if outcome.error:
        reply = pickle.dumps(("limit", "time") if clock.expired else _failure(outcome.error), protocol=5)
    return reply if len(reply) <= MAX_RESULT_BYTES else pickle.dumps(("limit", "size"))


class _Outcome:
    """Stores whatever ends a block: every error is reported to the parent process."""

    error: BaseException | None = None

    def __enter__(self) -> _Outcome:
        return self

    def __exit__(self, error_type: object, error: BaseException | None, traceback: object) -> bool:
        self.error = error
        return True


def _failure(error: BaseException) -> tuple[str, Any]:
    """Return an error as plain values: its class, its words, and such fields as a frame can hold."""
    error_type = type(error)
    if isinstance(error, MemoryError) or error_type.__name__ == "OutOfMemoryException":
        return "limit", "memory"
    fields = {name: value for name, value in vars(error).items() if isinstance(value, str | int | float | None)}
    return "error", (error_type.__module__, error_type.__name__, str(error), fields)


@lru_cache(maxsize=64)
def _find(path: str) -> Callable[..., Any]:
    module, name = path.split(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def _give_way() -> None:
    """Leave no core dumps, and be the first that the kernel ends where memory is short."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@contextmanager
def _memory_limit(megabytes: int) -> Iterator[None]:
    """Let the process take so much more memory than it has now; the kernel refuses what is beyond."""
    if not os.path.exists(STATM):
        yield
        return
    # Not the address space: an instance of DuckDB reserves 400 MB of it and uses 20.
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_pages_in_bytes(WRITABLE) + megabytes * MEGABYTE, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _pages_in_bytes(field: int) -> int:
    """Return a field of the process's memory: what it uses, or what it could write to without asking for more."""
    if not os.path.exists(STATM):
        return 0
    with open(STATM) as statm:
        return int(statm.read().split()[field]) * resource.getpagesize()


def _set_alarm(seconds: float) -> None:
    """Let the kernel end this process then, whatever it computes; 0: not any more."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)
