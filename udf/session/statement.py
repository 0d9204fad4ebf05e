"""The state of one running SQL statement: failures, cancellation, time limit, progress."""

from __future__ import annotations

import contextlib
import logging
import re
import textwrap
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from concurrent import futures
from concurrent.futures import Future, wait
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from ...workers.errors import CancelledError, QuackLLMError, RequestError
from ...workers.messages import Failure
from ..calls.scope import CallScope
from .caller_warnings import warn_at_caller
from .statement_watchdog import Watchdog

if TYPE_CHECKING:
    from ...workers.deployments.spec import ModelSpec
    from ...workers.messages import Request
    from ..accuracy.stand_in import AccuracyReport, StandIn
    from ..text2sql.result import QuestionKey, Text2SqlResult
    from .progress_bar import ProgressBar
    from .progress_log import ProgressLog

LOG = logging.getLogger("quackllm")
Result = TypeVar("Result")

POLL_SECONDS = 0.1  # How often a waiting function checks whether its statement was cancelled.
MAX_QUESTION_SHOWN = 80
PROGRESS_DELAY_SECONDS = 0.5  # Progress is shown only after this time.
# What DuckDB says of a wrong call of one of our macros: by a pattern, what is wrong and what to type.
MACRO_ERRORS = {
    r'The "structure" argument in function "json_transform" must be a constant(?!.*LINE)': (
        "the labels, fields and types of a typed function are constants",
        "type them as they are; for labels that a query gives: ai_choose(input, labels)",
    ),
    r'"(ai_(?:agg|summarize)\w*)" is a Macro Function': (
        "{} takes no DISTINCT, FILTER or ORDER BY",
        "type ai_agg_list(list(DISTINCT body ORDER BY id) FILTER (id > 1), 'What do people complain about?')",
    ),
    r"argument types 'list_select\([^\[]*, INTEGER\[\]\)": (
        "ai_top and ai_best take a list",
        "type ai_top(list(body), 3, 'how angry the writer is')",
    ),
}


class FailedRowsWarning(UserWarning):
    """Some requests of a statement got no complete answer, or SQL that may be wrong; `error` or `warnings` say why."""


class Statement:
    """One statement of one connection, from its start until its last row is fetched.

    Args:
        interrupt: interrupts the statement in DuckDB.
        cached: returns the size of DuckDB's cache of the user's files, in bytes.
    """

    def __init__(self, interrupt: Callable[[], None] = lambda: None, cached: Callable[[], int] = lambda: 0) -> None:
        self.scope = CallScope()
        self.failed: dict[Hashable, str] = {}
        self.warnings: dict[str, None] = {}
        # By question: its text, and what speaks against its SQL.
        self.doubtful: dict[Hashable, tuple[str, str]] = {}
        self.sql_results: dict[QuestionKey, Text2SqlResult] = {}
        # Model by name: the same from the first row to the last, even if another is deployed meanwhile.
        self.models: dict[str | None, ModelSpec] = {}
        self.rows: Counter[str] = Counter()
        # Each an `AnswerTable` of the functions', by function, model and store mode.
        self.answer_tables: dict[Hashable, Any] = {}
        # Of calls with a stated accuracy: what stands in for the model's answers, by call and request.
        self.stand_ins: dict[Hashable, dict[Request, StandIn]] = {}
        self.accuracy_reports: dict[Hashable, AccuracyReport] = {}
        self.expected: int | None = None
        # False if the statement is only bound: a relation is executed later, by other statements.
        self.is_execution = True
        self.error: QuackLLMError | None = None
        self._interrupt = interrupt
        self._cached = cached
        self._cancelled = threading.Event()
        self._cancelled_by_user = False
        self._drawing = threading.Lock()
        self._exceeded: QuackLLMError | None = None
        self._watchdog: Watchdog | None = None
        self._bar: ProgressBar | ProgressLog | None = None
        self._watched = 0
        self._calling_since: float | None = None
        self._waited_until = 0.0
        self._announced: set[str] = set()
        self._unplanned: str | None = None

    def expect_calls(self, more: int) -> None:
        """Add to the total number of calls that the progress line shows."""
        self.expected = (self.expected or 0) + more

    @contextlib.contextmanager
    def progress_allowed(self) -> Iterator[None]:
        """Allow the progress line inside the block only: outside it the user's own program may print."""
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
        # After Ctrl-C the signal thread does this: a KeyboardInterrupt here would leave half a bar on the screen.
        if self._bar and not self._cancelled_by_user:
            self._bar.finish(self._calling_seconds) if for_good else self._bar.pause()

    def wait(self, future: Future[Result]) -> Result:
        """Wait for the future and return its result; if the statement is cancelled, cancel the requests not sent yet.

        Raises:
            CancelledError: Ctrl-C, `interrupt()`, or the time limit of `ask`.
        """
        self._calling_since = self._calling_since or monotonic()
        try:
            while not self._cancelled.is_set():
                # Not result(timeout): its TimeoutError would look like a TimeoutError of the work itself.
                done = wait([future], POLL_SECONDS).done
                self._show_progress()
                if done:
                    return future.result()
        except (KeyboardInterrupt, futures.CancelledError) as stopped:
            self._cancelled_by_user |= isinstance(stopped, KeyboardInterrupt)
        self._cancelled.set()
        future.cancel()
        raise CancelledError("the statement was interrupted; the answers so far are stored")

    def _show_progress(self) -> None:
        self._waited_until = monotonic()
        usage = self.scope.usage
        if (
            not self._watched
            or not (usage.sent or usage.cached or self.expected)
            or self.scope.options.llm_progress == "off"
        ):
            return
        if self._calling_seconds > PROGRESS_DELAY_SECONDS:
            with self._drawing:
                if not self._cancelled_by_user:
                    self._screen().draw(self._calling_seconds, self.expected)

    @property
    def _calling_seconds(self) -> float:
        """The time from the first request until the last answer."""
        return self._waited_until - (self._calling_since or self._waited_until)

    def _screen(self) -> ProgressBar | ProgressLog:
        if self._bar is None:
            from .progress_bar import ProgressBar  # Imported late: rich is slow, and needed only if models are called.
            from .progress_log import ProgressLog

            mode = self.scope.options.llm_progress
            self._bar = ProgressLog(self.scope.usage) if mode == "log" else ProgressBar(self.scope.usage, mode)
            if self._unplanned:
                self._bar.show_note(self._unplanned)
        return self._bar

    @property
    def _always_shows_totals(self) -> bool:
        """Whether the last line is shown even if the statement was quick, or the call store had all answers."""
        usage = self.scope.usage
        return bool(usage.sent or usage.cached) and self.scope.options.llm_progress in ("on", "log")

    @property
    def progress_shown(self) -> bool:
        """Whether any progress was shown, or a last line will be."""
        return self._bar is not None or self._always_shows_totals

    def note_unplanned(self, reason: str) -> None:
        """Say, once, that the statement is not planned, and why: in the log, and where progress is shown."""
        if self._unplanned is None:
            self._unplanned = f"not planned: {reason}"
            LOG.info("not planned: %s", reason)

    def announce_sql(self, sql: str) -> None:
        """Show the SQL that `ask` runs, once: in the log, and where progress is shown."""
        if self._watched and self.is_execution and sql not in self._announced:
            self._announced.add(sql)
            LOG.info("ask runs: %s", sql)
            if self.scope.options.llm_progress != "off":
                self._screen().show_sql(sql)

    def cancel_by_user(self) -> None:
        """Stop the statement because Ctrl-C was pressed."""
        self.cancel()
        with self._drawing:  # Below, `finish` removes the line that may be on the screen; no other is drawn.
            self._cancelled_by_user = True
        if self._bar:
            self._bar.finish(self._calling_seconds)

    def cancel(self) -> None:
        """Stop the statement, both in DuckDB and where it waits for models."""
        self._cancelled.set()
        self._interrupt()

    @property
    def is_terminal(self) -> bool:
        """Whether it was cancelled, or ended with a quackllm error: running it in another way would not help."""
        return self._cancelled.is_set() or self.error is not None

    def set_time_limit(self, seconds: float) -> None:
        """Stop the statement if it takes longer than this many seconds, counted from the first call of this method."""
        if self._watchdog is None:
            self._watchdog = Watchdog(self._exceed, seconds, self._cached)

    def set_memory_limit(self, megabytes: int) -> None:
        """Stop the statement if the process grows by more than this from now on, without DuckDB's cache of files."""
        if self._watchdog:
            self._watchdog.limit_memory(megabytes)

    def _exceed(self, error: QuackLLMError) -> None:
        self._exceeded = error
        self.cancel()

    def finish(self) -> None:
        """Stop the watchdog and print the last progress line: the rows are read, or the next statement starts."""
        self.stop_clock()
        if self._bar or self._always_shows_totals:
            self._screen().finish(self._calling_seconds)

    def stop_clock(self) -> None:
        """Stop the watchdog, because the statement has ended."""
        if self._watchdog:
            self._watchdog.end()
            self._watchdog = None

    def translate_error(self, error: Exception) -> BaseException:
        """Return the original exception behind the one that DuckDB raised for the statement."""
        if self._exceeded:
            return self._exceeded
        if self._cancelled_by_user:
            return KeyboardInterrupt()
        if self._cancelled.is_set():
            return duckdb.InterruptException("INTERRUPT Error: Interrupted!")
        return self.error or _macro_error(str(error)) or error

    def note_failure(self, request: Hashable, failure: Failure | None) -> None:
        """Count a failed request or question once, no matter how often its rows are evaluated."""
        if failure:
            self.failed[request] = failure.code

    def note_doubt(self, question: Hashable, text: str, doubts: str) -> None:
        """Count a question whose SQL may be wrong once, no matter how often its rows are evaluated."""
        self.doubtful[question] = (text, doubts)

    def add_warning(self, text: str) -> None:
        """Add a text that is shown once, as a warning at the end of the statement."""
        self.warnings[text] = None

    def emit_warnings(self) -> None:
        """Issue the collected warnings, one for SQL that may be wrong, and one that counts failed requests by code."""
        texts, self.warnings = self.warnings, {}
        for text in texts:
            warn_at_caller(text, FailedRowsWarning)
        doubtful, self.doubtful = list(self.doubtful.values()), {}
        if doubtful:
            (text, doubts), count = doubtful[0], len(doubtful)
            what = f"the SQL of {count} questions may be wrong, first" if count > 1 else "the SQL may be wrong"
            short = textwrap.shorten(text, MAX_QUESTION_SHOWN, placeholder=" …")
            warn_at_caller(f"{what}: {short!r}: {doubts}. More: text2sql_detail('…')", FailedRowsWarning)
        counts, self.failed = Counter(self.failed.values()), {}
        if counts:
            codes = ", ".join(f"{count} × {code}" for code, count in counts.most_common())
            requests = "1 request" if counts.total() == 1 else f"{counts.total()} requests"
            where = "`error` says why: of a response, of `ai_…_detail` and of `text2sql_detail`"
            warn_at_caller(f"{requests} got no complete answer: {codes}. Each row's {where}.", FailedRowsWarning)


def _macro_error(message: str) -> RequestError | None:
    """Return what the user did wrong where DuckDB names what a macro of ours consists of."""
    for pattern, (problem, hint) in MACRO_ERRORS.items():
        if found := re.search(pattern, message, re.DOTALL):
            return RequestError(problem.format(*found.groups()), hint=hint)
    return None
