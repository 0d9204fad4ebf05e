"""Parses rows of questions and SQL with various field names; reports invalid rows with their line."""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlglot
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from sqlglot import expressions as exp

from ....workers.training.data.data_files import BadRow, Row
from .datasets import Question


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row that was left out.

    Args:
        line: its line, from 1.
        kind: the kind of error, one word.
        why: the reason; DuckDB's message if DuckDB refused its SQL.
    """

    line: int
    kind: str
    why: str


class QuestionRow(BaseModel):
    """The fields of a row that are used; others are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    question: str = Field(min_length=1)
    sql: str = Field(min_length=1, validation_alias=AliasChoices("sql", "query", "answer"))
    database: str | None = Field(None, validation_alias=AliasChoices("db", "db_id", "database"))
    text: str | None = Field(None, validation_alias=AliasChoices("schema", "context", "ddl"))
    columns: dict[str, str] | None = None
    ordered: bool | None = None
    dialogue: int | None = None
    turn: int | None = None


def parse_question(row: Row | BadRow, database: str = "") -> Question | SkippedRow:
    """Return the question of a row, or the reason why it is invalid.

    Args:
        row: its line, and `question`; `sql`, `query` or `answer`; and `schema`, `context` or `ddl` (DDL or M-Schema
            text), or `db`, `db_id` or `database`, or `columns` (of one table `t`). Perhaps `ordered`, and `dialogue`
            with `turn`.
        database: the default if the row names none.
    """
    if isinstance(row, BadRow):
        return SkippedRow(row.line, "json", row.reason)
    line, fields = row
    if not isinstance(fields, dict):
        return SkippedRow(line, "json", f"it is not an object: {fields!r:.80}")
    try:
        question = QuestionRow.model_validate(fields)
    except ValidationError as error:
        return SkippedRow(line, "fields", _complaints(error, fields))
    if not (question.database or question.text or question.columns or database):
        why = "it names neither a `schema` (CREATE TABLE …) nor a `db` (a database's name or file)"
        return SkippedRow(line, "fields", why)
    return Question(
        db=question.database or ("" if question.text or question.columns else database),
        question=question.question,
        sql=question.sql.strip().rstrip(";"),
        ordered=is_ordered(question.sql) if question.ordered is None else question.ordered,
        dialogue=question.dialogue,
        turn=question.turn or 0,
        columns=tuple((question.columns or {}).items()),
        schema=question.text or "",
        line=line,
    )


def _complaints(error: ValidationError, row: dict[str, object]) -> str:
    """Return the errors of the fields, and the names of the fields that exist."""
    problems = [f"`{'.'.join(map(str, one['loc']))}`: {one['msg']}" for one in error.errors(include_url=False)]
    return f"{'; '.join(problems)} (it has {', '.join(row) or 'nothing'})"


def reads_several_tables(sql: str) -> bool:
    """Whether SQL names more than one table, or the same one twice."""
    try:
        return len(list(sqlglot.parse_one(sql, read="duckdb").find_all(exp.Table))) > 1
    except sqlglot.errors.SqlglotError:
        return bool(re.search(r"\bJOIN\b", sql))


def is_ordered(sql: str) -> bool:
    """Whether the order of a query's rows matters: the query ends in ORDER BY."""
    try:
        return isinstance(sqlglot.parse_one(sql, read="duckdb").args.get("order"), exp.Order)
    except sqlglot.errors.SqlglotError:
        return False
