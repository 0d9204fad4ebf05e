"""The progress line of a statement that calls models, in a terminal or a notebook, and the SQL that `ask` runs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from time import monotonic
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.syntax import Syntax
from rich.table import Column
from rich.text import Text

from ...workers.serving.retry import longest_pause
from ..calls.budget import StatementUsage

REDRAW_SECONDS = 0.25
_SCREEN = threading.RLock()
# If several statements run at the same time, only one bar is active; the others print their lines above it.
_ACTIVE_BAR: list[ProgressBar] = []


class ProgressBar:
    """The progress line of one statement. The threads that wait for its answers draw it, so it needs no own thread.

    Args:
        usage: the statement's counters of calls, tokens and money.
        mode: 'auto' shows the line in a terminal and in a notebook, 'on' always, 'off' never. If standard error is a
            file, only the last line is written.
    """

    def __init__(self, usage: StatementUsage, mode: Literal["auto", "on", "off"]) -> None:
        self._usage = usage
        self._console = _Console(stderr=True)
        self._in_notebook = self._console.is_jupyter
        self.shown = mode == "on" or (mode == "auto" and (self._in_notebook or _is_terminal(self._console)))
        self._progress = Progress(
            TextColumn("calling models"),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=5)),
            _Totals(usage),
            console=self._console,
            expand=True,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,  # Otherwise rich would send standard output to standard error.
        )
        self._task = self._progress.add_task("", total=None)
        self._resting = False
        self._cell: Any = None
        self._drawn = 0.0
        # An unwished line would be noise below a quick statement.
        self._is_due = mode == "on"

    def draw(self, seconds: float, expected: int | None) -> None:
        """Redraw the line, at most four times a second.

        Args:
            seconds: since the statement started to call models.
            expected: the total number of calls, if it is known.
        """
        now = monotonic()
        if self.shown and now - self._drawn >= REDRAW_SECONDS and _SCREEN.acquire(blocking=False):
            try:
                if self._resting:
                    return
                self._drawn, self._is_due = now, True
                total = None if expected is None else max(expected, self._usage.sent, self._usage.done)
                self._progress.update(self._task, completed=self._usage.done, total=total)
                with self._unbroken():
                    self._redraw()
            finally:
                _SCREEN.release()

    def _redraw(self) -> None:
        if self._in_notebook:
            self._show_in_cell(self._progress)
        elif self._console.is_interactive:
            if not _ACTIVE_BAR:
                _ACTIVE_BAR.append(self)
                self._progress.start()
            self._progress.refresh()

    def resume(self) -> None:
        """Allow the line to be drawn again."""
        self._resting = False

    def pause(self) -> None:
        """Remove the line from the terminal and stop drawing, so that the user's own program can print."""
        with _SCREEN, self._unbroken():
            self._resting = True
            if self in _ACTIVE_BAR:
                _ACTIVE_BAR.clear()
                self._progress.stop()

    def finish(self, seconds: float) -> None:
        """Print one last line with the statement's totals, if a progress line was ever shown, or always if 'on'.

        Args:
            seconds: from the first call to the last answer.
        """
        self.pause()
        if self._is_due and (self._usage.sent or self._usage.cached):
            self._is_due = False
            line = totals(self._usage, seconds)
            if self._cell is None:
                self._text(Text(line, style="dim"))
            else:
                self._show_in_cell(Text(line))

    def show_note(self, text: str) -> None:
        """Print a line about the statement."""
        if self.shown:
            self._text(Text(text))

    def show_sql(self, sql: str) -> None:
        """Print the SQL that `ask` runs."""
        if self.shown:
            # Only a terminal has 16 colors that suit its background.
            self._text(Text(sql) if self._in_notebook else Syntax("", "sql", theme="ansi_dark").highlight(sql))

    def _text(self, line: Text) -> None:
        line.rstrip()
        with _SCREEN, self._unbroken():
            console = _ACTIVE_BAR[0]._console if _ACTIVE_BAR else self._console
            console.print(line, soft_wrap=True)

    def _show_in_cell(self, line: Progress | Text) -> None:
        """Replace the cell's previous line. Rich's own live display would need ipywidgets."""
        from IPython.display import display

        if self._cell is None:
            self._cell = display(line, display_id=True)
        else:
            self._cell.update(line)

    @contextlib.contextmanager
    def _unbroken(self) -> Iterator[None]:
        """Stop showing anything if standard error is closed, or cannot encode the characters."""
        try:
            yield
        except (OSError, ValueError):
            self.shown, self._console.quiet = False, True


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Stop printing; rich's default is to end the process."""
        self.quiet = True


class _Totals(ProgressColumn):
    """Calls done and in total, rate, tokens, money, failures and time left; unknown values are left out."""

    def __init__(self, usage: StatementUsage) -> None:
        super().__init__(Column(no_wrap=True))
        self._usage = usage

    def render(self, task: Task) -> Text:
        """Return the text to the right of the bar."""
        done, total = int(task.completed), task.total
        parts = [_calls(done) if total is None else f"{done:,}/{_calls(int(total))}"]
        if task.speed:
            parts.append(f"{task.speed:,.1f}/s")
        parts += usage_summary(self._usage)
        if pause := longest_pause():
            parts.append(f"paused {pause:.0f} s, as the service requested")
        if task.time_remaining:
            minutes, seconds = divmod(round(task.time_remaining), 60)
            parts.append(f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d} left")
        return Text("  ".join(parts))


def totals(usage: StatementUsage, seconds: float) -> str:
    """Return the last line of a statement: its calls, their rate, and the rest of `usage_summary`."""
    rate = f" ({usage.done / seconds:,.1f}/s)" if usage.done and seconds else ""
    return "  ".join([f"made {_calls(usage.sent)} in {seconds:,.1f} s{rate}", *usage_summary(usage)])


def usage_summary(usage: StatementUsage) -> list[str]:
    """Return answers of the call store, tokens, money and failures as texts; a value of 0 is left out."""
    parts = []
    if usage.cached:
        answers = "answer" if usage.cached == 1 else "answers"
        parts.append(f"{usage.cached:,} {answers} from the call store")
    if usage.input_tokens or usage.output_tokens:
        tokens = "token" if usage.input_tokens == 1 else "tokens"
        parts.append(f"{_short(usage.input_tokens)} {tokens} in, {_short(usage.output_tokens)} out")
    if usage.money:
        parts.append(f"cost {usage.money:.4g}")
    if usage.failed:
        parts.append(f"{usage.failed:,} failed")
    return parts


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"


def _short(count: int) -> str:
    if count >= 1_000_000:
        return f"{count / 1e6:,.1f}M"
    return f"{count / 1e3:.1f}k" if count >= 10_000 else f"{count:,}"


def _is_terminal(console: Console) -> bool:
    # With FORCE_COLOR rich treats every file as a terminal, but a progress bar in a file is useless.
    return console.is_interactive and console.file.isatty()
