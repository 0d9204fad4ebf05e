"""The right answers of a suite, run once each, whichever models are evaluated."""

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
    """Judges answers by the right ones. Safe in any thread; at most as many queries run at once as may."""

    def __init__(self, sources: QuestionDatabases, seconds: float = SECONDS) -> None:
        self.sources = sources
        self.seconds = seconds
        self._rows: dict[tuple[str, str], Rows] = {}
        self._bad: dict[tuple[Question, int], SkippedRow | None] = {}
        self._copies = ReusedBinder()
        self._lock = Lock()

    def invalid_reason(self, question: Question) -> SkippedRow | None:
        """Return why a question cannot be judged: its database or schema is not there, or its own SQL does not run."""
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
        """Judge an answer to a question without a fault.

        Args:
            question, answered: what was asked and answered.
            connection: the question's database; None where it has no rows.
        """
        if connection is None:
            return judge_text(question, self.sources.schema(question).schema, answered)
        return judge_rows(connection, question, self._rows[question.db, question.sql], answered)
