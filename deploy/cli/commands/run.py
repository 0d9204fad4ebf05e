"""`quackllm run`: a batch of SQL, from files to a file, with its progress in a log and an exit code."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Annotated

import duckdb
import typer
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.tokenizer_core import TokenType

from ....udf.connection import Connection, connect
from ....udf.session.progress_log import log_line
from ....udf.session.statement import FailedRowsWarning
from ....workers.atomic_files import atomic_write
from ....workers.errors import RequestError
from ....workers.sql_text import quote_literal
from ...console import stdout
from ..cluster_option import resolve_cluster
from ..options import Cluster, DefaultModel
from .sql import sql_errors

ROWS_FAILED = 3
"""The exit code of a job that is finished, and some of whose rows got no whole answer."""
FETCHED = 100_000


@dataclass(frozen=True, slots=True)
class BatchJob:
    """What is to be done: statements, the last of which may be written to a file."""

    sql: str
    source: str | None
    target: str | None
    database: str
    model: str | None
    cluster: str | None


def run(
    script: Annotated[Path | None, typer.Argument(help="A file of SQL statements.")] = None,
    sql: Annotated[str | None, typer.Option(help="The statements themselves.")] = None,
    source: Annotated[
        str | None, typer.Option("--in", help="A file, or a pattern of files, that SQL calls `input`.")
    ] = None,
    target: Annotated[str | None, typer.Option("--out", help="Where the rows of the last SELECT go.")] = None,
    blocks: Annotated[
        int | None, typer.Option(min=1, help="Split --in, Parquet, into so many parts over the cluster.")
    ] = None,
    database: Annotated[str, typer.Option(help="A DuckDB file to work in.")] = ":memory:",
    model: DefaultModel = None,
    cluster: Cluster = None,
) -> None:
    """Run a batch of SQL: a script, or one SELECT from a file to a file, on any path that DuckDB reads.

    A script; a SELECT over files, whose rows are written to another:

        quackllm run nightly.sql
        quackllm run --in 'reviews/*.parquet' --out answers.parquet \\
          --sql "SELECT id, llm_result(qianwen_chat(body)) AS answer FROM input"

    As a job of a Ray cluster, over which --blocks spreads more rows than one DuckDB should hold:

        ray job submit -- quackllm run nightly.sql
        ray job submit -- quackllm run --blocks 16 --in ... --out ... --sql ...

    Stopped and typed again, it pays only for what was not answered yet. The file takes its name when it is complete.

    Exit codes: 0; 1 when it failed; 3 when it is finished and some rows got no whole answer.
    """
    batch = BatchJob(_statements(script, sql), source, target, database, model, resolve_cluster(cluster))
    started, failures = monotonic(), list[str]()
    with _noted(failures):
        if blocks:
            from ...batch.ray_blocks import run_in_blocks

            rows = run_in_blocks(batch, blocks, failures)
        else:
            rows = _run_here(batch)
    for failure in failures:
        log_line(failure)
    stdout.print(_closing_words(batch, rows, monotonic() - started), highlight=False, markup=False, soft_wrap=True)
    if failures:
        raise typer.Exit(ROWS_FAILED)


def _statements(script: Path | None, sql: str | None) -> str:
    if (script is None) == (sql is None):
        raise RequestError("say what to run: a file of SQL, or --sql", hint="type: quackllm run nightly.sql")
    if script is None:
        return sql or ""
    if not script.is_file():
        raise RequestError(f"there is no file {script}", hint="a Ray job's files come with: --working-dir .")
    return script.read_text("utf-8")


@contextlib.contextmanager
def _noted(failures: list[str]) -> Iterator[None]:
    """Collect what the statements warn about."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", FailedRowsWarning)
        yield
    for warning in seen:
        if issubclass(warning.category, FailedRowsWarning):
            failures.append(str(warning.message))
        else:
            warnings.showwarning(warning.message, warning.category, warning.filename, warning.lineno)


def _run_here(batch: BatchJob) -> int:
    """Run all statements in this process; return the rows of the last one."""
    rows = 0
    with open_batch(batch) as connection:
        if batch.source:
            make_input(connection, f"FROM {quote_literal(parquet_glob(batch.source))}")
        statements = _parsed(connection, batch.sql)
        for number, statement in enumerate(statements, 1):
            kind = statement.type.name.replace("_", " ")
            began, what = monotonic(), f"statement {number} of {len(statements)}, {kind}"
            with sql_errors(what):
                if batch.target and number == len(statements):
                    rows = write_result(connection, statement.query, batch.target)
                else:
                    rows = _executed(connection, statement)
            log_line(f"{what}: {rows:,} rows in {monotonic() - began:,.1f} s")
    return rows


def open_batch(batch: BatchJob) -> Connection:
    """Return the batch's connection, which says in plain lines how far it is where no terminal shows it."""
    connection = connect(batch.database, model=batch.model, cluster=batch.cluster)
    if not sys.stderr.isatty():
        connection.execute("SET VARIABLE llm_progress = 'log'")
    return connection


def make_input(connection: Connection, select: str) -> None:
    """Let the statements call these rows `input`.

    Raises:
        RequestError: they cannot be read.
    """
    try:
        connection.execute(f"CREATE OR REPLACE TEMP VIEW input AS {select}")
    except duckdb.Error as error:
        raise RequestError(f"--in cannot be read: {error}") from error


def _parsed(connection: Connection, sql: str) -> list[duckdb.Statement]:
    try:
        statements: list[duckdb.Statement] = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise RequestError(str(error)) from error
    if not statements:
        raise RequestError("there is no statement to run")
    return statements


def _executed(connection: Connection, statement: duckdb.Statement) -> int:
    """Run a statement, and return how many rows it gave or wrote."""
    connection.execute(statement)
    names = [column[0] for column in connection.description or []]
    rows = 0
    while part := connection.fetchmany(FETCHED) if names else []:
        rows += part[0][0] if names == ["Count"] else len(part)
    return rows


def write_result(connection: Connection, select: str, target: str) -> int:
    """Write the rows of a SELECT to a file, which takes its name when it is complete; return how many they are.

    Raises:
        duckdb.Error: they cannot be computed or written; a file that was there before is as it was.
    """
    inner = _bare(select)
    if "://" in target:  # An object store shows what is written when it is complete.
        return _copied(connection, inner, target)
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as draft:
        return _copied(connection, inner, str(draft))


def _bare(statement: str) -> str:
    """Return a statement without what stands behind its last word: semicolons and comments."""
    words = [token for token in DuckDB().tokenize(statement) if token.token_type is not TokenType.SEMICOLON]
    return statement[: words[-1].end + 1]


def _copied(connection: Connection, select: str, target: str) -> int:
    found = connection.execute(f"COPY (\n{select}\n) TO {quote_literal(target)}").fetchone()
    return int(found[0]) if found else 0


def parquet_glob(source: str) -> str:
    """Return what DuckDB reads: of a folder all the Parquet files in it."""
    return str(Path(source) / "**" / "*.parquet") if "://" not in source and Path(source).is_dir() else source


def _closing_words(batch: BatchJob, rows: int, seconds: float) -> str:
    took = f"{rows:,} rows in {seconds:,.1f} s"
    return f"{batch.target}: {took}" if batch.target else f"done: {took}"
