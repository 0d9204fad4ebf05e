"""Calls a deployed model through the SQL functions: one statement for many questions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from ...connection import Connection, register
from .scoring import ModelAnswer

History = tuple[tuple[str, str | None], ...]  # The earlier turns: each question with the SQL of its answer.

# Parameters, not a table: a table of questions would be a part of the schema that the questions are about.
QUESTION_SQL = """
    SELECT text2sql_detail(
        llm_param({'instruction': question, 'history': history}), schema := schema, model := $model,
        notes := $notes, examples := $examples, votes := $votes
    )
    FROM (SELECT unnest($questions::VARCHAR[]) AS question, unnest($histories::VARCHAR[]) AS history,
                 unnest($schemas::VARCHAR[]) AS schema, unnest(range(len($questions))) AS number)
    ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class QuestionInContext:
    """A question with the earlier turns; `schema` is the argument `schema :=`, None for the connection's catalog."""

    question: str
    history: History = ()
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class Text2SqlClient:
    """Answers questions with `text2sql_detail`.

    Args:
        model: a deployed model; None: text2sql's own choice.
        cluster: as in `connect`.
        store: the value of the SQL variable `llm_store`; None: not set.
        notes: Markdown, or a file of it; None: what is beside the database.
        examples: how many verified examples are shown.
        votes: how many answers are drawn at most.
    """

    model: str | None = None
    cluster: str | None = None
    store: str | None = None
    notes: str | None = None
    examples: int = 0
    votes: int = 1

    @property
    def label(self) -> str:
        """The options that are not the default, for a table."""
        parts = ["notes"] if self.notes else []
        parts += [f"{self.examples} examples"] if self.examples else []
        return ", ".join([*parts, *([f"{self.votes} votes"] if self.votes > 1 else [])])

    def __call__(
        self, connection: duckdb.DuckDBPyConnection, questions: Sequence[QuestionInContext]
    ) -> list[ModelAnswer]:
        """Return one answer for each question; all are sent concurrently.

        Raises:
            SetupError: no question can succeed.
        """
        if not isinstance(connection, Connection):
            connection = register(connection, cluster=self.cluster)
            if self.store:
                connection.execute("SET VARIABLE llm_store = $1", [self.store])
        columns = {
            "questions": [one.question for one in questions],
            "histories": [_turns(one.history) for one in questions],
            "schemas": [one.schema for one in questions],
        }
        rows = connection.execute(QUESTION_SQL, {**columns, **self._options()}).fetchall()
        return [_answered(detail) for (detail,) in rows]

    def _options(self) -> dict[str, object]:
        return {"model": self.model, "notes": self.notes, "examples": self.examples, "votes": self.votes}


def _turns(history: History) -> str | None:
    """Return the earlier turns in llm_param's form; turns without SQL are left out."""
    turns = [
        {"role": role, "content": content}
        for question, sql in history
        if sql
        for role, content in (("user", question), ("assistant", sql))
    ]
    return json.dumps(turns, ensure_ascii=False) if turns else None


def _answered(detail: dict[str, Any]) -> ModelAnswer:
    error = detail["error"] or {"code": "", "message": ""}
    return ModelAnswer(
        sql=detail["sql"],
        code=error["code"],
        message=error["message"] or "",
        attempts=detail["attempts"],
        bound=detail["bound"],
        model=detail["model"],
        input_tokens=detail["usage"]["input_tokens"] or 0,
        output_tokens=detail["usage"]["output_tokens"] or 0,
        seconds=detail["seconds"] or 0.0,
        confidence=detail["confidence"],
    )
