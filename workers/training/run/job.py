"""What a process needs to train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..run_folder import DataReport
from ..settings import PretrainSettings, TrainingSettings


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """All that a process needs to train: it is pickled to Ray's workers.

    Args:
        settings: the stage's.
        folder: the run's, seen by every worker under this path.
        base: folder or id of the weights, or the config.json of fresh ones.
        tokenizer: folder or id of the tokenizer.
        train, evaluation: datasets of input_ids and labels.
        data: what they hold.
    """

    settings: TrainingSettings
    folder: str
    base: str
    tokenizer: str
    train: Any
    evaluation: Any
    data: DataReport
    deepspeed: dict[str, Any] | None = None

    @property
    def stage(self) -> str:
        """The stage's name, as it is typed."""
        return "pretrain" if isinstance(self.settings, PretrainSettings) else "finetune"
