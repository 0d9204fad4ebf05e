"""Callbacks of the trainer: they show its progress and mark complete checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..run_folder import COMPLETE, write_json
from .progress import ShowProgress


class ProgressCallback(TrainerCallback):  # type: ignore[misc]
    """Shows the progress, logs the last step, and marks a checkpoint complete once every process has written its part.

    Args:
        show: takes the progress, from the first process.
        wait_for_everyone: returns when all processes have come so far.
        seconds_before: time spent training before a resume.
    """

    def __init__(self, show: ShowProgress, wait_for_everyone: Callable[[], None], seconds_before: float) -> None:
        self._show = show
        self._wait_for_everyone = wait_for_everyone
        self._seconds_before = seconds_before
        self._started_at = perf_counter()
        self._counted = (0.0, self._started_at)

    @property
    def seconds(self) -> float:
        """Time spent training, that before a resume included."""
        return round(self._seconds_before + perf_counter() - self._started_at, 1)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Show the step; log the last one, wherever the logging interval ends."""
        control.should_log |= state.global_step == state.max_steps
        if state.is_world_process_zero:
            self._show(state.global_step, state.max_steps, {})

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **_: Any
    ) -> None:
        """Show the newest losses."""
        if state.is_world_process_zero:
            self._show(state.global_step, state.max_steps, {**logs, **self._speed(logs)})

    def _speed(self, logs: dict[str, Any]) -> dict[str, float]:
        """Return the tokens a second since the last log; trl counts the tokens of all processes."""
        tokens, now = logs.get("num_tokens"), perf_counter()
        if tokens is None:
            return {}
        (before, at), self._counted = self._counted, (tokens, now)
        return {"tokens_per_second": (tokens - before) / (now - at)} if before else {}

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Mark the checkpoint."""
        self._wait_for_everyone()
        if state.is_world_process_zero:
            folder = Path(args.output_dir, f"checkpoint-{state.global_step}")
            write_json(folder / COMPLETE, {"step": state.global_step, "seconds": self.seconds})
