"""The same case on two connections, one with the planner and one without, and whether they agree."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb
from quackllm.udf.calls.async_store import forget_answers, open_store
from quackllm.udf.raw_sql import execute_raw
from quackllm.workers import connect_fleet, event_loop
from quackllm.workers.errors import QuackLLMError

import quackllm
from support.sql_cases import Case, Step
from support.sql_oracle import oracles

TABLES = """
CREATE TABLE people AS SELECT i AS id,
    ['Ann', 'Bo', NULL, '北京', 'red', 'FAIL now', '', 'Ann', 'O''Brien', 'CUT it'][1 + i * 7 % 10] AS name,
    ['Rome', 'Oslo', '上海', NULL, 'Lima'][1 + i * 3 % 5] AS city, DATE '1990-01-01' + CAST(i * 311 AS INTEGER) AS born,
    CASE WHEN i % 9 THEN i % 4 END AS team, ['7', '12', 'x', '03', NULL, '-1'][1 + i % 6] AS code FROM range(40) t(i);
CREATE TABLE orders AS SELECT i AS id, nullif(i * 5 % 43, 7) AS person_id,
    ['tea', 'red', 'x y', NULL, 'FAIL tea', '茶', '%a_'][1 + i * 5 % 7] AS item, i * i % 50 AS amount,
    DATE '1991-05-05' + CAST(i * 97 AS INTEGER) AS placed FROM range(60) t(i);
CREATE TABLE rooms AS SELECT i % 5 AS team, ['hall', 'red', NULL, '室'][1 + i % 4] AS room FROM range(8) t(i);
CREATE TABLE events AS
    SELECT i AS id, ['a', 'b', 'c'][1 + i % 3] AS kind, 'event ' || i % 11 AS body FROM range(2600) t(i);
CREATE TEMP TABLE drafts AS SELECT i AS id, 'draft ' || i % 6 AS body FROM range(30) t(i);
CREATE SEQUENCE numbers;
CREATE TABLE keyed (id INTEGER DEFAULT nextval('numbers'), body VARCHAR);
CREATE VIEW adults AS SELECT id, name, born FROM people WHERE born < DATE '2008-01-01';
CREATE TEMP MACRO liked(x) AS llm_result(orc('yn: like ' || x)) = 'yes';
CREATE MACRO clean(x) AS trim(lower(x));
CREATE TEMP VIEW judged AS SELECT id, name, llm_result(orc('yn: ' || name)) AS ok FROM people;
CREATE TEMP VIEW asked AS SELECT id, item, orc('say: ' || item) AS reply FROM orders WHERE amount < 30;
CREATE TEMP MACRO of_team(n) AS TABLE SELECT id, name, city FROM people WHERE team = n AND liked(city);
"""
STATE = """SELECT (SELECT count(*) FROM people), (SELECT sum(hash(o)) FROM orders o), (SELECT count(*) FROM keyed),
(SELECT count(*) FROM rooms), (SELECT count(*) FROM duckdb_tables()), (SELECT count(*) FROM duckdb_views())"""


@dataclass
class Outcome:
    """What one step gave: rows as texts in their order, or the type of an error."""

    rows: list[str] = field(default_factory=list)
    error: str | None = None
    message: str = ""


class Side:
    """One connection with its tables, planned or not."""

    def __init__(self, planned: bool) -> None:
        self.connection = quackllm.connect(model="orc")
        self.connection.execute(TABLES)
        self.connection.execute("SET threads = 1")
        if not planned:
            self.connection.execute("SET VARIABLE llm_prefetch = 'off'")
        self.state = self.look()

    def look(self) -> str:
        """Return what must not have changed when a case is over."""
        return repr(execute_raw(self.connection, STATE))

    def run(self, case: Case) -> list[Outcome]:
        """Run the steps, and leave things as they were."""
        execute_raw(self.connection, f"SET VARIABLE llm_store = '{case.store}'")
        outcomes = [self.outcome(step) for step in case.steps]
        return [*outcomes, *self._left_behind(case)]

    def _left_behind(self, case: Case) -> list[Outcome]:
        """Say whether a transaction is open, and what the tables hold when it is undone."""
        try:
            execute_raw(self.connection, "BEGIN")
            open_before = "none"
        except duckdb.TransactionException as error:
            open_before = str(error)
        duckdb.DuckDBPyConnection.rollback(self.connection)
        for thing in case.made:
            kind, *name = thing.split()
            execute_raw(
                self.connection, f"DROP {kind} IF EXISTS {' '.join(name)}" if kind != "MACRO" else f"DROP {thing}"
            )
        return [Outcome([open_before]), Outcome([self.look()])]

    def outcome(self, step: Step) -> Outcome:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return Outcome([shown(row) for row in getattr(self, step.how)(step.sql, *step.parameters)])
        except (duckdb.Error, QuackLLMError, RuntimeError, ValueError) as error:
            return Outcome(error=type(error).__name__, message=str(error))

    # What a step may do

    def fetchall(self, sql: str, *parameters: Any) -> list[Any]:
        return self.connection.execute(sql, list(parameters) if parameters else None).fetchall()

    def executemany(self, sql: str, *rows: Any) -> list[Any]:
        return self.connection.executemany(sql, [list(row) for row in rows]).fetchall()

    def count(self, sql: str) -> list[Any]:
        return [len(self.connection.execute(sql).fetchall())]

    def method(self, call: str) -> list[Any]:
        getattr(self.connection, call)()
        return []

    def fetchone(self, sql: str) -> list[Any]:
        self.connection.execute(sql)
        return list(iter(self.connection.fetchone, None))

    def half(self, sql: str) -> list[Any]:
        """Read two rows and let the rest go."""
        self.connection.execute(sql)
        return [self.connection.fetchone(), self.connection.fetchone()]

    def fetchmany(self, sql: str) -> list[Any]:
        self.connection.execute(sql)
        parts: Iterator[list[Any]] = iter(lambda: self.connection.fetchmany(7), [])
        return [row for part in parts for row in part]

    def arrow(self, sql: str) -> list[Any]:
        return self.connection.execute(sql).to_arrow_table().to_pylist()

    def df(self, sql: str) -> list[Any]:
        return self.connection.execute(sql).fetchall()

    def relation(self, sql: str) -> list[Any]:
        relation = self.connection.sql(sql)
        return [*relation.fetchall(), len(relation.fetchall()), *map(str, relation.types)]

    def filter(self, sql: str, condition: str) -> list[Any]:
        return self.connection.sql(sql).filter(condition).fetchall()

    def limit(self, sql: str, number: str) -> list[Any]:
        return self.connection.sql(sql).limit(int(number)).fetchall()

    def project(self, sql: str, expression: str) -> list[Any]:
        return self.connection.sql(sql).project(expression).fetchall()

    def order(self, sql: str, expression: str) -> list[Any]:
        return self.connection.sql(sql).order(expression).fetchall()

    def aggregate(self, sql: str, expressions: str) -> list[Any]:
        return self.connection.sql(sql).aggregate(expressions).fetchall()


def shown(value: Any) -> str:
    """Return a value as a text; of a response, all but how long it took."""
    return repr(_timeless(value))


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: None if key == "seconds" else _timeless(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_timeless(inner) for inner in value]
    return value


@dataclass
class Verdict:
    """What came of a case on both sides."""

    case: Case
    planned: list[Outcome]
    plain: list[Outcome]
    calls: tuple[int, int]
    """Made with the planner, and without."""
    difference: str | None = None

    def __str__(self) -> str:
        return f"{self.difference}\n{self.case}\ncalls: {self.calls[0]} planned, {self.calls[1]} plain"


class TwoSides:
    """Both sides, and the list of what the oracles are asked."""

    def __init__(self, asked: list[str]) -> None:
        self.asked = asked
        self.planned, self.plain = Side(planned=True), Side(planned=False)

    def try_case(self, case: Case) -> Verdict:
        plainly, without = self._run(self.plain, case)
        planned, calls = self._run(self.planned, case)
        verdict = Verdict(case, planned, plainly, (calls, without))
        verdict.difference = self._difference(case, planned, plainly)
        if verdict.difference or planned[-1].rows != [self.planned.state]:
            self.planned, self.plain = Side(planned=True), Side(planned=False)
        return verdict

    def _run(self, side: Side, case: Case) -> tuple[list[Outcome], int]:
        if case.store == "on":
            event_loop.run_sync(forget_answers(open_store(connect_fleet(None)), None, 0.0))
        self.asked.clear()
        return side.run(case), len(self.asked)

    def _difference(self, case: Case, planned: list[Outcome], plainly: list[Outcome]) -> str | None:
        for place, (one, other) in enumerate(zip(planned, plainly, strict=True)):
            if one.error != other.error:
                return f"step {place}: planned {one.error} {one.message}, plain {other.error} {other.message}"
            if one.rows != other.rows and not self._may_differ(case, one.rows, other.rows):
                lost, more = Counter(other.rows) - Counter(one.rows), Counter(one.rows) - Counter(other.rows)
                rows = f"{len(one.rows)} rows planned, {len(other.rows)} plain"
                return f"step {place}: {rows}; lost {_few(lost)}, added {_few(more)}"
        return None

    def _may_differ(self, case: Case, one: list[str], other: list[str]) -> bool:
        if len(one) != len(other):
            return False
        if not case.ordered and sorted(one) == sorted(other):
            return True
        if case.ordered or case.unlimited is None:
            return False
        whole = Counter(self.plain.outcome(Step(case.unlimited)).rows)
        return not Counter(one) - whole


def _few(rows: Counter[str]) -> str:
    return f"{sum(rows.values())} {list(rows)[:3]}"


@contextmanager
def two_sides() -> Iterator[TwoSides]:
    """Open both sides with the oracles deployed in QUACKLLM_HOME."""
    with oracles() as asked:
        sides = TwoSides(asked)
        yield sides
        sides.planned.connection.close()
        sides.plain.connection.close()
