"""The database that a command works on: a DuckDB file, one of the sample's, or an empty one in memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ...udf.connection import Connection, connect
from ...udf.session.statement import FailedRowsWarning
from ...workers.errors import RequestError, SetupError, did_you_mean

MEMORY = ":memory:"
SAMPLE = "concert_singer"
"""What `:sample` opens; `:NAME` opens another of the sample's databases."""


@contextmanager
def open_database(
    database: str | None, *, model: str | None = None, cluster: str | None = None, read_only: bool = False
) -> Iterator[Connection]:
    """Open a database for a command, and close it afterwards.

    Args:
        database: a DuckDB file; `:sample`, or `:NAME` for another of the sample's; None: an empty one in memory.
        model, cluster: as for `connect`.
        read_only: the file is not changed; it must be there.

    Raises:
        SetupError: it cannot be opened.
    """
    named = database or MEMORY
    sample = named.removeprefix(":") if named.startswith(":") and named != MEMORY else None
    path = MEMORY if sample else named
    read_only = read_only and path != MEMORY
    if read_only and not Path(path).is_file():
        raise SetupError(f"there is no database {path}", hint="a DuckDB file, or :sample for one to try things on")
    try:
        connection = connect(path, model=model, cluster=cluster, read_only=read_only)
    except duckdb.Error as error:
        raise SetupError(f"{path} cannot be opened: {error}", hint=_hint(str(error))) from error
    warnings.simplefilter("always", FailedRowsWarning)  # Of each statement, not of the first one alone.
    try:
        connection.execute("SET arrow_lossless_conversion = true")  # What is shown keeps DuckDB's own types.
        if sample:
            _fill(connection, sample)
        yield connection
    finally:
        connection.close()


def _hint(error: str) -> str:
    if "lock" in error.lower():
        return "another program has it open; close that, or read a copy"
    return "is it a DuckDB file, and may you read it?"


def _fill(connection: Connection, sample: str) -> None:
    from ...udf.text2sql.evaluation.datasets import list_databases, open_database

    name = SAMPLE if sample == "sample" else sample
    if name not in list_databases():
        raise RequestError(f"the sample has no database {name!r}", hint=did_you_mean(name, list_databases()))
    open_database(connection, name)
