"""A transaction of our own around a planned statement: its rehearsals and itself see the same data."""

from __future__ import annotations

import contextlib

import duckdb


class ImplicitTransaction:
    """Open from a statement's rehearsal until it is read to its end, or the next statement begins."""

    def __init__(self) -> None:
        self._open = False

    def begin(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Open it."""
        # Ctrl-C may come between any two lines: rather a transaction that is not there is undone than one left open.
        self._open = True
        duckdb.DuckDBPyConnection.execute(connection, "BEGIN TRANSACTION")

    def commit(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Keep what was written in it, if it is open; the statement's result, how much that was, stays to be read.

        Raises:
            duckdb.Error: that cannot be kept.
        """
        if self._open:
            there = duckdb.DuckDBPyConnection.description.__get__(connection)
            result = duckdb.DuckDBPyConnection.fetchall(connection) if there else []
            duckdb.DuckDBPyConnection.execute(connection, "COMMIT")
            self._open = False
            if there and result:
                names = ", ".join(f'"{name}"' for name, *_ in there)
                rows = ", ".join(["(" + ", ".join("?" * len(there)) + ")"] * len(result))
                values = [value for row in result for value in row]
                duckdb.DuckDBPyConnection.execute(connection, f"FROM (VALUES {rows}) AS t({names})", values)

    def rollback(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Undo what was written in it, if it is open; of a statement that only read, just close it."""
        if self._open:
            with contextlib.suppress(duckdb.TransactionException):  # A failed commit has undone it already.
                duckdb.DuckDBPyConnection.execute(connection, "ROLLBACK")
            self._open = False
