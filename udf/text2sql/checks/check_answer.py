"""Whether an answer's SQL may run, as a sandbox finds it: nothing of it is computed in this process."""

from __future__ import annotations

from ....workers.database_schema import Column, Schema, Table
from ....workers.errors import SandboxLimitError
from ....workers.messages import Failure
from ....workers.sandbox import Limits, Sandbox
from .verify import verify, warm_up

LIMITS = Limits(megabytes=512, seconds=5.0)
SANDBOX = Sandbox(warm_up)
"""Where text2sql computes what others wrote."""


def check_answer(output: str, schema: Schema, bindable: bool, limits: Limits = LIMITS) -> tuple[str, Failure | None]:
    """Return the SQL of an answer as it may run, or as it was written and what is wrong with it; nothing is run.

    Args:
        output: what a model wrote.
        schema: what it was asked of.
        bindable: whether an empty copy of the schema can be made.
        limits: of the memory and time in which it is parsed and bound and its constants are computed.
    """
    written = [""]
    arguments = output, bare_schema(schema), bindable
    try:
        sql, failure = SANDBOX.call(verify, *arguments, limits=limits, answer=written.append)
    except SandboxLimitError as error:
        return written[-1], limit_failure(error, limits)
    return sql, Failure(*failure) if failure else None


def limit_failure(error: SandboxLimitError, limits: Limits) -> Failure:
    """Return what a model, and its user, are told of SQL that goes past its limits before it reads a row."""
    if error.limit == "time":
        return Failure("time", f"to plan it, with its constants, takes longer than {limits.seconds:g} s")
    return Failure("memory", f"to plan it, with its constants, takes more memory than {limits.megabytes} MB")


def bare_schema(schema: Schema) -> Schema:
    """Return the names and types of a schema: what binding needs of it, and what is sent to the child."""
    tables = (Table(table.name, tuple(Column(c.name, c.type) for c in table.columns)) for table in schema.tables)
    return Schema(schema.name, tuple(tables))
