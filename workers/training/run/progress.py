"""Shows how far a run has come: a bar on a terminal, a line a log elsewhere; carries it from a worker to its driver."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

# Takes a step, the number of steps, and the metrics logged at that step, which may be empty.
ShowProgress = Callable[[int, int, Mapping[str, Any]], None]

SHOWN_METRICS = ("loss", "eval_loss", "learning_rate")
POLL_SECONDS = 0.5  # The shortest time between two entries without a loss.


@contextmanager
def progress_bar() -> Iterator[ShowProgress]:
    """Give what shows steps, losses, learning rate and time left on standard error."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns, console=console, disable=not console.is_terminal) as live:
        task = live.add_task("training", total=None)

        def show(step: int, steps: int, logs: Mapping[str, Any]) -> None:
            live.update(task, completed=step, total=steps)
            text = ", ".join(f"{name} {logs[name]:.4g}" for name in SHOWN_METRICS if name in logs)
            if text and live.disable:
                console.print(f"step {step}/{steps}: {text}", highlight=False)
            elif text:
                live.update(task, description=text)

        yield show


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
