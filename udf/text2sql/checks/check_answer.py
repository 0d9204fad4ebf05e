"""Checks an answer's SQL in the sandbox: this process computes nothing of it."""

from __future__ import annotations

from functools import lru_cache

from ....workers.database_schema import Column, Schema, Table
from ....workers.errors import SandboxLimitError
from ....workers.messages import Failure
from ....workers.sandbox import Sandbox, SandboxLimits
from .verify import verify, verify_sql, warm_up

LIMITS = SandboxLimits(megabytes=512, seconds=5.0)
SANDBOX = Sandbox(warm_up)  # The sandbox for SQL and DDL that users or models wrote.
MAX_CACHED = 4096  # Results that are kept: a known question is not parsed and bound again.


class _UnfinishedError(Exception):
    """A check that exceeded a limit: it is not cached, because on a less busy machine it may end.

    Args:
        sql: as far as it was read.
        error: the limit.
    """

    def __init__(self, sql: str, error: SandboxLimitError) -> None:
        super().__init__(sql, error)
        self.sql, self.error = sql, error


def check_answer(
    output: str, schema: Schema, bindable: bool, limits: SandboxLimits = LIMITS
) -> tuple[str, Failure | None]:
    """Return the SQL of an answer that may run; or the SQL as written and its error. Nothing is run.

    Args:
        output: the model's answer.
        schema: the schema of the question.
        bindable: whether an empty copy of the schema can be made.
        limits: memory and time to parse and bind it and to compute its constants.
    """
    try:
        return _checked(output, shared_schema(bare_schema(schema)), bindable, limits)
    except _UnfinishedError as unfinished:
        return unfinished.sql, limit_failure(unfinished.error, limits)


@lru_cache(maxsize=MAX_CACHED)
def _checked(output: str, schema: Schema, bindable: bool, limits: SandboxLimits) -> tuple[str, Failure | None]:
    written = [""]
    try:
        sql, failure = SANDBOX.call(verify, output, schema, bindable, limits=limits, answer=written.append)
    except SandboxLimitError as error:
        raise _UnfinishedError(written[-1], error) from error
    return sql, Failure(*failure) if failure else None


@lru_cache(maxsize=16)
def shared_schema(schema: Schema) -> Schema:
    """Return the first of equal schemas, so that all that is cached for a schema holds it once."""
    return schema


def check_query(sql: str, schema: Schema, limits: SandboxLimits = LIMITS) -> tuple[str, Failure | None]:
    """Return a query that a person or an agent wrote, if it may run; or the SQL as written and its error.

    Args:
        sql: the query, in DuckDB's SQL: all of the text, so that a second statement is an error.
        schema: the schema of the database.
        limits: memory and time to parse and bind it and to compute its constants.
    """
    try:
        checked, failure = SANDBOX.call(verify_sql, sql, bare_schema(schema), True, limits=limits)
    except SandboxLimitError as error:
        return sql, limit_failure(error, limits)
    return checked, Failure(*failure) if failure else None


def limit_failure(error: SandboxLimitError, limits: SandboxLimits) -> Failure:
    """Return the error, for the model and the user, of SQL that exceeds its limits before it reads a row."""
    if error.limit == "time":
        return Failure("time", f"planning it, with its constants, takes longer than {limits.seconds:g} s")
    return Failure("memory", f"planning it, with its constants, takes more memory than {limits.megabytes} MB")


def bare_schema(schema: Schema) -> Schema:
    """Return only the names and types of a schema: enough for binding, and small enough to send to the child."""
    tables = (Table(table.name, tuple(Column(c.name, c.type) for c in table.columns)) for table in schema.tables)
    return Schema(schema.name, tuple(tables))
