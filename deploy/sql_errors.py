"""DuckDB's errors as ours: with the statement that failed, and what to type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..workers.errors import SetupError

UNKNOWN_FUNCTION = re.compile(r"Function with name \"?(\w+)\"? does not exist")


@contextmanager
def sql_errors(label: str) -> Iterator[None]:
    """Raise DuckDB's errors as `SetupError`, prefixed with a label such as 'statement 2, line 3'; '' for none."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise SetupError(f"{label}: {error}" if label else str(error), hint=_hint(error)) from error


def _hint(error: Exception) -> str:
    """Return what to type when a function is unknown: it may be a model that is deployed elsewhere, or not yet."""
    if match := UNKNOWN_FUNCTION.search(str(error)):
        return f"if {match[1]} is a model:  quackllm list   shows those of this machine, with --cluster a cluster's"
    return ""
