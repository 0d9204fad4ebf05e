"""The watchdog of one statement: it stops the statement that takes more time or memory than it was given."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread
from time import monotonic

import psutil

from ...workers.errors import MemoryLimitError, QuackLLMError, TimeLimitError

POLL_SECONDS = 0.05
MEGABYTE = 1 << 20


class Watchdog:
    """A thread that looks at the clock and at the process's memory until it is told that the statement has ended.

    Args:
        stop: stops the statement, and says why; it is called again and again until the statement has ended, for an
            interrupt that comes between two steps of DuckDB's is lost.
        seconds: how long the statement may take from now on.
        cached: how much DuckDB keeps of the user's files in memory, in bytes: it gives that back where it must.
    """

    def __init__(
        self, stop: Callable[[QuackLLMError], None], seconds: float, cached: Callable[[], int] = lambda: 0
    ) -> None:
        self._stop = stop
        self._seconds = seconds
        self._deadline = monotonic() + seconds
        self._cached = cached
        self._most_bytes = 0
        self._megabytes = 0
        self._ended = Event()
        self._stopping = Lock()
        Thread(target=self._watch, name="quackllm-watchdog", daemon=True).start()

    def limit_memory(self, megabytes: int) -> None:
        """Stop the statement when the process has grown so much from now on, what it keeps of files aside."""
        self._megabytes = megabytes
        self._most_bytes = _resident() - self._cached() + megabytes * MEGABYTE

    def end(self) -> None:
        """Let the statement be: it has ended."""
        self._ended.set()
        with self._stopping:  # No interrupt is under way any more that would meet the next statement.
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
        # Asking DuckDB for its cache costs more than asking for the whole, and is seldom needed.
        if self._most_bytes and _resident() > self._most_bytes and _resident() - self._cached() > self._most_bytes:
            hint = f"write FROM ask('…', max_memory_mb := {self._megabytes * 10})"
            return MemoryLimitError(f"the answer took more than {self._megabytes} MB of memory", hint=hint)
        return None


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)
