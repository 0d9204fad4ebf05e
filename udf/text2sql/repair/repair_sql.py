"""Repairs generated SQL without a model: rule after rule, until DuckDB binds it or no rule helps."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ....workers.database_schema import Column, Schema, Table
from ....workers.errors import SandboxLimitError
from ....workers.sandbox import SandboxLimits
from ..checks.check_answer import SANDBOX
from ..checks.verify import verify_sql
from .faulty_sql import FaultySql
from .name_rules import chosen_of_equals, joined_table, known_owner, quoted_text, renamed_column, renamed_table
from .other_rules import cast_argument, compared_types, grouped, other_dialects

LIMITS = SandboxLimits(megabytes=512, seconds=10.0)  # The first call of a child also imports the parser.
MAX_STEPS = 8
REPAIRABLE = ("binder", "catalog", "parser")
# The surest first. A rule changes the tree and says what it changed; None: it does not apply.
RULES: tuple[Callable[[FaultySql], str | None], ...] = (
    quoted_text,
    known_owner,
    renamed_column,
    renamed_table,
    chosen_of_equals,
    joined_table,
    grouped,
    compared_types,
    cast_argument,
)


def repair_sql(sql: str, code: str, message: str, schema: Schema) -> tuple[str, list[str]] | None:
    """Return SQL that binds, and what was changed; None if the rules do not lead there.

    It runs in the sandbox, because the SQL is a stranger's.

    Args:
        sql: what DuckDB refused.
        code: DuckDB's word for the error, e.g. 'binder'.
        message: DuckDB's own words.
        schema: that the SQL is about.
    """
    if code not in REPAIRABLE:
        return None
    try:
        return SANDBOX.call(repair_in_child, sql, code, message, names_and_keys(schema), limits=LIMITS)
    except SandboxLimitError:
        return None


def repair_in_child(sql: str, code: str, message: str, schema: Schema) -> tuple[str, list[str]] | None:
    """Return what `repair_sql` does; runs in a child process."""
    notes: list[str] = []
    seen = {(code, message)}
    for _ in range(MAX_STEPS):
        step = next(_steps(FaultySql(sql, message, schema), code, schema, seen), None)
        if step is None:
            return None
        sql, note, failure = step
        notes.append(note)
        if failure is None:
            return sql, notes
        code, message = failure
        seen.add(failure)
    return None


Step = tuple[str, str, tuple[str, str] | None]  # The new SQL, what was changed, and the error that is left.


def _steps(faulty: FaultySql, code: str, schema: Schema, seen: set[tuple[str, str]]) -> Iterator[Step]:
    """Yield the SQL of each rule that changes the error; a rule that leads back to an error is no step."""
    for sql, note in _candidates(faulty):
        written, failure = verify_sql(sql, schema, True)
        if (
            failure is None
            or (failure not in seen and failure[0] in REPAIRABLE and code != "parser")
            or (failure not in seen and code == "parser" and failure[0] != "parser")
        ):
            yield written, note, failure


def _candidates(faulty: FaultySql) -> Iterator[tuple[str, str]]:
    for rule in RULES:
        fresh = FaultySql(faulty.sql, faulty.message, faulty.schema)
        if (note := rule(fresh)) and fresh.tree is not None:
            yield fresh.tree.sql(dialect="duckdb"), note
    yield from other_dialects(faulty)


def names_and_keys(schema: Schema) -> Schema:
    """Return the schema without comments and values, small enough to send to the child."""
    tables = (Table(t.name, tuple(Column(c.name, c.type, c.primary_key) for c in t.columns)) for t in schema.tables)
    return Schema(schema.name, tuple(tables), schema.foreign_keys)
