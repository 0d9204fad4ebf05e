"""The database that a command opens: a DuckDB file, a sample database, or an empty one in memory."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ...udf.connection import Connection, connect
from ...udf.open_errors import open_error
from ...udf.session.statement import FailedRowsWarning
from ...udf.settings import load_settings
from ...workers.errors import RequestError, SetupError, did_you_mean

MEMORY = ":memory:"
# What `:sample` opens; `:NAME` opens another sample database.
SAMPLE = "concert_singer"


@contextmanager
def open_database(
    database: str | None, *, model: str | None = None, cluster: str | None = None, read_only: bool = False
) -> Iterator[Connection]:
    """Open a database for a command, and close it afterwards.

    Args:
        database: a DuckDB file; `:sample`, or `:NAME` for another sample database; None: an empty one in memory.
        model: the default model.
        cluster: the Ray cluster that has the models; None: this process.
        read_only: open the file for reading only; it must exist.

    Raises:
        SetupError: DuckDB cannot open it.
        RequestError: there is no sample database of that name.
    """
    name = database or MEMORY
    sample = name.removeprefix(":") if name.startswith(":") and name != MEMORY else None
    path = MEMORY if sample else name
    read_only = read_only and path != MEMORY
    if read_only and not Path(path).is_file():
        raise SetupError(f"there is no database {path}", hint="name a DuckDB file, or :sample to try things on")
    try:
        connection = connect(path, model=model, cluster=cluster, read_only=read_only)
    except duckdb.Error as error:
        raise open_error(path, error, ": --read-only") from error
    warnings.simplefilter("always", FailedRowsWarning)  # For each statement, not only for the first.
    try:
        connection.execute("SET arrow_lossless_conversion = true")  # Printed values keep DuckDB's own types.
        if sample:
            _fill(connection, sample)
        if sys.stderr.isatty() and load_settings().llm_progress == "auto":
            connection.execute("SET VARIABLE llm_progress = 'on'")  # What a statement has cost, be it nothing.
        yield connection
    finally:
        connection.close()


def _fill(connection: Connection, sample: str) -> None:
    from ...udf.text2sql.evaluation.datasets import list_databases, open_database

    name = SAMPLE if sample == "sample" else sample
    if name not in list_databases():
        raise RequestError(f"the sample has no database {name!r}", hint=did_you_mean(name, list_databases()))
    open_database(connection, name)
