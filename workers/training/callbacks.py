"""What a trainer tells while it trains: a bar or plain lines, and which checkpoints are complete."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .output import COMPLETE, write_json


class Watch(TrainerCallback):  # type: ignore[misc]
    """Marks a checkpoint complete once every process has written its part, and logs the last step."""

    def __init__(self, wait_for_everyone: Any, seconds_before: float) -> None:
        self._wait_for_everyone = wait_for_everyone
        self._before = seconds_before
        self._began = perf_counter()

    @property
    def seconds(self) -> float:
        """Time spent training, that before a resume included."""
        return self._before + perf_counter() - self._began

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Log the last step, wherever the logging interval ends."""
        control.should_log |= state.global_step == state.max_steps

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Mark the checkpoint."""
        self._wait_for_everyone()
        if state.is_world_process_zero:
            folder = Path(args.output_dir, f"checkpoint-{state.global_step}")
            write_json(folder / COMPLETE, {"step": state.global_step, "seconds": round(self.seconds, 1)})


class Bar(TrainerCallback):  # type: ignore[misc]
    """Steps, loss, learning rate and time left: a bar on a terminal, a line a log elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            *(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("training")

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Show the bar; one of several processes speaks for all."""
        self._console.quiet = not state.is_world_process_zero
        self._progress.start()
        self._progress.update(self._task, total=state.max_steps, completed=state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Move it on."""
        self._progress.update(self._task, completed=state.global_step)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **_: Any
    ) -> None:
        """Show the newest losses."""
        words = [f"{name} {logs[name]:.4g}" for name in ("loss", "eval_loss", "learning_rate") if name in logs]
        if not words:
            return
        self._progress.update(self._task, description=", ".join(words))
        if self._progress.disable:
            self._console.print(f"step {state.global_step}/{state.max_steps}: {', '.join(words)}", highlight=False)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Take the bar away."""
        self.close()

    def close(self) -> None:
        """Take the bar away, also after an error."""
        self._progress.stop()
