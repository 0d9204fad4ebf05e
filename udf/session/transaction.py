"""A transaction around a planned statement, so that its dry runs and the statement itself see the same data."""

from __future__ import annotations

import contextlib

import duckdb


class ImplicitTransaction:
    """Open from a statement's first dry run until all its rows are read, or the next statement starts."""

    def __init__(self) -> None:
        self._open = False
        self._count_is_pending = False

    def begin(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Open the transaction."""
        # Ctrl-C may come between any two lines. Set the flag first: rolling back a transaction that was never
        # opened is harmless, leaving one open is not.
        self._open = True
        duckdb.DuckDBPyConnection.execute(connection, "BEGIN TRANSACTION")

    def commit(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Commit the transaction, if it is open. The statement's result (a row count) can still be fetched after it.

        Raises:
            duckdb.Error: the commit fails.
        """
        if self._open:
            existing = duckdb.DuckDBPyConnection.description.__get__(connection)
            result = duckdb.DuckDBPyConnection.fetchall(connection) if existing else []
            duckdb.DuckDBPyConnection.execute(connection, "COMMIT")
            self._open = False
            if existing and result:
                names = ", ".join(f'"{name}"' for name, *_ in existing)
                rows = ", ".join(["(" + ", ".join("?" * len(existing)) + ")"] * len(result))
                values = [value for row in result for value in row]
                duckdb.DuckDBPyConnection.execute(connection, f"FROM (VALUES {rows}) AS t({names})", values)
                self._count_is_pending = True

    def release_count(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Drop a row count that nobody has fetched: to DuckDB it is an unfinished result, which would block `sql()`."""
        if self._count_is_pending:
            self._count_is_pending = False
            duckdb.DuckDBPyConnection.complete(connection)

    def rollback(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Roll the transaction back, if it is open."""
        if self._open:
            with contextlib.suppress(duckdb.TransactionException):  # A failed commit has rolled it back already.
                duckdb.DuckDBPyConnection.execute(connection, "ROLLBACK")
            self._open = False
