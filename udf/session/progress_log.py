"""Progress of a statement as plain lines, for a log file."""

from __future__ import annotations

import sys
from datetime import datetime

from ..calls.budget import StatementUsage
from .progress_bar import totals, usage_summary

LINE_SECONDS = 10.0  # Interval between two lines.


def log_line(text: str) -> None:
    """Write a line with date and time to standard error."""
    print(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {text}", file=sys.stderr, flush=True)


class ProgressLog:
    """The log lines of one statement, in place of a `ProgressBar`. The threads that wait for its answers write them."""

    def __init__(self, usage: StatementUsage) -> None:
        self._usage = usage
        self._written = 0.0
        self._is_due = True

    def draw(self, seconds: float, expected: int | None) -> None:
        """Write a line, if the last one is at least `LINE_SECONDS` old.

        Args:
            seconds: since the statement started to call models.
            expected: the total number of calls, if it is known.
        """
        self._is_due = True
        if seconds - self._written >= LINE_SECONDS:
            self._written = seconds
            rate = self._usage.done / seconds
            of = f" of {max(expected, self._usage.sent, self._usage.done):,}" if expected else ""
            done = f"calling models: {self._usage.done:,}{of} calls, {rate:,.1f}/s"
            remaining = (expected or 0) - self._usage.done
            left = [f"about {remaining / rate:,.0f} s left"] if remaining > 0 and rate else []
            log_line("  ".join([done, *usage_summary(self._usage), *left]))

    def resume(self) -> None:
        """Do nothing: `pause` removed nothing."""

    def pause(self) -> None:
        """Do nothing: a log has no line that could be removed."""

    def finish(self, seconds: float) -> None:
        """Write one last line with the statement's totals.

        Args:
            seconds: from the first call to the last answer.
        """
        if self._is_due and (self._usage.sent or self._usage.cached):
            log_line(totals(self._usage, seconds))
        self._is_due = False

    def show_note(self, text: str) -> None:
        """Write a line about the statement."""
        log_line(text)

    def show_sql(self, sql: str) -> None:
        """Write the SQL that `ask` runs."""
        log_line(f"ask runs: {' '.join(sql.split())}")
