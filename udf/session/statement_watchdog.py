"""The watchdog of one statement: it stops the statement if it exceeds its limit of time or memory."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread
from time import monotonic

import psutil

from ...workers.errors import MemoryLimitError, QuackLLMError, TimeLimitError

POLL_SECONDS = 0.01
MEGABYTE = 1 << 20


class Watchdog:
    """A thread that checks the clock and the process's memory until `end` is called.

    Args:
        stop: stops the statement with an error. It is called repeatedly until the statement has ended, because DuckDB
            loses an interrupt that arrives between two of its steps.
        seconds: maximum time of the statement from now on.
        cached: returns the size of DuckDB's cache of the user's files, in bytes. DuckDB frees it if it needs memory.
    """

    def __init__(
        self, stop: Callable[[QuackLLMError], None], seconds: float, cached: Callable[[], int] = lambda: 0
    ) -> None:
        self._stop = stop
        self._seconds = seconds
        self._deadline = monotonic() + seconds
        self._cached = cached
        self._max_bytes = 0
        self._megabytes = 0
        self._ended = Event()
        self._stopping = Lock()
        Thread(target=self._watch, name="quackllm-watchdog", daemon=True).start()

    def limit_memory(self, megabytes: int) -> None:
        """Stop the statement if the process grows by more than this from now on, without DuckDB's cache of files."""
        self._megabytes = megabytes
        self._max_bytes = _resident() - self._cached() + megabytes * MEGABYTE

    def end(self) -> None:
        """Stop watching: the statement has ended."""
        self._ended.set()
        with self._stopping:  # Wait for a running interrupt, so that it cannot hit the next statement.
            pass

    def _watch(self) -> None:
        error: QuackLLMError | None = None
        while not self._ended.wait(POLL_SECONDS):
            error = error or self._exceeded()
            with self._stopping:
                if error and not self._ended.is_set():
                    self._stop(error)

    def _exceeded(self) -> QuackLLMError | None:
        if monotonic() > self._deadline:
            hint = f"write FROM ask('…', seconds := {self._seconds * 10:g})"
            return TimeLimitError(f"the answer took longer than {self._seconds:g} s", hint=hint)
        # Reading the size of DuckDB's cache is slower than reading the process's size, and rarely needed.
        if self._max_bytes and _resident() > self._max_bytes and _resident() - self._cached() > self._max_bytes:
            hint = f"write FROM ask('…', max_memory_mb := {self._megabytes * 10})"
            return MemoryLimitError(f"the answer took more than {self._megabytes} MB of memory", hint=hint)
        return None


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)
