"""What the sandbox's child processes run: the SQL of questions and answers, on databases that they open read-only."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import astuple
from functools import lru_cache
from typing import Any

import duckdb

from ....workers.binder import ReusedBinder, bind_error
from ....workers.database_schema import Schema
from ....workers.errors import GuardError
from ....workers.sandbox import Sandbox, interruptible
from ....workers.sandbox.locked_duckdb import CONFIG, parser_error
from ....workers.sandbox.pool import PROCESSES
from ..checks.guard import check_sql
from .databases import open_source
from .scoring import RIGHT, WRONG, Rows, judge_rows, run

Error = tuple[str, str]  # Its kind and its message.
Judgement = tuple[str, str, "tuple[Any, ...] | None"]


def each(function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return what one of the functions below returns for each job: one call of the sandbox for many queries."""
    return [function(*job) for job in jobs]


def reference_error(path: str, sql: str, seconds: float) -> Error | None:
    """Return why the reference SQL does not run; None if it does."""
    rows, why = _reference_rows(path, _version(path), sql, seconds)
    return None if rows is not None else ("run", why)


def judge_answer(path: str, reference: str, sql: str, ordered: bool, seconds: float) -> Judgement:
    """Return the outcome of an answer, the error if it failed, and the fields of the `Difference` of wrong rows."""
    right, _ = _reference_rows(path, _version(path), reference, seconds)
    with _opened(path) as connection:
        outcome, why, difference = judge_rows(connection, right, sql, ordered, seconds)
    return outcome, why, astuple(difference) if difference else None


def judge_text(reference: str, sql: str, schema: Schema) -> Judgement:
    """Return the outcome of an answer that has no rows: whether it is equivalent to the reference SQL."""
    from ..confidence.sql_equivalence import (
        equivalent_sql,  # Imported late: a child needs it only if there are no rows.
    )

    return RIGHT if equivalent_sql(reference, sql, schema) else WRONG, "", None


def unbound(sql: str, schema: Schema) -> Error | None:
    """Return why SQL does not bind on a schema without rows."""
    error = _binder().bind(sql, schema)
    return (error.kind, error.message) if error else None


def check_example(path: str | None, sql: str, schema: Schema, bindable: bool, seconds: float) -> tuple[str, Any]:
    """Check the SQL of a training example: parse, guard and bind it, and run it if its database has rows.

    Args:
        path: the database; None: there is only a schema.
        sql: of the example.
        schema: names and types.
        bindable: whether an empty copy of the schema can be made.
        seconds: how long it may run.

    Returns:
        The SQL after the guard, with its number of rows (None: it did not run); or '', with an error.
    """
    if message := parser_error(sql):
        return "", ("parser", message)
    try:
        sql = check_sql(sql, schema, strict=not bindable)
    except GuardError as error:
        return "", ("guard", error.message)
    if path is not None:
        return _run_example(path, sql, seconds)
    refused = unbound(sql, schema) if bindable else None
    return ("", refused) if refused else (sql, None)


def _run_example(path: str, sql: str, seconds: float) -> tuple[str, Any]:
    with _opened(path) as connection:
        with interruptible(connection.interrupt):
            refused = bind_error(connection, sql)
        if refused:
            return "", (refused.kind, refused.message)
        rows, why = run(connection, sql, seconds)
    return ("", ("run", why)) if rows is None else (sql, len(rows))


@lru_cache(maxsize=1)
def _binder() -> ReusedBinder:
    return ReusedBinder()


def warm_up() -> None:
    """Nothing but the imports of this module, which the first query would otherwise wait for."""


SANDBOX = Sandbox(warm_up, processes=min(PROCESSES, os.cpu_count() or 1))


@lru_cache(maxsize=64)
def _reference_rows(path: str, _version: tuple[int, int], sql: str, seconds: float) -> tuple[Rows | None, str]:
    with _opened(path) as connection:
        return run(connection, sql, seconds)


def _version(path: str) -> tuple[int, int]:
    """Return what changes when the file does."""
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size


def _opened(path: str) -> duckdb.DuckDBPyConnection:
    """Return a new connection. A file is opened each time, because an open file would lock out every writer."""
    return _locked(path) if os.path.isfile(path) else _filled(path).cursor()


@lru_cache(maxsize=4)
def _filled(folder: str) -> duckdb.DuckDBPyConnection:
    return _locked(folder)


def _locked(path: str) -> duckdb.DuckDBPyConnection:
    connection = open_source(path)
    for name, value in CONFIG.items():
        if name != "threads":  # Which of two equal rows is the first depends on it: figures stay as they were.
            connection.execute(f"SET {name} = '{value}'")
    return connection.execute("SET python_enable_replacements = false; SET lock_configuration = true")
