"""What a person sees while a statement asks: one line on the terminal or in the notebook, and the SQL of `ask`."""

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
_ACTIVE_BAR: list[ProgressBar] = []
"""Of statements that ask at the same time, the one that shows how far it is; what the others say goes above it."""


class ProgressBar:
    """The line of one statement. Drawn by the threads that wait for its answers, so that it needs none of its own.

    Args:
        spent: the statement's calls, as they are counted.
        wish: 'auto' shows it in a terminal and in a notebook, 'on' always; a file gets the last line only.
    """

    def __init__(self, spent: StatementUsage, wish: Literal["auto", "on", "off"]) -> None:
        self._spent = spent
        self._console = _Console(stderr=True)
        self._in_notebook = self._console.is_jupyter
        self.shown = wish == "on" or (wish == "auto" and (self._in_notebook or _is_terminal(self._console)))
        self._progress = Progress(
            TextColumn("asking"),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=5)),
            _Totals(spent),
            console=self._console,
            expand=True,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,  # Rich would write what belongs there to this console, which is standard error.
        )
        self._task = self._progress.add_task("", total=None)
        self._resting = False
        self._cell: Any = None
        self._began = self._looked = self._drawn = 0.0

    def draw(self, began: float, expected: int | None) -> None:
        """Bring the line up to date, four times a second at the most.

        Args:
            began: when the statement began to ask, on the monotonic clock.
            expected: how many calls it will make in all, where that is known.
        """
        self._began, self._looked = began, monotonic()
        if self.shown and self._looked - self._drawn >= REDRAW_SECONDS and _SCREEN.acquire(blocking=False):
            try:
                if self._resting:
                    return
                self._drawn = self._looked
                total = None if expected is None else max(expected, self._spent.asked, self._spent.done)
                self._progress.update(self._task, completed=self._spent.done, total=total)
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
        """Let the line be drawn again."""
        self._resting = False

    def pause(self) -> None:
        """Take the line off the terminal and draw no more: it belongs to the user's own program."""
        with _SCREEN, self._unbroken():
            self._resting = True
            if self in _ACTIVE_BAR:
                _ACTIVE_BAR.clear()
                self._progress.stop()

    def finish(self) -> None:
        """Leave one line that says what the statement asked, if it ever showed that it asks."""
        self.pause()
        if self._drawn and self._spent.asked:
            self._drawn = 0.0
            seconds = self._looked - self._began
            rate = f"({self._spent.done / seconds:,.1f}/s)" if seconds else ""
            parts = [f"asked {_calls(self._spent.asked)} in {seconds:,.1f} s {rate}", *usage_summary(self._spent)]
            if self._cell is None:
                self._say(Text("  ".join(parts), style="dim"))
            else:
                self._show_in_cell(Text("  ".join(parts)))

    def show_note(self, text: str) -> None:
        """Print a line about the statement."""
        if self.shown:
            self._say(Text(text))

    def show_sql(self, sql: str) -> None:
        """Print the SQL that `ask` runs."""
        if self.shown:
            self._say(Syntax("", "sql", theme="ansi_dark").highlight(sql))

    def _say(self, line: Text) -> None:
        line.rstrip()
        with _SCREEN, self._unbroken():
            console = _ACTIVE_BAR[0]._console if _ACTIVE_BAR else self._console
            console.print(line, soft_wrap=True)

    def _show_in_cell(self, line: Progress | Text) -> None:
        """Show the line where the last one stood. Rich's own live display would need ipywidgets there."""
        from IPython.display import display

        if self._cell is None:
            self._cell = display(line, display_id=True)
        else:
            self._cell.update(line)

    @contextlib.contextmanager
    def _unbroken(self) -> Iterator[None]:
        """Show nothing from now on where standard error was closed, or takes no such characters."""
        try:
            yield
        except (OSError, ValueError):
            self.shown, self._console.quiet = False, True


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Fall silent; rich would end the process."""
        self.quiet = True


class _Totals(ProgressColumn):
    """Done and total, rate, tokens, money, failures and time left, as far as there is anything to say."""

    def __init__(self, spent: StatementUsage) -> None:
        super().__init__(Column(no_wrap=True))
        self._spent = spent

    def render(self, task: Task) -> Text:
        """Return the text right of the bar."""
        done, total = int(task.completed), task.total
        parts = [_calls(done) if total is None else f"{done:,}/{_calls(int(total))}"]
        if task.speed:
            parts.append(f"{task.speed:,.1f}/s")
        parts += usage_summary(self._spent)
        if pause := longest_pause():
            parts.append(f"paused {pause:.0f} s: the service asks for it")
        if task.time_remaining:
            minutes, seconds = divmod(round(task.time_remaining), 60)
            parts.append(f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d} left")
        return Text("  ".join(parts))


def usage_summary(spent: StatementUsage) -> list[str]:
    """Return tokens, money and failures in words, each only where there are any."""
    parts = []
    if spent.input_tokens or spent.output_tokens:
        tokens = "token" if spent.input_tokens == 1 else "tokens"
        parts.append(f"{_short(spent.input_tokens)} {tokens} in, {_short(spent.output_tokens)} out")
    if spent.money:
        parts.append(f"cost {spent.money:.4g}")
    if spent.failed:
        parts.append(f"{spent.failed:,} failed")
    return parts


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"


def _short(count: int) -> str:
    if count >= 1_000_000:
        return f"{count / 1e6:,.1f}M"
    return f"{count / 1e3:.1f}k" if count >= 10_000 else f"{count:,}"


def _is_terminal(console: Console) -> bool:
    # FORCE_COLOR makes rich take anything for a terminal; a bar in a file is of no use.
    return console.is_interactive and console.file.isatty()
