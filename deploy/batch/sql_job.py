"""A batch of SQL: statements over files, the rows of the last of which may be written to a file."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Literal

import duckdb
from sqlglot import TokenType
from sqlglot.dialects.duckdb import DuckDB

from ...udf.connection import Connection, connect, use_batches
from ...udf.open_errors import open_error
from ...udf.session.progress_log import log_line
from ...udf.settings import load_settings
from ...workers.atomic_files import atomic_write
from ...workers.errors import RequestError
from ...workers.sql_text import quote_literal
from ..sql_errors import sql_errors
from ..terminal_output import pluralize

FETCH_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class BatchJob:
    """What to run.

    Args:
        sql: statements; the last one's rows are written to `target`.
        source: a file, or a pattern of files, that the statements read as the table `input`.
        target: the file of the result; None: the rows are counted only.
        database: the DuckDB file to work in, or ':memory:'.
        model: the default model.
        cluster: the Ray cluster that has the models; None: this process.
        read_only: open the database for reading only.
        batch: send calls through the services' batch APIs, and 'wait' for the answers, or 'send' them and stop; None:
            call the services at once.
    """

    sql: str
    source: str | None
    target: str | None
    database: str
    model: str | None
    cluster: str | None
    read_only: bool = False
    batch: Literal["wait", "send"] | None = None


def run_job(job: BatchJob) -> int:
    """Run all statements in this process; return the row count of the last one.

    Raises:
        RequestError: there is no statement, or `source` cannot be read.
        SetupError: DuckDB refused a statement; the message names it.
    """
    rows = 0
    with open_connection(job) as connection:
        if job.source:
            create_input(connection, f"FROM {quote_literal(parquet_glob(job.source))}")
        statements = _parse(connection, job.sql)
        for number, statement in enumerate(statements, 1):
            started = monotonic()
            label = f"statement {number} of {len(statements)}, {statement.type.name.replace('_', ' ')}"
            with sql_errors(label):
                if job.target and number == len(statements):
                    rows = write_result(connection, statement.query, job.target)
                else:
                    rows = _execute(connection, statement)
            log_line(f"{label}: {pluralize(rows, 'row')} in {monotonic() - started:,.1f} s")
    return rows


def open_connection(job: BatchJob) -> Connection:
    """Return the job's connection; without a terminal, its progress is logged line by line.

    Raises:
        SetupError: the database cannot be opened.
    """
    try:
        connection = connect(job.database, model=job.model, cluster=job.cluster, read_only=job.read_only)
    except duckdb.Error as error:
        raise open_error(job.database, error, ": --read-only") from error
    if not sys.stderr.isatty():
        connection.execute("SET VARIABLE llm_progress = 'log'")
    elif load_settings().llm_progress == "auto":
        connection.execute("SET VARIABLE llm_progress = 'on'")  # What a statement has cost, be it nothing.
    if job.batch:
        use_batches(connection, log_line, wait=job.batch == "wait")
    return connection


def create_input(connection: Connection, select: str) -> None:
    """Create the view `input` over a SELECT.

    Raises:
        RequestError: DuckDB cannot read the rows.
    """
    try:
        connection.execute(f"CREATE OR REPLACE TEMP VIEW input AS {select}")
    except duckdb.Error as error:
        raise RequestError(f"--in cannot be read: {error}") from error


def _parse(connection: Connection, sql: str) -> list[duckdb.Statement]:
    try:
        statements: list[duckdb.Statement] = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise RequestError(str(error)) from error
    if not statements:
        raise RequestError("there is no statement to run")
    return statements


def _execute(connection: Connection, statement: duckdb.Statement) -> int:
    """Run a statement; return how many rows it returned or wrote."""
    connection.execute(statement)
    names = [column[0] for column in connection.description or []]
    rows = 0
    while batch := connection.fetchmany(FETCH_ROWS) if names else []:
        rows += batch[0][0] if names == ["Count"] else len(batch)
    return rows


def write_result(connection: Connection, select: str, target: str) -> int:
    """Write the rows of a SELECT to a file; return how many there are.

    Args:
        connection: runs the SELECT.
        select: one SELECT statement.
        target: a path or URL that DuckDB's COPY can write. A local file gets its name only when it is complete.

    Raises:
        duckdb.Error: the rows cannot be computed or written; an existing file is unchanged.
    """
    query = _without_semicolon(select)
    if "://" in target:  # An object store shows a file only when it is complete.
        return _copy(connection, query, target)
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as draft:
        return _copy(connection, query, str(draft))


def _without_semicolon(statement: str) -> str:
    """Return a statement up to its last token, without semicolons and comments behind it."""
    tokens = [token for token in DuckDB().tokenize(statement) if token.token_type is not TokenType.SEMICOLON]
    return statement[: tokens[-1].end + 1]


def _copy(connection: Connection, select: str, target: str) -> int:
    row = connection.execute(f"COPY (\n{select}\n) TO {quote_literal(target)}").fetchone()
    return int(row[0]) if row else 0


def parquet_glob(source: str) -> str:
    """Return a pattern that DuckDB reads: for a folder, all Parquet files below it."""
    return str(Path(source) / "**" / "*.parquet") if "://" not in source and Path(source).is_dir() else source
