"""From chat-form data to weights: `finetune`, `pretrain` and `merge`, each with its settings.

A name is loaded when it is first used: importing this loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy_exports import lazy_exports

if TYPE_CHECKING:
    from .data.chat_examples import TrainingExamples, read_examples
    from .finetune_model import finetune
    from .merge_adapter import merge
    from .pretrain_model import pretrain
    from .run_folder import Trained
    from .settings import FinetuneSettings, MergeSettings, PretrainSettings

_MODULES = {
    "TrainingExamples": "data.chat_examples",
    "read_examples": "data.chat_examples",
    "finetune": "finetune_model",
    "merge": "merge_adapter",
    "Trained": "run_folder",
    "pretrain": "pretrain_model",
    "FinetuneSettings": "settings",
    "MergeSettings": "settings",
    "PretrainSettings": "settings",
}

__all__ = [
    "FinetuneSettings",
    "MergeSettings",
    "PretrainSettings",
    "Trained",
    "TrainingExamples",
    "finetune",
    "merge",
    "pretrain",
    "read_examples",
]


__getattr__, __dir__ = lazy_exports(__name__, _MODULES)
