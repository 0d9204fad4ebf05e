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

from .spent import Spent

REDRAW_SECONDS = 0.25
_SCREEN = threading.Lock()
"""Held by the bar that is on the screen: of statements that ask at the same time, one shows how far it is."""


class Bar:
    """The line of one statement. Drawn by the threads that wait for its answers, so that it needs none of its own.

    Args:
        spent: the statement's calls, as they are counted.
        wish: 'auto' shows it in a terminal and in a notebook, 'on' always; a file gets the last line only.
    """

    def __init__(self, spent: Spent, wish: Literal["auto", "on", "off"]) -> None:
        self._spent = spent
        self._console = _Console(stderr=True)
        self._in_notebook = self._console.is_jupyter
        self.shown = wish == "on" or (wish == "auto" and (self._in_notebook or _is_terminal(self._console)))
        self._progress = Progress(
            TextColumn("asking"),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=5, max_width=40)),
            _Totals(spent),
            console=self._console,
            expand=True,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,  # Rich would write what belongs there to this console, which is standard error.
        )
        self._task = self._progress.add_task("", total=None)
        self._drawing = threading.Lock()
        self._on_screen = False
        self._cell: Any = None
        self._began = self._looked = self._drawn = 0.0

    def draw(self, began: float, expected: int | None) -> None:
        """Bring the line up to date, four times a second at the most.

        Args:
            began: when the statement began to ask, on the monotonic clock.
            expected: how many calls it will make in all, where that is known.
        """
        self._began, self._looked = began, monotonic()
        if self.shown and self._looked - self._drawn >= REDRAW_SECONDS and self._drawing.acquire(blocking=False):
            try:
                self._drawn = self._looked
                total = None if expected is None else max(expected, self._spent.asked, self._spent.done)
                self._progress.update(self._task, completed=self._spent.done, total=total)
                with self._unbroken():
                    self._redraw()
            finally:
                self._drawing.release()

    def _redraw(self) -> None:
        if not self._on_screen and _SCREEN.acquire(blocking=False):
            self._on_screen = True
            if self._console.is_interactive and not self._in_notebook:
                self._progress.start()
        if self._on_screen and self._in_notebook:
            self._show_in_cell(self._progress)
        else:
            self._progress.refresh()

    def rest(self) -> None:
        """Take the line off the terminal: nothing is asked for now."""
        with self._drawing:
            if self._on_screen:
                self._on_screen = False
                with self._unbroken():
                    self._progress.live.stop()
                _SCREEN.release()

    def end(self) -> None:
        """Leave one line that says what the statement asked, if it ever showed that it asks."""
        self.rest()
        if self._drawn and self._spent.asked:
            self._drawn = 0.0
            seconds = self._looked - self._began
            rate = f"({self._spent.done / seconds:,.1f}/s)" if seconds else ""
            said = Text(
                "  ".join([f"asked {self._spent.asked:,} calls in {seconds:,.1f} s {rate}", *paid(self._spent)])
            )
            with self._unbroken():
                self._show_in_cell(said) if self._cell else self._console.print(said, style="dim", soft_wrap=True)

    def show_sql(self, sql: str) -> None:
        """Print the SQL that `ask` runs."""
        if self.shown:
            self.rest()
            with self._unbroken():
                self._console.print(Syntax("", "sql", theme="ansi_dark").highlight(sql), end="", soft_wrap=True)

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

    def __init__(self, spent: Spent) -> None:
        super().__init__(Column(no_wrap=True))
        self._spent = spent

    def render(self, task: Task) -> Text:
        """Return the text right of the bar."""
        of = "" if task.total is None else f"/{task.total:,.0f}"
        parts = [f"{task.completed:,.0f}{of} calls"]
        if task.speed:
            parts.append(f"{task.speed:,.1f}/s")
        parts += paid(self._spent)
        if task.time_remaining:
            minutes, seconds = divmod(round(task.time_remaining), 60)
            parts.append(f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d} left")
        return Text("  ".join(parts))


def paid(spent: Spent) -> list[str]:
    """Return tokens, money and failures in words, each only where there are any."""
    parts = []
    if spent.input_tokens or spent.output_tokens:
        parts.append(f"{_short(spent.input_tokens)} tokens in, {_short(spent.output_tokens)} out")
    if spent.money:
        parts.append(f"cost {spent.money:.4g}")
    if spent.failed:
        parts.append(f"{spent.failed:,} failed")
    return parts


def _short(count: int) -> str:
    if count >= 1_000_000:
        return f"{count / 1e6:,.1f}M"
    return f"{count / 1e3:.1f}k" if count >= 10_000 else f"{count:,}"


def _is_terminal(console: Console) -> bool:
    # FORCE_COLOR makes rich take anything for a terminal; a bar in a file is of no use.
    return console.is_interactive and console.file.isatty()
