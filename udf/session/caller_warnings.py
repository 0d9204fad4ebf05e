"""Warnings that point at the user's line, however deep in quackllm and DuckDB they are raised."""

from __future__ import annotations

import sys
import warnings

# The top-level modules whose frames are skipped: they run between the user's line and a warning.
INTERNAL_MODULES = frozenset({"quackllm", "duckdb", "_duckdb", "contextlib", "functools"})


def warn_at_caller(message: str, category: type[Warning]) -> None:
    """Warn at the nearest line outside of quackllm and DuckDB; Python's filters show it once for that line."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in INTERNAL_MODULES:
        frame = frame.f_back
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    module = frame.f_globals.get("__name__")
    warnings.warn_explicit(message, category, frame.f_code.co_filename, frame.f_lineno, module, registry)
