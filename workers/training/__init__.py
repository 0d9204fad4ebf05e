"""From chat-form data to weights: `finetune`, `pretrain` and `merge`, each with its settings.

A name is loaded when it is first used: importing this loads no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .examples import Examples, read_examples
    from .finetuning import finetune
    from .merging import merge
    from .output import Trained
    from .pretraining import pretrain
    from .settings import FinetuneSettings, MergeSettings, PretrainSettings

_HOMES = {
    "Examples": "examples",
    "read_examples": "examples",
    "finetune": "finetuning",
    "merge": "merging",
    "Trained": "output",
    "pretrain": "pretraining",
    "FinetuneSettings": "settings",
    "MergeSettings": "settings",
    "PretrainSettings": "settings",
}

__all__ = [
    "Examples",
    "FinetuneSettings",
    "MergeSettings",
    "PretrainSettings",
    "Trained",
    "finetune",
    "merge",
    "pretrain",
    "read_examples",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'quackllm.workers.training' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
