"""Prepares SQL for the user's own process, where `ask` runs it: bounds it, and first runs it on an empty copy.

In that process there is no limit but a watchdog, whose interrupt DuckDB checks between two chunks of rows. SQL that
takes too much even without any of the user's rows is found in the sandbox first.
"""

from __future__ import annotations

from functools import lru_cache

import duckdb

from ....workers.binder import bind_error, binder_for
from ....workers.database_schema import Schema
from ....workers.errors import GuardError, SandboxLimitError, Text2SQLError
from ....workers.sandbox import SandboxLimits, interruptible
from .bounded_sql import MAX_VALUE, bounded
from .check_answer import MAX_CACHED, SANDBOX, bare_schema, shared_schema
from .constant_expressions import largest_constant
from .guard import checked_statement
from .sql_tree import to_sql

# Limits for planning in the user's process, where nothing can stop it.
LIMITS = SandboxLimits(megabytes=256, seconds=2.0)
# Limits for running without rows; what an interrupt can stop may take longer in the user's process.
EMPTY_LIMITS = SandboxLimits(megabytes=512, seconds=2.0)
FETCHED_ROWS = 1000


def bounded_ask_query(sql: str, schema: Schema, max_rows: int) -> str:
    """Return the SELECT that `ask` runs: the SQL with a bound for each row's values, and a limit on the rows.

    Raises:
        GuardError: it takes too much even without rows, or it cannot be bounded or stopped.
    """
    return _bounded_ask_query(sql, shared_schema(bare_schema(schema)), max_rows)


@lru_cache(maxsize=MAX_CACHED)
def _bounded_ask_query(sql: str, names: Schema, max_rows: int) -> str:
    try:
        query = SANDBOX.call(bounded_query, sql, names, limits=LIMITS)
    except SandboxLimitError as error:
        raise GuardError(f"ask cannot run it: {error.message}") from error
    query = f"SELECT * FROM ({query}\n) AS answer LIMIT {max_rows}"
    try:
        SANDBOX.call(run_empty, query, names, limits=EMPTY_LIMITS)
    except SandboxLimitError as error:
        if error.limit != "time" or not error.stopped:
            raise GuardError(f"ask cannot run it: without a single row {error.message}") from error
    return query


def bounded_query(sql: str, schema: Schema) -> str:
    """Return checked SQL in the form that may run in the user's process, and its column names; runs in a child process.

    Raises:
        GuardError: one of its functions cannot be bounded.
        Text2SQLError: DuckDB refuses it.
    """
    sql, tree = checked_statement(sql, schema)
    if sql.lstrip().lower().startswith("pivot"):
        raise GuardError("ask cannot run a PIVOT that names no values", hint="PIVOT … ON year IN (2024, 2025) …")
    written, is_new = bounded(tree)
    with binder_for(schema).cursor() as cursor, interruptible(cursor.interrupt):
        if (size := largest_constant(cursor, tree)) > MAX_VALUE:
            raise GuardError(f"ask cannot run it: it repeats a constant of {size:,} bytes for each row")
        if not is_new:
            return sql
        if refused := bind_error(cursor, sql):
            raise Text2SQLError(f"the SQL does not fit the schema: {refused.message}")
        columns = cursor.sql(f"SELECT * FROM ({sql}\n) AS answer").columns
        names = ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
        query = f"SELECT * FROM ({to_sql(written).rstrip('; ')}\n) AS answer({names})"
        if unbound := bind_error(cursor, query):
            raise GuardError(f"ask cannot run it: its values cannot be bounded: {unbound.message}")
    return query


def run_empty(query: str, schema: Schema) -> None:
    """Run a query on an empty copy of its schema, and discard the result; runs in a child process."""
    with binder_for(schema).cursor() as cursor, interruptible(cursor.interrupt):
        try:
            cursor.execute(query)
            while cursor.fetchmany(FETCHED_ROWS):
                pass
        except (duckdb.OutOfMemoryException, duckdb.InterruptException):
            raise
        except duckdb.Error:
            return  # For example a cast that fails: the query itself will report it.
