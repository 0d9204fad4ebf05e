"""Checks an answer in the sandbox's child process: find its SQL, parse, guard and bind it, and compute its constants.

This module imports little, because its imports decide how fast a child starts.
"""

from __future__ import annotations

from ....workers.binder import bind_error, binder_for
from ....workers.database_schema import Column, Schema, Table
from ....workers.errors import GuardError
from ....workers.sandbox import call_parent, interruptible
from ....workers.sandbox.locked_duckdb import parser_error
from .constant_expressions import compute
from .extract_sql import decline_reason, extract_sql, question_back
from .guard import checked_statement
from .sql_tree import Tree

# The SQL that may run; or the SQL as it was written, with an error's code and message.
Verified = tuple[str, tuple[str, str] | None]
NO_SQL = "no_sql", "the answer holds no SQL"


def verify(output: str, schema: Schema, bindable: bool) -> Verified:
    """Return the SQL of an answer that may run; or the SQL as written and its error.

    Args:
        output: the model's answer.
        schema: names and types of the question's schema.
        bindable: whether an empty copy of the schema can be made.
    """
    if asked := question_back(output):
        return "", ("unclear", asked)
    sql = extract_sql(output)
    if sql is None:
        reason = decline_reason(output)
        return "", NO_SQL if reason is None else ("declined", reason)
    call_parent(sql)  # Sent before the constants are computed, in case this process does not survive that.
    return verify_sql(sql, schema, bindable)


def verify_sql(sql: str, schema: Schema, bindable: bool) -> Verified:
    """Return a query that may run, or the SQL as it is and its error: the whole text is the query, nothing is cut off.

    Args:
        sql: the query.
        schema: names and types of the tables that it may read.
        bindable: whether an empty copy of the schema can be made.
    """
    if message := parser_error(sql):
        return sql, ("parser", message)
    try:
        checked, tree = checked_statement(sql, schema, strict=not bindable)
        return _bound(checked, tree, schema) if bindable else (checked, None)
    except GuardError as error:
        return sql, ("guard", str(error))


def warm_up() -> None:
    """Import and prepare what the first answer would otherwise wait for."""
    verify("SELECT lower(a) FROM t WHERE a <> trim('b')", Schema("", (Table("t", (Column("a"),)),)), True)


def _bound(sql: str, tree: Tree, schema: Schema) -> Verified:
    with binder_for(schema).cursor() as cursor, interruptible(cursor.interrupt):
        if unbound := bind_error(cursor, sql):
            return sql, (unbound.kind, unbound.message)
        compute(cursor, tree)
    return sql, None
