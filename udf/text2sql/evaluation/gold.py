"""The reference answers of a suite; each runs only once, for all evaluated models."""

from __future__ import annotations

from threading import Lock

import duckdb

from ....workers.binder import ReusedBinder
from ....workers.errors import SetupError
from .databases import QuestionDatabases
from .datasets import Question
from .question_rows import SkippedRow
from .scoring import SECONDS, ModelAnswer, Rows, ScoredAnswer, judge_rows, judge_text, run


class GoldAnswers:
    """Compares answers with the reference answers. Thread-safe; limits the number of concurrent queries."""

    def __init__(self, sources: QuestionDatabases, seconds: float = SECONDS) -> None:
        self.sources = sources
        self.seconds = seconds
        self._rows: dict[tuple[str, str], Rows] = {}
        self._bad: dict[tuple[Question, int], SkippedRow | None] = {}
        self._copies = ReusedBinder()
        self._lock = Lock()

    def invalid_reason(self, question: Question) -> SkippedRow | None:
        """Return the reason why a question cannot be evaluated: no database or schema, or its own SQL does not run."""
        key = question, question.line
        with self._lock:
            if key not in self._bad:
                self._bad[key] = self._find_fault(question)
            return self._bad[key]

    def _find_fault(self, question: Question) -> SkippedRow | None:
        try:
            schema = self.sources.schema(question)
            cursor = self.sources.connection(question)
        except SetupError as error:
            return SkippedRow(question.line, "schema", str(error).replace("\n", "; "))
        if cursor is None:
            unbound = self._copies.bind(question.sql, schema.schema)
            return SkippedRow(question.line, unbound.kind, unbound.message) if unbound else None
        with cursor:
            rows, why = run(cursor, question.sql, self.seconds)
        if rows is None:
            return SkippedRow(question.line, "run", why)
        self._rows[question.db, question.sql] = rows
        return None

    def score(
        self, question: Question, answered: ModelAnswer, connection: duckdb.DuckDBPyConnection | None
    ) -> ScoredAnswer:
        """Score an answer to a valid question.

        Args:
            question, answered: the question and its answer.
            connection: the question's database; None if it has no rows.
        """
        if connection is None:
            return judge_text(question, self.sources.schema(question).schema, answered)
        return judge_rows(connection, question, self._rows[question.db, question.sql], answered)
