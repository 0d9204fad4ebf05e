"""What DuckDB does with dates, done by SQLite: the same rows from both. `test_sqlalchemy_server.py` has the servers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quackllm.udf.text2sql.checks.date_types import infer_date_type
from quackllm.udf.text2sql.checks.transpile import transpile
from quackllm.workers.binder import bind
from sqlglot import parse_one
from sqlglot.errors import SqlglotError

from support.date_queries import FILL, NAMES, QUERIES, REFUSED, SCHEMA, comparable, in_duckdb


@pytest.fixture(scope="module")
def sqlite() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.executescript(f"CREATE TABLE t ({', '.join(map(' '.join, NAMES))}); {FILL}")
    yield connection
    connection.close()


@pytest.mark.parametrize("query", QUERIES)
def test_sqlite_gives_what_duckdb_gives(sqlite: sqlite3.Connection, query: str) -> None:
    assert bind(query, SCHEMA) is None
    said = transpile(query, SCHEMA, "sqlite")
    assert comparable(sqlite.execute(said).fetchall()) == in_duckdb(query), said


@pytest.mark.parametrize("query", REFUSED)
def test_what_sqlite_would_answer_wrongly_is_refused(query: str) -> None:
    with pytest.raises(SqlglotError):
        transpile(query, SCHEMA, "sqlite")


@pytest.mark.parametrize("dialect", ["sqlite", "mysql", "postgres"])
def test_numbers_and_unknown_columns_are_no_dates(dialect: str) -> None:
    assert "n" in transpile("SELECT n - 7, n + n FROM t", SCHEMA, dialect)
    assert "interval" not in transpile("SELECT n - 7, n + n FROM t", SCHEMA, dialect).lower()


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("current_date", "DATE"),
        ("now()", "TIMESTAMP"),
        ("DATE '2024-01-01'", "DATE"),
        ("max(x::TIMESTAMP)", "TIMESTAMP"),
        ("coalesce((SELECT min(x::DATE)), y)", "DATE"),
        ("(x::TIMESTAMPTZ)", "TIMESTAMP"),
        ("x", ""),
        ("lower('a')", ""),
    ],
)
def test_the_type_of_an_expression_is_read_off_it(expression: str, kind: str) -> None:
    assert infer_date_type(parse_one(expression, read="duckdb")) == kind


units = st.sampled_from(["DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "HOUR", "MINUTE", "SECOND"])
parts = st.sampled_from(["year", "quarter", "month", "week", "day", "dayofweek", "isodow", "dayofyear", "yearweek"])
steps = st.tuples(st.sampled_from("+-"), st.integers(0, 40), units)


@settings(max_examples=200)
@given(
    start=st.datetimes(datetime(1000, 1, 1), datetime(3000, 1, 1)),
    steps=st.lists(steps, max_size=3),
    part=parts,
    unit=st.sampled_from(["day", "week", "month", "quarter", "year", "hour", "minute", "second"]),
    whole=st.booleans(),
)
def test_any_date_moved_cut_and_counted(sqlite, start, steps, part, unit, whole) -> None:
    literal = f"DATE '{start:%Y-%m-%d}'" if whole else f"TIMESTAMP '{start:%Y-%m-%d %H:%M:%S}'"
    moved = literal + "".join(f" {sign} INTERVAL {amount} {name}" for sign, amount, name in steps)
    query = (
        f"SELECT {moved}, {part}({literal}), date_trunc('{unit}', {literal}), "
        f"date_diff('{unit}', {literal}, TIMESTAMP '2024-02-29 12:34:56')"
    )
    said = transpile(query, SCHEMA, "sqlite")
    assert comparable(sqlite.execute(said).fetchall()) == in_duckdb(query), said
