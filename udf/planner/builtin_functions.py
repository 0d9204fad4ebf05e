"""DuckDB's own functions, read once: `duckdb_functions()` costs 13 ms, more than a small statement."""

from __future__ import annotations

import threading

import duckdb

from ..raw_sql import execute_raw

FUNCTIONS = "SELECT DISTINCT function_name, function_type, stability FROM duckdb_functions() WHERE internal"

MANY_ROWS = frozenset({"unnest"})
"""Written like a function of a row; it makes several rows of one."""


class _Catalog:
    """The types and stabilities of the functions of DuckDB itself and of its extensions, by name."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.types: dict[str, set[str]] = {}
        self.volatile: frozenset[str] = frozenset()
        self.scalars: frozenset[str] = frozenset()

    def read(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Read what the connection's instance has, beside what was read before."""
        rows = execute_raw(connection, FUNCTIONS)
        with self.lock:
            for name, kind, _ in rows:
                self.types.setdefault(name, set()).add(kind)
            self.volatile |= {name for name, _, stability in rows if stability == "VOLATILE"}
            scalars = (name for name, kinds in self.types.items() if "scalar" in kinds and "aggregate" not in kinds)
            self.scalars = frozenset(scalars) - MANY_ROWS


_CATALOG = _Catalog()


def scalar_functions(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Return the names of the functions that give one value for each row, whatever the other rows are."""
    return _read(connection).scalars


def volatile_functions(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Return the names of the functions that give another value each time."""
    return _read(connection).volatile


def _read(connection: duckdb.DuckDBPyConnection) -> _Catalog:
    if not _CATALOG.types:
        _CATALOG.read(connection)
    return _CATALOG
