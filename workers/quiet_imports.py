"""Imports of packages that warn of what does not concern our users."""

from __future__ import annotations

import warnings
from importlib import import_module


def import_tqdm() -> None:
    """Import tqdm before transformers does: in a notebook it advises to install ipywidgets, for bars that we hide."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")
        import_module("tqdm.auto")
