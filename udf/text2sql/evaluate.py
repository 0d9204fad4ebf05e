"""Execution accuracy: is what a question's SQL gives the same as what the right SQL gives?"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from typing import Any

import duckdb
import sqlglot
from sqlglot import expressions as exp

from ...workers.errors import SetupError
from .data import Question, open_database, questions

History = tuple[tuple[str, str | None], ...]
"""The turns before: each question with the SQL that it was answered with."""
Answer = Callable[[duckdb.DuckDBPyConnection, str, History], str | None]
"""From a connection, a question and its history to SQL; None declines."""
Outcome = str
RIGHT, WRONG, UNBOUND, DECLINED = OUTCOMES = ("right", "wrong", "does not bind", "declined")
SECONDS = 10.0
MOST_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Judged:
    """One question, what was answered, and how that is judged: right, wrong, does not bind, declined."""

    question: Question
    sql: str | None
    outcome: Outcome
    joins: bool


@dataclass(slots=True)
class Report:
    """What came of a suite's questions."""

    suite: str
    judged: list[Judged] = field(default_factory=list)

    def counts(self, joins: bool | None = None) -> Counter[Outcome]:
        """Return how many questions came out how: all, or only those whose right SQL reads several tables, or one."""
        return Counter(one.outcome for one in self.judged if joins is None or one.joins is joins)

    def accuracy(self, joins: bool | None = None) -> float:
        """Return the share that is right, of the same choice of questions."""
        counts = self.counts(joins)
        return counts[RIGHT] / max(counts.total(), 1)

    def __str__(self) -> str:
        lines = [f"{self.suite}: execution accuracy"]
        for label, joins in (("all", None), ("one table", False), ("several tables", True)):
            counts = self.counts(joins)
            told = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES)
            lines.append(f"  {label:<15}{100 * self.accuracy(joins):5.1f} %  of {counts.total():4d}: {told}")
        return "\n".join(lines)


def evaluate(
    answer: Answer, suite: str, *, split: str = "dev", limit: int | None = None, follow: bool = True
) -> Report:
    """Ask every question of a suite and compare results.

    Args:
        answer: what is evaluated; later turns of a dialogue get the earlier questions with its own answers.
        limit: only so many questions, evenly spread; dialogues stay whole.
        follow: whether turns bring their history.

    Raises:
        SetupError: there is no such suite, or its questions have no database.
    """
    report = Report(suite)
    for database, asked in groupby(_chosen(questions(suite, split), limit), key=lambda one: one.db):
        with closing(duckdb.connect()) as connection:
            if not database:
                raise SetupError(f"the questions of {suite} have no rows to run on", hint="spider and sparc have")
            open_database(connection, database)
            report.judged += list(_judge_all(answer, connection, list(asked), follow))
    return report


def _chosen(asked: list[Question], limit: int | None) -> list[Question]:
    asked = sorted(asked, key=lambda one: (one.db, one.dialogue or 0, one.turn))
    groups = [list(group) for _, group in groupby(enumerate(asked), key=_dialogue_of)]
    kept = groups if not limit or limit >= len(groups) else [groups[n * len(groups) // limit] for n in range(limit)]
    return [question for group in kept for _, question in group]


def _dialogue_of(numbered: tuple[int, Question]) -> tuple[str, int]:
    number, question = numbered
    return (question.db, number if question.dialogue is None else -1 - question.dialogue)


def _judge_all(
    answer: Answer, connection: duckdb.DuckDBPyConnection, asked: Sequence[Question], follow: bool
) -> Iterator[Judged]:
    history: History = ()
    before: int | None = None
    for question in asked:
        if question.dialogue is None or question.dialogue != before or not follow:
            history = ()
        sql = answer(connection, question.question, history)
        yield judge(connection, question, sql)
        history, before = (*history, (question.question, sql)), question.dialogue


def judge(connection: duckdb.DuckDBPyConnection, question: Question, sql: str | None) -> Judged:
    """Compare what SQL gives with what the right SQL gives: as multisets of rows, in order only where it is ordered."""
    joins = reads_several_tables(question.sql)
    if sql is None:
        return Judged(question, sql, DECLINED, joins)
    try:
        connection.execute(f"EXPLAIN {sql}")
    except duckdb.Error:
        return Judged(question, sql, UNBOUND, joins)
    right = same(rows_of(connection, question.sql), rows_of(connection, sql), question.ordered)
    return Judged(question, sql, RIGHT if right else WRONG, joins)


def reads_several_tables(sql: str) -> bool:
    """Whether SQL names more than one table, or the same one twice."""
    try:
        return len(list(sqlglot.parse_one(sql, read="duckdb").find_all(exp.Table))) > 1
    except sqlglot.errors.SqlglotError:
        return bool(re.search(r"\bJOIN\b", sql))


Rows = list[tuple[Any, ...]]


def rows_of(connection: duckdb.DuckDBPyConnection, sql: str, seconds: float = SECONDS) -> Rows | None:
    """Return the rows of a query; None where it fails or takes longer than the time given."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        return connection.execute(sql).fetchmany(MOST_ROWS)
    except duckdb.Error:
        return None
    finally:
        timer.cancel()


def same(right: Rows | None, given: Rows | None, ordered: bool) -> bool:
    """Whether two results are equal: floats to 6 digits, columns by place, rows in order only where `ordered`."""
    if right is None or given is None or len(right) != len(given):
        return False
    one, two = [_plain(row) for row in right], [_plain(row) for row in given]
    return one == two if ordered else Counter(one) == Counter(two)


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_plain_cell(cell) for cell in row)


def _plain_cell(cell: Any) -> Any:
    if isinstance(cell, bool) or cell is None:
        return cell
    if isinstance(cell, int | float | Decimal):
        return f"{float(cell):.6g}" if not float(cell).is_integer() else int(cell)
    return cell if isinstance(cell, str) else str(cell)
