"""SQL of our own on a user's connection, past our own hooks."""

from __future__ import annotations

from typing import Any

import duckdb


def execute_raw(connection: duckdb.DuckDBPyConnection, sql: str, values: Any = None) -> list[tuple[Any, ...]]:
    """Run one statement that is not planned, watched or reported, and return its rows.

    Args:
        connection: a connection of ours, or a plain one.
        sql: the statement.
        values: its parameters' values, as DuckDB's `execute` takes them.

    Raises:
        duckdb.Error: it cannot be run.
    """
    result = duckdb.DuckDBPyConnection.execute(connection, sql, values)
    return duckdb.DuckDBPyConnection.fetchall(result)
