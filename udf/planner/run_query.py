"""Runs generated SQL under caps on a second connection, to check its rows. The user's transaction is not touched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ...workers.database_schema import Schema
from ...workers.errors import GuardError
from ..raw_sql import execute_raw
from ..session.statement_watchdog import Watchdog
from ..text2sql.checks.own_process import bounded_ask_query
from ..text2sql.confidence.query_rows import QueryRows, rows_of

# The watchdog looks every 10 ms, and DuckDB fills some 50 MB in that time: the process stays below 300 MB of growth.
MAX_ROWS, SECONDS, MEGABYTES = 1_000, 2.0, 192
FILES = "SELECT path FROM duckdb_databases() WHERE NOT internal AND type = 'duckdb' AND path IS NOT NULL"


@dataclass(frozen=True, slots=True)
class QueryRunner:
    """Runs SQL that passed the guard, on a connection of its own.

    Args:
        open_cursor: opens the connection; None: the caller's connection is closed.
        schema: of the caller's database.
    """

    open_cursor: Callable[[], duckdb.DuckDBPyConnection | None]
    schema: Schema

    def __call__(self, sql: str) -> QueryRows | None:
        """Return the first rows; None if it may not run here, or takes too long to say anything."""
        try:
            query = bounded_ask_query(sql, self.schema, MAX_ROWS + 1)
            cursor = self.open_cursor()
        except (GuardError, duckdb.Error):
            return None
        if cursor is None:
            return None
        watchdog = Watchdog(lambda error: cursor.interrupt(), SECONDS)
        watchdog.limit_memory(MEGABYTES)
        try:
            return rows_of(duckdb.DuckDBPyConnection.execute(cursor, query).fetchmany(MAX_ROWS + 1), MAX_ROWS)
        except (
            duckdb.InterruptException,
            duckdb.OutOfMemoryException,
            duckdb.CatalogException,
            duckdb.BinderException,
        ):
            return None  # Too slow, or about a table that only the caller's connection sees.
        except duckdb.Error as error:
            return QueryRows(error=str(error))
        finally:
            watchdog.end()
            cursor.close()


def database_files(connection: duckdb.DuckDBPyConnection) -> tuple[Path, ...]:
    """Return the files of the connection's databases; notes and examples stand beside them."""
    return tuple(Path(str(path)) for (path,) in execute_raw(connection, FILES) if path and "://" not in path)
