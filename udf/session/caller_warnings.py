"""Warnings that point at the user's own line, not at a line inside quackllm or DuckDB."""

from __future__ import annotations

import sys
import warnings

# Top-level modules between the user's line and the warning: their stack frames are skipped.
INTERNAL_MODULES = frozenset({"quackllm", "duckdb", "_duckdb", "contextlib", "functools"})


def warn_at_caller(message: str, category: type[Warning]) -> None:
    """Issue a warning for the nearest line outside quackllm and DuckDB; Python's filters show it once for each line."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in INTERNAL_MODULES:
        frame = frame.f_back
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    module = frame.f_globals.get("__name__")
    warnings.warn_explicit(message, category, frame.f_code.co_filename, frame.f_lineno, module, registry)
