"""Empty DuckDB instances of our own, with nothing in reach: the user's instance cannot be locked for one statement."""

from __future__ import annotations

from functools import lru_cache

import duckdb

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "threads": 1,
    "memory_limit": "512MB",
    "arrow_lossless_conversion": True,  # Set here, because it cannot be once the configuration is locked.
}


def sandboxed_duckdb() -> duckdb.DuckDBPyConnection:
    """Return a new in-memory instance without files, network and extensions; these settings cannot be changed."""
    instance = duckdb.connect(":memory:", config=CONFIG)
    # A name that is no table must not become a variable of ours.
    instance.execute("SET python_enable_replacements = false")
    return instance


@lru_cache(maxsize=1)
def _shared() -> duckdb.DuckDBPyConnection:
    instance = sandboxed_duckdb()
    instance.execute("SET lock_configuration = true")
    return instance


def query(sql: str, values: object = None) -> list[tuple[object, ...]]:
    """Run one statement of ours in the shared empty instance and return its rows; safe in any thread."""
    with _shared().cursor() as cursor:
        return cursor.execute(sql, values).fetchall()


def parser_error(sql: str) -> str | None:
    """Return what DuckDB's parser says against a text, or None where it is SQL.

    Raises:
        duckdb.OutOfMemoryException: to parse it takes more than may be taken.
    """
    with _shared().cursor() as cursor:
        try:
            cursor.extract_statements(sql)
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            return str(error)
    return None
