"""What one running statement knows: what failed in it, whether it was cancelled, and how long it may take."""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from concurrent import futures
from concurrent.futures import Future, wait
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import duckdb

from ...workers.errors import CancelledError, QuackLLMError, RequestError, TimeLimitError
from ...workers.messages import Failure
from ..calls.scope import CallScope

if TYPE_CHECKING:
    from ...workers.deployments.spec import ModelSpec
    from ..text2sql.result import QuestionKey, Text2SqlResult
    from .progress_bar import ProgressBar
    from .progress_log import ProgressLog

LOG = logging.getLogger("quackllm")
Result = TypeVar("Result")

NOT_CONSTANT = 'The "structure" argument in function "json_transform" must be a constant'
"""What DuckDB says where the type of a typed function comes from a column."""
POLL_SECONDS = 0.1
"""How often a waiting function looks whether its statement was cancelled."""
PROGRESS_DELAY_SECONDS = 0.5
"""What takes no longer shows no progress."""


class FailedRowsWarning(UserWarning):
    """Some requests of a statement got no whole answer; their rows say why."""


class Statement:
    """One statement of one connection, from its start to the last row that was fetched.

    Args:
        interrupt: stops DuckDB's own work on the statement.
    """

    def __init__(self, interrupt: Callable[[], None] = lambda: None) -> None:
        self.scope = CallScope()
        self.failed: dict[Hashable, str] = {}
        self.warnings: dict[str, None] = {}
        self.sql_results: dict[QuestionKey, Text2SqlResult] = {}
        self.models: dict[str | None, ModelSpec] = {}
        """What its names mean, from the first row to the last, whatever is deployed meanwhile."""
        self.rows: Counter[str] = Counter()
        self.expected: int | None = None
        self.is_execution = True
        """Not where it is only bound: a relation runs later, in statements of its own."""
        self.error: QuackLLMError | None = None
        self._interrupt = interrupt
        self._cancelled = threading.Event()
        self._pressed = False
        self._drawing = threading.Lock()
        self._too_slow: TimeLimitError | None = None
        self._timer: threading.Timer | None = None
        self._bar: ProgressBar | ProgressLog | None = None
        self._watched = 0
        self._asking_since: float | None = None
        self._told: set[str] = set()

    def expect_calls(self, more: int) -> None:
        """Say that so many more calls are to come, for the bar to know how far it is."""
        self.expected = (self.expected or 0) + more

    @contextlib.contextmanager
    def progress_allowed(self) -> Iterator[None]:
        """Let progress be shown inside the block only: outside it the screen belongs to the user's own program."""
        self._watched += 1
        if self._bar:
            self._bar.resume()
        try:
            yield
        except BaseException:
            self._leave_screen(for_good=True)
            raise
        finally:
            self._watched -= 1
            self._leave_screen(for_good=False)

    def _leave_screen(self, for_good: bool) -> None:
        # After Ctrl-C the thread that heard it does this: a KeyboardInterrupt in the middle would leave half a bar.
        if self._bar and not self._pressed:
            self._bar.finish() if for_good else self._bar.pause()

    def wait(self, future: Future[Result]) -> Result:
        """Return the future's result; gives up, and takes back what was not sent yet, when the statement is cancelled.

        Raises:
            CancelledError: Ctrl-C, `interrupt()`, or the time limit of `ask`.
        """
        try:
            while not self._cancelled.is_set():
                # Not result(timeout): a TimeoutError of the work itself would look like one of the waiting.
                done = wait([future], POLL_SECONDS).done
                self._show_progress()
                if done:
                    return future.result()
        except (KeyboardInterrupt, futures.CancelledError) as stopped:
            self._pressed |= isinstance(stopped, KeyboardInterrupt)
        self._cancelled.set()
        future.cancel()
        raise CancelledError("the statement was interrupted; what was answered is kept")

    def _show_progress(self) -> None:
        if (
            not self._watched
            or not (self.scope.usage.asked or self.expected)
            or self.scope.options.llm_progress == "off"
        ):
            return
        self._asking_since = self._asking_since or monotonic()
        if monotonic() - self._asking_since > PROGRESS_DELAY_SECONDS:
            with self._drawing:
                if not self._pressed:
                    self._screen().draw(self._asking_since, self.expected)

    def _screen(self) -> ProgressBar | ProgressLog:
        if self._bar is None:
            from .progress_bar import ProgressBar  # Only those who wait for a model wait for rich.
            from .progress_log import ProgressLog

            wish = self.scope.options.llm_progress
            self._bar = ProgressLog(self.scope.usage) if wish == "log" else ProgressBar(self.scope.usage, wish)
        return self._bar

    @property
    def progress_shown(self) -> bool:
        """Whether anything of it was shown."""
        return self._bar is not None

    def announce_sql(self, sql: str) -> None:
        """Say, once, which SQL `ask` runs: in the log, and where progress is shown."""
        if self._watched and self.is_execution and sql not in self._told:
            self._told.add(sql)
            LOG.info("ask runs: %s", sql)
            if self.scope.options.llm_progress != "off":
                self._screen().show_sql(sql)

    def cancel_by_user(self) -> None:
        """Stop the statement because Ctrl-C was pressed."""
        self.cancel()
        with self._drawing:  # A line that is drawn now is taken away below, and none is drawn after it.
            self._pressed = True
        if self._bar:
            self._bar.finish()

    def cancel(self) -> None:
        """Stop the statement, in DuckDB and in our own waiting."""
        self._cancelled.set()
        self._interrupt()

    @property
    def is_terminal(self) -> bool:
        """Whether it was cancelled, or an error of ours ended it: another way to run it would do no better."""
        return self._cancelled.is_set() or self.error is not None

    def set_time_limit(self, seconds: float) -> None:
        """Cancel the statement unless it ends within so many seconds."""

        def expire() -> None:
            hint = f"write FROM ask('…', seconds := {seconds * 10:g})"
            self._too_slow = TimeLimitError(f"the answer took longer than {seconds:g} s", hint=hint)
            self.cancel()

        self._stop_clock()
        self._timer = threading.Timer(seconds, expire)
        self._timer.daemon = True
        self._timer.start()

    def finish(self) -> None:
        """Stop the clock, and say what was asked: all rows were read, the next statement begins, or all is closed."""
        self._stop_clock()
        if self._bar:
            self._bar.finish()

    def _stop_clock(self) -> None:
        if self._timer:
            self._timer.cancel()

    def translate_error(self, error: Exception) -> BaseException:
        """Return what really happened when DuckDB says that the statement failed."""
        if self._too_slow:
            return self._too_slow
        if self._pressed:
            return KeyboardInterrupt()
        if self._cancelled.is_set():
            return duckdb.InterruptException("INTERRUPT Error: Interrupted!")
        if NOT_CONSTANT in str(error) and "LINE" not in str(error):  # Inside of a macro of ours: it points nowhere.
            return RequestError(
                "the labels, fields and types of a typed function are constants",
                hint="type them as they are; for labels that a query gives: ai_choose(input, labels)",
            )
        return self.error or error

    def note_failure(self, asked: Hashable, failure: Failure | None) -> None:
        """Count a request or question that failed, once however often its rows are evaluated."""
        if failure:
            self.failed[asked] = failure.code

    def add_warning(self, text: str) -> None:
        """Say something once, in a warning at the end of the statement."""
        self.warnings[text] = None

    def emit_warnings(self) -> None:
        """Say in one warning each what the statement noted and how many requests failed, by code."""
        texts, self.warnings = self.warnings, {}
        for text in texts:
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
