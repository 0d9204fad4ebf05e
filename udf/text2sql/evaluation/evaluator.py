"""Runs an evaluation: sends the questions of a suite, and compares the results with those of the reference SQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import groupby, islice

import duckdb

from ....workers.database_schema import Schema
from ....workers.errors import CancelledError, SetupError
from ..checks.check_answer import check_answer
from ..schema.catalog import read_catalog
from .child_queries import SANDBOX
from .client import History, QuestionInContext
from .databases import QuestionDatabases, schema_text
from .datasets import Question
from .gold import GoldAnswers
from .question_rows import SkippedRow, reads_several_tables
from .report import Report
from .scoring import (
    DECLINED,
    OUTCOMES,
    RIGHT,
    UNBOUND,
    WRONG,
    ModelAnswer,
    ScoredAnswer,
    fetch_rows,
    same_rows,
)
from .suites import Conversation, Suite, load_suite, turn_numbers

__all__ = [
    "DECLINED",
    "OUTCOMES",
    "RIGHT",
    "UNBOUND",
    "WRONG",
    "History",
    "Report",
    "ScoredAnswer",
    "evaluate",
    "evaluate_suite",
    "fetch_rows",
    "reads_several_tables",
    "same_rows",
]  # fmt: skip

# (connection, question, history) → SQL; None: declined.
AnswerQuestion = Callable[[duckdb.DuckDBPyConnection, str, History], str | None]
# (a connection to the questions' database, questions) → one answer each.
AnswerQuestions = Callable[[duckdb.DuckDBPyConnection, Sequence[QuestionInContext]], list[ModelAnswer]]
Outcome = tuple[list[ScoredAnswer], list[SkippedRow]]
CONVERSATIONS_PER_STATEMENT = 24  # Conversations in one statement.
MAX_STATEMENTS = 32  # Statements that run concurrently: 768 questions, more than services allow at a time.
# How often to interrupt the running statements when stopping; one that is only starting ignores an interrupt.
STOP_SECONDS = 0.05


def evaluate(
    answer: AnswerQuestion, suite: str, *, split: str = "dev", limit: int | None = None, follow: bool = True
) -> Report:
    """Call a function for every question of a suite, one after the other, and compare the results.

    Args:
        answer: the function to evaluate. Its SQL is checked as that of text2sql is; later turns of a dialogue get the
            earlier questions with its own answers.
        suite: the suite's name.
        split: the data folder's part.
        limit: maximum number of questions, evenly spread; dialogues stay whole.
        follow: whether turns get their history.

    Raises:
        SetupError: the suite does not exist, or its questions have no database.
    """
    chosen = load_suite(suite, split=split, limit=limit)
    if any(schema_text(question) is not None or not question.db for question in chosen.questions):
        raise SetupError(f"the questions of {suite} have no rows to run on", hint="type: quackllm evaluate wikisql")

    def answer_all(connection: duckdb.DuckDBPyConnection, questions: Sequence[QuestionInContext]) -> list[ModelAnswer]:
        schema = read_catalog(connection)
        found = [answer(connection, one.question, one.history if follow else ()) for one in questions]
        return [checked_answer(sql, schema) for sql in found]

    with QuestionDatabases() as sources:
        return evaluate_suite(
            answer_all,
            chosen,
            GoldAnswers(sources),
            statements=1,
            conversations_per_statement=len(chosen.conversations),
        )


def checked_answer(sql: str | None, schema: Schema) -> ModelAnswer:
    """Return the SQL of a function as an answer: what text2sql would refuse has an error code."""
    if sql is None:
        return ModelAnswer(None, "declined")
    checked, failure = check_answer(sql, schema, True)
    return ModelAnswer(None, failure.code, failure.message) if failure else ModelAnswer(checked, bound=True)


def evaluate_suite(
    answer_all: AnswerQuestions,
    suite: Suite,
    gold: GoldAnswers,
    *,
    gold_history: bool = False,
    progress: Callable[[int], None] = lambda count: None,
    statements: int = MAX_STATEMENTS,
    conversations_per_statement: int = CONVERSATIONS_PER_STATEMENT,
) -> Report:
    """Ask every question of a suite and score the answers.

    Ctrl-C stops it: the report then has the questions that were evaluated before, and the number of the others.

    Args:
        answer_all: the client of the evaluated model.
        suite: the questions.
        gold: the reference answers; the same object for every model.
        gold_history: later turns get the reference SQL of the earlier ones instead of the model's own.
        progress: called with the number of questions that were just completed.
        statements: the number of concurrent statements.
        conversations_per_statement: the number of conversations in one statement.

    Raises:
        SetupError: no question can succeed: an unknown model, a wrong key.
    """
    began = time.perf_counter()
    run = _Run(answer_all, gold, gold_history)
    report = Report(suite.name, left_out=list(suite.left_out), turns=turn_numbers(suite.questions))
    with ThreadPoolExecutor(statements, thread_name_prefix="evaluate") as pool:
        in_flight = [pool.submit(run.answer, group) for group in _groups(suite, conversations_per_statement)]
        try:
            _collect(in_flight, report, progress)
        except KeyboardInterrupt:
            run.stop()
            pool.shutdown(cancel_futures=True)
            report.judged, report.left_out = [], list(suite.left_out)
            _collect([future for future in in_flight if not future.cancelled()], report, lambda count: None)
        finally:
            run.stop()
            pool.shutdown(cancel_futures=True)
    positions = {id(question): position for position, question in enumerate(suite.questions)}
    report.judged.sort(key=lambda one: positions[id(one.question)])
    report.left_out.sort(key=lambda one: one.line)
    report.seconds = time.perf_counter() - began
    report.unasked = len(positions) - len(report.judged) - (len(report.left_out) - len(suite.left_out))
    return report


def _collect(running: Sequence[Future[Outcome]], report: Report, progress: Callable[[int], None]) -> None:
    for future in as_completed(running):
        judged, left_out = future.result()
        report.judged += judged
        report.left_out += left_out
        progress(len(judged) + len(left_out))


def _groups(suite: Suite, conversations_per_statement: int) -> Iterator[list[Conversation]]:
    """Yield groups of conversations for one statement: of one database, or of any if questions have schemas."""
    for _, group in groupby(suite.conversations, key=lambda one: _database(one[0])):
        rest = iter(group)
        while some := list(islice(rest, conversations_per_statement)):
            yield some


def _database(question: Question) -> str | None:
    return question.db if schema_text(question) is None else None


@dataclass
class _Run:
    """One running evaluation: the state that its threads share."""

    answer_all: AnswerQuestions
    gold: GoldAnswers
    gold_history: bool
    stopped: threading.Event = field(default_factory=threading.Event)
    connections: set[duckdb.DuckDBPyConnection] = field(default_factory=set)

    def answer(self, group: Sequence[Conversation]) -> Outcome:
        """Ask the conversations of one database, all first turns together, then all second ones; score the answers."""
        judged: list[ScoredAnswer] = []
        asked = [question for conversation in group for question in conversation]
        faults = dict(zip(map(id, asked), self.gold.invalid_reasons(asked), strict=True))
        left_out = [fault for fault in faults.values() if fault]
        group = [conversation for conversation in group if any(not faults[id(one)] for one in conversation)]
        if self.stopped.is_set():
            return [], []  # A reference that was stopped is not at fault.
        if not group:
            return judged, left_out
        connection = self.gold.sources.connection(group[0][0]) or duckdb.connect()
        self.connections.add(connection)
        try:
            # Questions that were evaluated before a stop count.
            with suppress(duckdb.InterruptException, CancelledError), closing(connection):
                for answers in self._turns(connection, group):
                    judged += self._score([one for one in answers if not faults[id(one[0])]])
        finally:
            self.connections.discard(connection)
        return judged, left_out

    def _turns(
        self, connection: duckdb.DuckDBPyConnection, group: Sequence[Conversation]
    ) -> Iterator[list[tuple[Question, ModelAnswer]]]:
        """Yield the questions of each turn with their answers."""
        histories: dict[int, History] = {}
        for turn in range(max(map(len, group))):
            if self.stopped.is_set():
                return
            questions = [(n, conversation[turn]) for n, conversation in enumerate(group) if turn < len(conversation)]
            answers = self.answer_all(
                connection,
                [QuestionInContext(one.question, histories.get(n, ()), schema_text(one)) for n, one in questions],
            )
            for (n, one), answered in zip(questions, answers, strict=True):
                sql = one.sql if self.gold_history else answered.sql
                histories[n] = (*histories.get(n, ()), (one.question, sql))
            yield [(one, answered) for (_, one), answered in zip(questions, answers, strict=True)]

    def _score(self, answers: Sequence[tuple[Question, ModelAnswer]]) -> list[ScoredAnswer]:
        scored = self.gold.score(answers)
        if self.stopped.is_set():
            raise CancelledError("the evaluation was stopped")
        return scored

    def stop(self) -> None:
        """Start no more statements, and wait for the running ones."""
        self.stopped.set()
        while self.connections:
            for connection in list(self.connections):
                with suppress(duckdb.ConnectionException):  # Its thread has just closed the connection.
                    connection.interrupt()
            SANDBOX.abort()
            time.sleep(STOP_SECONDS)
