"""DuckDB's own functions, read once: `duckdb_functions()` costs 12 ms, more than a small statement."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import duckdb

from ..raw_sql import execute_raw

FUNCTIONS = "SELECT DISTINCT function_name, function_type, stability FROM duckdb_functions() WHERE internal"
KEYWORDS = "SELECT keyword_name FROM duckdb_keywords()"
SET_RETURNING = frozenset({"unnest"})
"""Written like a function of a row; it makes several rows of one."""


@dataclass(frozen=True)
class BuiltinFunctions:
    """The functions of DuckDB itself, by name.

    Args:
        names: all of them, with the words that may stand before a parenthesis.
        volatile: those that give another value each time.
        scalars: those that give one value for each row, whatever the other rows are.
    """

    names: frozenset[str]
    volatile: frozenset[str]
    scalars: frozenset[str]


_READING = threading.Lock()
_FOUND: list[BuiltinFunctions] = []


def builtin_functions(connection: duckdb.DuckDBPyConnection) -> BuiltinFunctions:
    """Return what this process's DuckDB has; what an extension adds later is none of it."""
    with _READING:
        if not _FOUND:
            rows = execute_raw(connection, FUNCTIONS)
            keywords = {name for (name,) in execute_raw(connection, KEYWORDS)}
            volatile = frozenset(name for name, _, stability in rows if stability == "VOLATILE")
            aggregates = {name for name, function_type, _ in rows if function_type == "aggregate"}
            scalars = (
                {name for name, function_type, _ in rows if function_type == "scalar"} - aggregates - SET_RETURNING
            )
            names = frozenset(keywords.union(name for name, _, _ in rows))
            _FOUND.append(BuiltinFunctions(names, volatile, frozenset(scalars)))
        return _FOUND[0]
