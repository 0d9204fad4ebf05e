"""Scores an answer: compares its rows with those of the reference SQL, or, if there are no rows, the SQL itself."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice, product
from typing import Any

import duckdb

from ....workers.sandbox import interruptible
from .datasets import Question

Outcome = str
OUTCOMES = (
    "right", "wrong", "empty", "does not run", "does not bind", "does not parse", "guard", "declined", "no SQL",
    "service error",
)  # fmt: skip
RIGHT, WRONG, EMPTY, FAILED, UNBOUND, UNPARSED, GUARDED, DECLINED, NO_SQL, SERVICE = OUTCOMES
OUTCOME_OF_CODE = {
    "parser": UNPARSED,
    "guard": GUARDED,
    "memory": FAILED,
    "time": FAILED,
    "declined": DECLINED,
    "unsure": DECLINED,
    "no_sql": NO_SQL,
}
SECONDS = 10.0
MAX_ROWS = 100_000
MAX_SHOWN = 5
MAX_COLUMN_CHOICES = 200
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """The result of `text2sql_detail` for one question."""

    sql: str | None = None
    code: str = ""
    message: str = ""
    attempts: int = 1
    bound: bool = False
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of the rows from the reference rows: their numbers, and some missing and surplus rows."""

    right: int
    given: int
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    only_columns: bool = False


@dataclass(frozen=True, slots=True)
class ScoredAnswer:
    """One question, its answer, and the outcome.

    Args:
        question, sql: the question and the answer.
        outcome: one of `OUTCOMES`.
        joins: whether the reference SQL reads several tables.
        answered: the whole result of text2sql.
        difference: the difference of the rows, if the answer is wrong.
        why: DuckDB's error for SQL that does not run.
    """

    question: Question
    sql: str | None
    outcome: Outcome
    joins: bool
    answered: ModelAnswer = ModelAnswer()
    difference: Difference | None = None
    why: str = ""

    @property
    def lenient(self) -> bool:
        """Whether it is wrong in nothing but the order of the columns, or further columns."""
        return self.difference is not None and self.difference.only_columns


def judge_rows(
    connection: duckdb.DuckDBPyConnection, right: Rows | None, sql: str, ordered: bool, seconds: float = SECONDS
) -> tuple[Outcome, str, Difference | None]:
    """Run the SQL of an answer; return the outcome, DuckDB's error if it failed, and the difference of wrong rows.

    Args:
        connection: the question's database.
        right: the reference rows.
        sql: the answer.
        ordered: whether the order of the rows matters.
        seconds: how long it may run.
    """
    given, why = run(connection, sql, seconds)
    if given is None:
        return FAILED, why, None
    if same_rows(right, given, ordered):
        return RIGHT, "", None
    found = replace(difference(right or [], given), only_columns=holds_columns(right, given, ordered))
    return EMPTY if right and not given else WRONG, "", found


def find_outcome(code: str) -> Outcome:
    """Return the outcome for an error code: DuckDB's error types, ours, or else a service's."""
    return OUTCOME_OF_CODE.get(code, UNBOUND if code in DUCKDB_WORDS else SERVICE)


def _message(error_type: type[BaseException]) -> set[str]:
    return {error_type.__name__.removesuffix("Exception").lower()}.union(
        *(_message(sub) for sub in error_type.__subclasses__())
    )


DUCKDB_WORDS = frozenset(_message(duckdb.Error))


def run(connection: duckdb.DuckDBPyConnection, sql: str, seconds: float = SECONDS) -> tuple[Rows | None, str]:
    """Return the rows of a query, or None and the reason: DuckDB's message, or that it takes too long."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        with interruptible(connection.interrupt):
            return connection.execute(sql).fetchmany(MAX_ROWS), ""
    except duckdb.InterruptException:
        return None, f"it takes longer than {seconds:g} s"
    except duckdb.Error as error:
        return None, str(error)
    finally:
        timer.cancel()


def fetch_rows(connection: duckdb.DuckDBPyConnection, sql: str, seconds: float = SECONDS) -> Rows | None:
    """Return the rows of a query; None if it fails or exceeds the time limit."""
    return run(connection, sql, seconds)[0]


def same_rows(right: Rows | None, given: Rows | None, ordered: bool) -> bool:
    """Whether two results are equal: floats to 6 digits, columns by position, rows in order only if `ordered`."""
    if right is None or given is None or len(right) != len(given):
        return False
    one, two = [_plain(row) for row in right], [_plain(row) for row in given]
    return one == two if ordered else Counter(one) == Counter(two)


def holds_columns(right: Rows | None, given: Rows, ordered: bool) -> bool:
    """Whether some columns of a result, in some order, are the reference's: an answer with more than was wanted."""
    if not right or len(right) != len(given) or not given[0]:
        return False
    columns = [[row[at] for row in map(_plain, given)] for at in range(len(given[0]))]
    wanted = [[row[at] for row in map(_plain, right)] for at in range(len(right[0]))]
    choices = [[at for at, column in enumerate(columns) if Counter(column) == Counter(cells)] for cells in wanted]
    tried = islice(product(*choices), MAX_COLUMN_CHOICES)
    return any(
        len(set(chosen)) == len(chosen)
        and same_rows(right, [tuple(row[at] for at in chosen) for row in given], ordered)
        for chosen in tried
    )


def difference(right: Rows, given: Rows) -> Difference:
    """Return the difference of two results, with the first rows that only one of them has."""
    one, two = Counter(map(_plain, right)), Counter(map(_plain, given))
    missing, extra = ([str(row) for row in list((a - b).elements())[:MAX_SHOWN]] for a, b in ((one, two), (two, one)))
    return Difference(len(right), len(given), tuple(missing), tuple(extra))


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_plain_cell(cell) for cell in row)


def _plain_cell(cell: Any) -> Any:
    if isinstance(cell, bool) or cell is None:
        return cell
    if isinstance(cell, int | float | Decimal):
        return f"{float(cell):.6g}" if not float(cell).is_integer() else int(cell)
    return cell if isinstance(cell, str) else str(cell)
