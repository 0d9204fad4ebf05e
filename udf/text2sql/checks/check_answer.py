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
MAX_VERDICTS = 1_024
_VERDICTS: dict[tuple[str, Schema, bool, SandboxLimits], tuple[str, tuple[str, str] | None]] = {}
"""What was found of an answer before: the same answer for the same tables is checked once in a process."""


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
    written = [""]
    arguments = output, _shared(bare_schema(schema)), bindable
    if (verdict := _VERDICTS.get((*arguments, limits))) is None:
        try:
            verdict = SANDBOX.call(verify, *arguments, limits=limits, answer=written.append)
        except SandboxLimitError as error:
            return written[-1], limit_failure(error, limits)
        if len(_VERDICTS) >= MAX_VERDICTS:
            _VERDICTS.clear()
        _VERDICTS[(*arguments, limits)] = verdict
    sql, failure = verdict
    return sql, Failure(*failure) if failure else None


@lru_cache(maxsize=16)
def _shared(schema: Schema) -> Schema:
    """Return the first of the schemas that are equal, so that many verdicts hold one."""
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
