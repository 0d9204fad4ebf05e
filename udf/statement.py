"""What one running statement knows: what failed in it, whether it was cancelled, and how long it may take."""

from __future__ import annotations

import threading
import warnings
from collections import Counter
from collections.abc import Callable, Hashable
from concurrent import futures
from concurrent.futures import Future, wait
from typing import TypeVar

import duckdb

from ..workers.errors import CancelledError, QuackLLMError, TimeLimitError
from ..workers.values import Failure, Response

Result = TypeVar("Result")

GLANCE_SECONDS = 0.1
"""How often a waiting function looks whether its statement was cancelled."""


class FailedRowsWarning(UserWarning):
    """Some requests of a statement got no whole answer; their rows say why."""


class Statement:
    """One statement of one connection, from its start to the last row that was fetched.

    `remembered` holds what is known of this statement's requests beside the call store: failures
    always, so that a row evaluated twice is asked once, and answers where the store is off.

    Args:
        interrupt: stops DuckDB's own work on the statement.
    """

    def __init__(self, interrupt: Callable[[], None] = lambda: None) -> None:
        self.remembered: dict[str, Response] = {}
        self.failed: dict[Hashable, str] = {}
        self.notes: dict[str, None] = {}
        self.error: QuackLLMError | None = None
        self._interrupt = interrupt
        self._cancelled = threading.Event()
        self._pressed = False
        self._too_slow: TimeLimitError | None = None
        self._timer: threading.Timer | None = None

    def wait(self, future: Future[Result]) -> Result:
        """Return the future's result; gives up, and takes back what was not sent yet, when the statement is cancelled.

        Raises:
            CancelledError: Ctrl-C, `interrupt()`, or the time limit of `ask`.
        """
        try:
            while not self._cancelled.is_set():
                # Not result(timeout): a TimeoutError of the work itself would look like one of the waiting.
                if wait([future], GLANCE_SECONDS).done:
                    return future.result()
        except (KeyboardInterrupt, futures.CancelledError) as stopped:
            self._pressed |= isinstance(stopped, KeyboardInterrupt)
        self._cancelled.set()
        future.cancel()
        raise CancelledError("the statement was interrupted; what was answered is kept")

    def press(self) -> None:
        """Stop the statement because Ctrl-C was pressed."""
        self._pressed = True
        self.cancel()

    def cancel(self) -> None:
        """Stop the statement, in DuckDB and in our own waiting."""
        self._cancelled.set()
        self._interrupt()

    def limit(self, seconds: float) -> None:
        """Cancel the statement unless it ends within so many seconds."""

        def expire() -> None:
            hint = f"write FROM ask('…', seconds := {seconds * 10:g})"
            self._too_slow = TimeLimitError(f"the answer took longer than {seconds:g} s", hint=hint)
            self.cancel()

        self.end()
        self._timer = threading.Timer(seconds, expire)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """Stop the clock: the next statement begins, or the connection closes."""
        if self._timer:
            self._timer.cancel()

    def reason(self, error: Exception) -> BaseException:
        """Return what really happened when DuckDB says that the statement failed."""
        if self._too_slow:
            return self._too_slow
        if self._pressed:
            return KeyboardInterrupt()
        if self._cancelled.is_set():
            return duckdb.InterruptException("INTERRUPT Error: Interrupted!")
        return self.error or error

    def note_failure(self, asked: Hashable, failure: Failure | None) -> None:
        """Count a request or question that failed, once however often its rows are evaluated."""
        if failure:
            self.failed[asked] = failure.code

    def note(self, text: str) -> None:
        """Say something once, in a warning at the end of the statement."""
        self.notes[text] = None

    def warn(self) -> None:
        """Say in one warning each what the statement noted and how many requests failed, by code."""
        notes, self.notes = self.notes, {}
        for text in notes:
            warnings.warn(text, FailedRowsWarning, stacklevel=7)
        counts, self.failed = Counter(self.failed.values()), {}
        if counts:
            codes = ", ".join(f"{count} × {code}" for code, count in counts.most_common())
            requests = "1 request" if counts.total() == 1 else f"{counts.total()} requests"
            warnings.warn(
                f"{requests} got no whole answer: {codes}. Each row's `error` says why.",
                FailedRowsWarning,
                stacklevel=7,
            )
