"""Rows of questions and SQL, whatever their fields are called; a bad one is named by its line."""

from __future__ import annotations

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
        line: where it stands, from 1.
        kind: one word for what is wrong with it.
        why: what is wrong with it: DuckDB's words, where DuckDB refused its SQL.
    """

    line: int
    kind: str
    why: str


class QuestionRow(BaseModel):
    """The fields that are read of a row; what else it holds is left alone."""

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
    """Return the question of a row, or why it is none.

    Args:
        row: its line, and `question`; `sql`, `query` or `answer`; and `schema`, `context` or `ddl` (DDL or M-Schema
            text), or `db`, `db_id` or `database`, or `columns` (of one table `t`). Perhaps `ordered`, and `dialogue`
            with `turn`.
        database: which one, where the row names none.
    """
    if isinstance(row, BadRow):
        return SkippedRow(row.line, "json", row.reason)
    line, fields = row
    if not isinstance(fields, dict):
        return SkippedRow(line, "json", f"it is no object: {fields!r:.80}")
    try:
        asked = QuestionRow.model_validate(fields)
    except ValidationError as error:
        return SkippedRow(line, "fields", _complaints(error, fields))
    if not (asked.database or asked.text or asked.columns or database):
        why = "it names neither a `schema` (CREATE TABLE …) nor a `db` (a database's name or file)"
        return SkippedRow(line, "fields", why)
    return Question(
        db=asked.database or ("" if asked.text or asked.columns else database),
        question=asked.question,
        sql=asked.sql.strip().rstrip(";"),
        ordered=is_ordered(asked.sql) if asked.ordered is None else asked.ordered,
        dialogue=asked.dialogue,
        turn=asked.turn or 0,
        columns=tuple((asked.columns or {}).items()),
        schema=asked.text or "",
        line=line,
    )


def _complaints(error: ValidationError, row: dict[str, object]) -> str:
    """Say what is wrong with each field, and which fields there are."""
    told = [f"`{'.'.join(map(str, one['loc']))}`: {one['msg']}" for one in error.errors(include_url=False)]
    return f"{'; '.join(told)} (it has {', '.join(row) or 'nothing'})"


def is_ordered(sql: str) -> bool:
    """Whether the order of a query's rows is asked for: it ends in ORDER BY."""
    try:
        return isinstance(sqlglot.parse_one(sql, read="duckdb").args.get("order"), exp.Order)
    except sqlglot.errors.SqlglotError:
        return False
