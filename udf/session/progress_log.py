"""Progress of a statement as plain lines, for a log file."""

from __future__ import annotations

import sys
from datetime import datetime
from time import monotonic

from ..calls.budget import StatementUsage
from .progress_bar import usage_summary

LINE_SECONDS = 10.0  # Interval between two lines.


def log_line(text: str) -> None:
    """Write a line with date and time to standard error."""
    print(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {text}", file=sys.stderr, flush=True)


class ProgressLog:
    """The log lines of one statement, in place of a `ProgressBar`. The threads that wait for its answers write them."""

    def __init__(self, usage: StatementUsage) -> None:
        self._usage = usage
        self._began = self._looked = self._written = 0.0

    def draw(self, began: float, expected: int | None) -> None:
        """Write a line, if the last one is at least `LINE_SECONDS` old.

        Args:
            began: when the statement started to call models, in seconds of the monotonic clock.
            expected: the total number of calls, if it is known.
        """
        self._began, self._looked = began, monotonic()
        if self._looked - (self._written or began) >= LINE_SECONDS:
            self._written = self._looked
            log_line("  ".join([self._done(expected), *usage_summary(self._usage), *self._left(expected)]))

    def _done(self, expected: int | None) -> str:
        of = f" of {max(expected, self._usage.sent, self._usage.done):,}" if expected else ""
        return f"calling models: {self._usage.done:,}{of} calls, {self._rate:,.1f}/s"

    def _left(self, expected: int | None) -> list[str]:
        remaining = (expected or 0) - self._usage.done
        return [f"about {remaining / self._rate:,.0f} s left"] if remaining > 0 and self._rate else []

    @property
    def _rate(self) -> float:
        seconds = self._looked - self._began
        return self._usage.done / seconds if seconds else 0.0

    def resume(self) -> None:
        """Do nothing: `pause` removed nothing."""

    def pause(self) -> None:
        """Do nothing: a log has no line that could be removed."""

    def finish(self) -> None:
        """Write one last line with the statement's totals."""
        if self._began and self._usage.sent:
            seconds = self._looked - self._began
            sent = f"made {self._usage.sent:,} calls in {seconds:,.1f} s, {self._rate:,.1f}/s"
            log_line("  ".join([sent, *usage_summary(self._usage)]))
        self._began = 0.0

    def show_note(self, text: str) -> None:
        """Write a line about the statement."""
        log_line(text)

    def show_sql(self, sql: str) -> None:
        """Write the SQL that `ask` runs."""
        log_line(f"ask runs: {' '.join(sql.split())}")
