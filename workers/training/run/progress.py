"""Shows how far a run has come, and carries it from a worker to its driver.

A terminal has a bar, a notebook a line that changes, a file a line a log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

# Takes a step, the number of steps, and the metrics logged at that step, which may be empty.
ShowProgress = Callable[[int, int, Mapping[str, Any]], None]

SHOWN_METRICS = ("loss", "eval_loss", "learning_rate", "tokens_per_second")
SILENT_SECONDS = 5.0  # Where no bar moves, the longest time without a line is twice this.
POLL_SECONDS = 0.5  # The shortest time between two entries without a loss.


@contextmanager
def progress_bar() -> Iterator[ShowProgress]:
    """Give what shows steps, losses, learning rate, tokens a second and time left on standard error."""
    console = Console(stderr=True)
    in_notebook = console.is_jupyter
    lines = progress_lines(_cell_line() if in_notebook else _line_printer(console), SILENT_SECONDS)
    with _bar(console) if console.is_terminal and not in_notebook else lines as show:
        yield show


def _line_printer(console: Console) -> Callable[[str], None]:
    return partial(console.print, highlight=False, soft_wrap=True)


def _cell_line() -> Callable[[str], None]:
    """Return what shows a line in the notebook's cell, in place of the one before; the page wraps it."""
    from IPython.display import display

    line = display({"text/plain": ""}, raw=True, display_id=True)
    return lambda text: line.update({"text/plain": text}, raw=True)


@contextmanager
def _bar(console: Console) -> Iterator[ShowProgress]:
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns, console=console) as live:
        task = live.add_task("loading the model and the data", total=None)

        def show(step: int, steps: int, logs: Mapping[str, Any]) -> None:
            live.update(task, completed=step, total=steps)
            if text := describe_metrics(logs):
                live.update(task, description=text)

        yield show


@contextmanager
def progress_lines(print_line: Callable[[str], object], silent_seconds: float) -> Iterator[ShowProgress]:
    """Give what prints a line for each loss, and one whenever nothing was printed for a while.

    Args:
        print_line: takes a line.
        silent_seconds: after so many seconds without a line, one says how far the run is.
    """
    started, ended, printed = perf_counter(), Event(), Event()
    state, metrics, first_step = "loading the model and the data", "", (0, 0.0)

    def print_state(left: str = "") -> None:
        printed.set()
        seconds = timedelta(seconds=round(perf_counter() - started))
        print_line(f"{state}{metrics and ': '}{metrics}{left}, after {seconds}")

    def show(step: int, steps: int, logs: Mapping[str, Any]) -> None:
        nonlocal state, metrics, first_step
        state = f"step {step}/{steps}"
        if not first_step[1]:
            first_step = step, perf_counter()  # What came before was loading, and a resumed run begins late.
        if text := describe_metrics(logs):
            metrics = text
            done, seconds = step - first_step[0], perf_counter() - first_step[1]
            left = f", {timedelta(seconds=round(seconds / done * (steps - step)))} left" if done else ""
            print_state(left)

    def fill_silence() -> None:
        while not ended.wait(silent_seconds):
            if not printed.is_set():
                print_state()
            printed.clear()

    filler = Thread(target=fill_silence, daemon=True)
    print_state()
    filler.start()
    try:
        yield show
    finally:
        ended.set()
        filler.join()


def describe_metrics(logs: Mapping[str, Any]) -> str:
    """Return the metrics as text; the empty text, if there are none to show."""
    return ", ".join(f"{name.replace('_per_', '/')} {logs[name]:.4g}" for name in SHOWN_METRICS if name in logs)


class ProgressFile:
    """Writes the progress into a file, for the process that started the workers to read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = 0.0

    def show(self, step: int, steps: int, logs: Mapping[str, Any]) -> None:
        """Note a step; those without a loss only now and then.

        Args:
            step: steps done.
            steps: of the run.
            logs: metrics of that step, which may be empty.
        """
        metrics = {name: logs[name] for name in SHOWN_METRICS if name in logs}
        if metrics or perf_counter() - self._written > POLL_SECONDS:
            self._written = perf_counter()
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([step, steps, metrics]) + "\n")


@contextmanager
def follow_progress(path: Path) -> Iterator[None]:
    """Show the progress that the workers write into the file, until the block ends."""
    path.touch()
    ended = Event()
    with progress_bar() as show:
        reader = Thread(target=_follow, args=(path, show, ended), daemon=True)
        reader.start()
        try:
            yield
        finally:
            ended.set()
            reader.join()
            path.unlink()


def _follow(path: Path, show: ShowProgress, ended: Event) -> None:
    with path.open(encoding="utf-8") as file:
        last = False
        while not last:
            last = ended.wait(POLL_SECONDS)
            while (line := file.readline()).endswith("\n"):
                show(*json.loads(line))
            file.seek(file.tell() - len(line.encode()))
