"""Queries about dates as models write them for DuckDB, and a table that every database holds alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb
from quackllm.workers.database_schema import Column, Schema, Table

NAMES = (("name", "VARCHAR"), ("n", "INTEGER"), ("d", "DATE"), ("ts", "TIMESTAMP"))
SCHEMA = Schema("m", (Table("t", tuple(Column(name, kind) for name, kind in NAMES)),))
TIMES = (
    "2024-01-31 10:11:12",
    "2024-02-29 23:59:59",
    "2023-12-31 23:59:59",
    "2021-01-03 00:00:00",
    "2020-12-31 12:00:00",
)
ROWS = [f"('{chr(97 + n)}', {n}, '{at[:10]}', '{at}')" for n, at in enumerate(TIMES)] + ["('e', 9, NULL, NULL)"]
FILL = f"INSERT INTO t VALUES {', '.join(ROWS)}"

QUERIES = (
    "SELECT count(*) FROM t WHERE d > current_date - INTERVAL 30 DAY",
    "SELECT count(*) FROM t WHERE d >= current_date - 30 OR ts < now() - INTERVAL '7 days'",
    "SELECT year(d) AS y, count(*) FROM t GROUP BY ALL",
    "SELECT name, sum(n) AS s, (SELECT max(n) FROM t) FROM t GROUP BY ALL ORDER BY ALL DESC",
    "SELECT date_trunc('month', d) AS m, sum(n) FROM t GROUP BY m ORDER BY m",
    "SELECT date_trunc('week', d), date_trunc('quarter', d), date_trunc('year', d), date_trunc('day', ts) FROM t",
    "SELECT date_trunc('hour', ts), date_trunc('minute', ts), date_trunc('month', ts) FROM t",
    "SELECT month(d), day(d), quarter(d), week(d), dayofweek(d), dayofyear(d), hour(ts), minute(ts), second(ts) FROM t",
    "SELECT yearweek(d), isodow(d), isoyear(d), decade(d), weekday(d), epoch(ts) FROM t",
    "SELECT extract(year FROM d), extract(dow FROM d), date_part('month', d), datepart('doy', d) FROM t",
    "SELECT strftime(d, '%Y-%m'), strftime('%d', d) FROM t",
    "SELECT d + INTERVAL 1 MONTH, d - INTERVAL '2 years', ts + INTERVAL 3 HOUR, ts + INTERVAL 1 MONTH FROM t",
    "SELECT d + INTERVAL '1 year 2 months 3 days', ts - INTERVAL 13 MONTH, d + INTERVAL 2 WEEK FROM t",
    "SELECT d + 30, d - 7, d + n, n + d, d - INTERVAL (n) DAY, d + n * INTERVAL 1 DAY, d + to_days(n) FROM t",
    "SELECT d + INTERVAL (n) MONTH, INTERVAL 1 DAY + d, date_add(d, INTERVAL 1 DAY) FROM t",
    "SELECT d - DATE '2024-01-01', max(d) OVER () - d FROM t",
    "SELECT max(d) - min(d) FROM t",
    "WITH a AS (SELECT d AS x, ts AS y FROM t) SELECT x + 1, x - INTERVAL 1 MONTH, y - INTERVAL 1 DAY FROM a",
    "SELECT date_diff('day', d, DATE '2024-06-05'), date_diff('month', d, DATE '2024-06-05') FROM t",
    "SELECT datediff('year', d, DATE '2024-06-05'), datediff('quarter', d, DATE '2024-06-05') FROM t",
    "SELECT date_diff('week', d, DATE '2024-06-05'), date_diff('hour', ts, TIMESTAMP '2024-06-05 01:30:00') FROM t",
    "SELECT CAST(ts AS DATE), d::TIMESTAMP, ts::TIME FROM t",
    "SELECT dayname(d), monthname(d), last_day(d), make_date(2024, n + 1, 2) FROM t",
    "SELECT name FROM t WHERE d BETWEEN '2024-01-01' AND '2024-12-31' AND ts < TIMESTAMP '2024-06-01 00:00:00'",
    "SELECT name FROM t WHERE d = (SELECT max(d) FROM t) OR year(d) = 2021",
    "SELECT year(DATE '2024-05-05') - year(d), n - 1 FROM t",
    "SELECT contains(name, 'a'), starts_with(name, 'a'), left(name, 1), right(name, 1), concat(name, '-', n) FROM t",
)
REFUSED = ("SELECT ts - ts FROM t", "SELECT INTERVAL 1 DAY FROM t", "SELECT strftime(d, '%B') FROM t")
"""What SQLite has nothing like, and would answer with a wrong value."""


def in_duckdb(query: str) -> list[tuple[Any, ...]]:
    """Return what DuckDB gives for a query, in a zone without an offset."""
    with duckdb.connect() as connection:
        for statement in ("SET TimeZone = 'UTC'", f"CREATE TABLE t ({', '.join(map(' '.join, NAMES))})", FILL):
            connection.execute(statement).complete()
        return comparable(connection.execute(query).fetchall())


def from_json(rows: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return a database's rows, that came as JSON arrays, to be compared."""
    return comparable([tuple(json.loads(row)) for row in rows])


def comparable(rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Return rows in an order of their own, midnight as the date alone and numbers alike."""
    return sorted((tuple(map(_plain, row)) for row in rows), key=str)


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float | Decimal):
        return int(value) if value == int(value) else float(value)
    if isinstance(value, date | datetime | time):
        value = str(value)
    return value.removesuffix("+00").removesuffix(" 00:00:00") if isinstance(value, str) else value
