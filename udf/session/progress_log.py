"""How far a statement is, for a log that people read later: plain lines, no bar."""

from __future__ import annotations

import sys
from datetime import datetime
from time import monotonic

from ..calls.budget import StatementUsage
from .progress_bar import usage_summary

LINE_SECONDS = 10.0
"""How often a line is written."""


def log_line(text: str) -> None:
    """Write a line with the time of day to standard error."""
    print(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {text}", file=sys.stderr, flush=True)


class ProgressLog:
    """The lines of one statement: what a `Bar` is on a terminal. Drawn by the threads that wait for its answers."""

    def __init__(self, spent: StatementUsage) -> None:
        self._spent = spent
        self._began = self._looked = self._written = 0.0

    def draw(self, began: float, expected: int | None) -> None:
        """Write how far the statement is, if the last line is old enough.

        Args:
            began: when the statement began to ask, on the monotonic clock.
            expected: how many calls it will make in all, where that is known.
        """
        self._began, self._looked = began, monotonic()
        if self._looked - (self._written or began) >= LINE_SECONDS:
            self._written = self._looked
            log_line("  ".join([self._done(expected), *usage_summary(self._spent), *self._left(expected)]))

    def _done(self, expected: int | None) -> str:
        of = f" of {max(expected, self._spent.asked, self._spent.done):,}" if expected else ""
        return f"asking: {self._spent.done:,}{of} calls, {self._rate:,.1f}/s"

    def _left(self, expected: int | None) -> list[str]:
        to_come = (expected or 0) - self._spent.done
        return [f"about {to_come / self._rate:,.0f} s left"] if to_come > 0 and self._rate else []

    @property
    def _rate(self) -> float:
        seconds = self._looked - self._began
        return self._spent.done / seconds if seconds else 0.0

    def resume(self) -> None:
        """Nothing was taken off the screen."""

    def pause(self) -> None:
        """Nothing is on the screen."""

    def finish(self) -> None:
        """Write once what the statement asked."""
        if self._began and self._spent.asked:
            seconds = self._looked - self._began
            asked = f"asked {self._spent.asked:,} calls in {seconds:,.1f} s, {self._rate:,.1f}/s"
            log_line("  ".join([asked, *usage_summary(self._spent)]))
        self._began = 0.0

    def show_note(self, text: str) -> None:
        """Write a line about the statement."""
        log_line(text)

    def show_sql(self, sql: str) -> None:
        """Write the SQL that `ask` runs."""
        log_line(f"ask runs: {' '.join(sql.split())}")
