"""A DuckDB file, opened read-only, without access to anything else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from time import monotonic, sleep

import duckdb

from ....udf.text2sql.schema.catalog import read_catalog
from ....udf.value_text import json_rows, run_select
from ....workers.binder import bind_error
from ....workers.database_schema import Schema
from ....workers.errors import DatabaseError
from ....workers.sandbox import interruptible
from ....workers.sandbox.locked_duckdb import CONFIG
from .database import STATEMENT_SECONDS, Rows

LOCKED = "Could not set lock"
LOCK_SECONDS, LOCK_POLL_SECONDS = 5.0, 0.05  # How long to wait for another process's lock, and how often to try.


class DuckDBFile:
    """A DuckDB file. It is opened for each statement, because an open file would lock out every writer.

    Args:
        path: of the file.
    """

    product = "DuckDB"
    dialect = "duckdb"

    def __init__(self, path: Path) -> None:
        self.path = path

    def read_schema(self) -> Schema:
        """See `Database`."""
        with self._open() as connection:
            return read_catalog(connection)

    def explain(self, sql: str) -> str | None:
        """See `Database`."""
        with self._open() as connection:
            refused = bind_error(connection, sql)
            return refused.message if refused else None

    def run(self, sql: str, max_rows: int) -> Rows:
        """See `Database`."""
        with self._open() as connection:
            found = run_select(connection, sql, max_rows + 1)
            rows = tuple(f"[{', '.join(row)}]" for row in json_rows(found.slice(0, max_rows)))
            return Rows(tuple(found.column_names), rows, found.num_rows > max_rows)

    def close(self) -> None:
        """See `Database`; nothing stays open."""

    @contextmanager
    def _open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            with self._connect() as connection:
                connection.execute("SET python_enable_replacements = false; SET lock_configuration = true")
                timer = Timer(STATEMENT_SECONDS, connection.interrupt)
                timer.start()
                try:
                    with interruptible(connection.interrupt):
                        yield connection
                finally:
                    timer.cancel()
        except duckdb.Error as error:
            raise DatabaseError(str(error)) from error

    def _connect(self) -> duckdb.DuckDBPyConnection:
        """Open the file; while another process writes to it, wait for a moment."""
        deadline = monotonic() + LOCK_SECONDS
        while True:
            try:
                return duckdb.connect(self.path, read_only=True, config=CONFIG)
            except duckdb.IOException as error:
                if LOCKED not in str(error):
                    raise
                if monotonic() > deadline:
                    raise DatabaseError(f"another process has been writing to {self.path.name}: {error}") from error
            sleep(LOCK_POLL_SECONDS)
