"""The reference answers of a suite, and the comparison with them. Both run in the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby, islice
from operator import itemgetter
from threading import Lock
from typing import Any

from ....workers.errors import SandboxLimitError, SetupError
from ....workers.sandbox import SandboxLimits
from ..checks.check_answer import bare_schema
from . import child_queries
from .databases import QuestionDatabases, schema_text, source_path
from .datasets import Question
from .question_rows import SkippedRow, reads_several_tables
from .scoring import FAILED, SECONDS, Difference, ModelAnswer, ScoredAnswer, find_outcome

Job = tuple[Callable[..., Any], tuple[Any, ...]]  # A function of `child_queries` and its arguments.
MEGABYTES = 1024  # For a query, its rows and the reference rows.
JOBS_PER_CALL = 24
OPENING_SECONDS = 5.0  # More time for the child process, which opens the database and runs the reference SQL.


class GoldAnswers:
    """Compares answers with the reference answers; thread-safe.

    An answer that takes too much time or memory is a wrong answer.

    Args:
        sources: the databases of the questions.
        seconds: the time limit of one query.
        megabytes: the memory limit of one query.
    """

    def __init__(self, sources: QuestionDatabases, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> None:
        self.sources = sources
        self.seconds = seconds
        self._limits = SandboxLimits(megabytes, seconds + OPENING_SECONDS)
        self._bad: dict[tuple[Question, int], SkippedRow | None] = {}
        self._lock = Lock()

    def invalid_reasons(self, questions: Sequence[Question]) -> list[SkippedRow | None]:
        """Return why each question cannot be evaluated: no database or schema, or its own SQL does not run.

        None: it can be.
        """
        with self._lock:
            jobs: dict[tuple[Question, int], Job] = {}
            for question in questions:
                if (key := (question, question.line)) not in self._bad:
                    try:
                        jobs[key] = self._reference_job(question)
                    except SetupError as error:
                        self._bad[key] = SkippedRow(question.line, "schema", str(error).replace("\n", "; "))
            for key, outcome in zip(jobs, self._run([*jobs.values()]), strict=True):
                failed = ("run", str(outcome)) if isinstance(outcome, Exception) else outcome
                self._bad[key] = SkippedRow(key[1], *failed) if failed else None
            return [self._bad[question, question.line] for question in questions]

    def score(self, answers: Sequence[tuple[Question, ModelAnswer]]) -> list[ScoredAnswer]:
        """Score the answers to valid questions: by their rows, or by their SQL if a question has only a schema."""
        jobs = [self._answer_job(question, answered.sql) for question, answered in answers if answered.sql is not None]
        judgements = iter(self._run(jobs))
        return [
            _scored(question, answered, next(judgements) if answered.sql is not None else None)
            for question, answered in answers
        ]

    def _reference_job(self, question: Question) -> Job:
        if schema_text(question) is not None:
            return child_queries.unbound, (question.sql, bare_schema(self.sources.schema(question).schema))
        self.sources.schema(question)
        return child_queries.reference_error, (str(source_path(question.db)), question.sql, self.seconds)

    def _answer_job(self, question: Question, sql: str) -> Job:
        if schema_text(question) is not None:
            schema = bare_schema(self.sources.schema(question).schema)
            return child_queries.judge_text, (question.sql, sql, schema)
        path = str(source_path(question.db))
        return child_queries.judge_answer, (path, question.sql, sql, question.ordered, self.seconds)

    def _run(self, jobs: Sequence[Job]) -> list[Any]:
        """Return the result of each job, or the error of one that failed."""
        results: list[Any] = []
        for function, group in groupby(jobs, key=itemgetter(0)):
            while batch := [arguments for _, arguments in islice(group, JOBS_PER_CALL)]:
                results += self._call(function, batch)
        return results

    def _call(self, function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Run jobs in one call; if they exceed its limits, run them one by one, so that only the culprit fails."""
        try:
            return child_queries.SANDBOX.call(child_queries.each, function, jobs, limits=self._limits)
        except (SandboxLimitError, RuntimeError) as error:  # RuntimeError: whatever the SQL did to the child.
            if len(jobs) > 1:
                return [result for job in jobs for result in self._call(function, [job])]
            return [self._limit_error(error) if isinstance(error, SandboxLimitError) else error]

    def _limit_error(self, error: SandboxLimitError) -> RuntimeError:
        if error.limit == "time":
            return RuntimeError(f"it takes longer than {self.seconds:g} s")
        return RuntimeError(f"it takes more memory than {self._limits.megabytes} MB")


def _scored(question: Question, answered: ModelAnswer, judgement: Any) -> ScoredAnswer:
    if answered.sql is None:
        judgement = find_outcome(answered.code), "", None
    outcome, why, fields = (FAILED, str(judgement), None) if isinstance(judgement, Exception) else judgement
    joins = reads_several_tables(question.sql)
    return ScoredAnswer(question, answered.sql, outcome, joins, answered, fields and Difference(*fields), why)
