"""From chat-form data to weights: `finetune`, `pretrain` and `merge`, each with its settings.

A name is loaded when it is first used: importing this loads no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data.chat_examples import Examples, read_examples
    from .finetune import finetune
    from .merge import merge
    from .pretrain import pretrain
    from .run_folder import Trained
    from .settings import FinetuneSettings, MergeSettings, PretrainSettings

_HOMES = {
    "Examples": "data.chat_examples",
    "read_examples": "data.chat_examples",
    "finetune": "finetune",
    "merge": "merge",
    "Trained": "run_folder",
    "pretrain": "pretrain",
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
