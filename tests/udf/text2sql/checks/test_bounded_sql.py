"""SQL for the user's own process gives the same rows as before, and fails at a row whose value would be too large."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from quackllm.udf.text2sql.checks.allowlist import is_allowed
from quackllm.udf.text2sql.checks.bounded_sql import COLLECTING, TOP_N, bounded
from quackllm.udf.text2sql.checks.guard import checked_statement
from quackllm.udf.text2sql.checks.sql_tree import to_sql
from quackllm.workers.errors import GuardError

SAME = """
SELECT repeat('#', n) FROM t
SELECT repeat('#', count(*) * 50 // max(n)) FROM t
SELECT name, repeat('#', count(*)) AS bar FROM t GROUP BY name ORDER BY repeat('#', count(*))
SELECT repeat(name, 3), repeat(l, 2), repeat(b, 2) FROM t
SELECT repeat('-', 20), lpad(name, 10, '0'), lpad(name, n::INTEGER, 'x'), rpad(name, n::INTEGER * 2, 'x') FROM t
SELECT unnest(generate_series(d, e, INTERVAL 1 DAY)) FROM t
SELECT unnest(generate_series(min(ts), max(ts), INTERVAL 1 HOUR)) FROM t
SELECT range(n), range(1, n), range(0, n, 2), generate_series(n, 1, -1), range(-n, n) FROM t
SELECT replace(name, 'a', 'b'), regexp_replace(name, 'a', 'bb', 'g'), replace(name, 'a', name || name) FROM t
SELECT levenshtein(name, 'abd'), damerau_levenshtein(name, name) FROM t
SELECT list_transform(l, lambda x: x + n), list_filter(l, lambda x: x > 1), list_reduce(l, lambda a, b: a + b) FROM t
SELECT list_transform([l], lambda x: list_transform(x, lambda y: y + 1)) FROM t
SELECT printf('%5d', n), format('{:,}', n), format('{:>10}', name) FROM t
SELECT bar(n, 0, 100, 40), to_base(n, 2), to_base(n, 2, n::INTEGER) FROM t
SELECT r.i FROM range(10) r(i), t WHERE repeat('x', i) = 'xx'
SELECT repeat(repeat(name, n), n), name.repeat(n) FROM t
SELECT repeat('x', row_number() OVER ()), repeat('x', (SELECT max(n) FROM t)) FROM t
WITH a AS (SELECT repeat('x', n) AS r FROM t) SELECT r FROM a
SELECT list_resize(l, n), bitstring('01', n::INTEGER) FROM t
SELECT list(n) OVER (ORDER BY n ROWS BETWEEN 9 PRECEDING AND CURRENT ROW), sum(n) OVER (ORDER BY n) FROM t
SELECT string_agg(name) OVER w FROM t WINDOW w AS (ORDER BY n ROWS BETWEEN 3 PRECEDING AND 3 FOLLOWING)
SELECT list_transform(l, lambda x: name || x), [{'a': t.name, 'b': x} FOR x IN l], l.list_transform(lambda x: n) FROM t
SELECT list_transform([l], lambda x: list_transform(x, lambda y: y + n)), list_transform([[name]], lambda x: x) FROM t
SELECT max(n, 3) OVER (ORDER BY d), max(n) OVER (ORDER BY d), arg_max(name, n) OVER () FROM t
SELECT mode(name) OVER (PARTITION BY n), median(n) OVER (ORDER BY d), count(DISTINCT n) OVER (ORDER BY d) FROM t
SELECT mode(n) OVER (ORDER BY d ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), list(n) FROM t GROUP BY n, d
SELECT list_distinct(l), list_unique(l), l && l, l @> [1], list_intersect(l, NULL), map(l, l), l.list_distinct() FROM t
SELECT list_distinct(list(replace(name, name, name || n))) FROM t GROUP BY list_unique(l)
SELECT list_mode(l), list_aggregate(l, 'mode'), list_aggr(l, 'sum'), len(list_distinct(string_split(name, 'b'))) FROM t
""".strip().split("\n")
TOO_LARGE = """
SELECT repeat(name, n * 1000000) FROM t
SELECT name.repeat(n * 1000000) FROM t
SELECT lpad(name, n::INTEGER * 100000000, 'x') FROM t
SELECT range(n * 1000000000) FROM t
SELECT range(-n * 1000000000, 0) FROM t
SELECT generate_series(ts, ts + INTERVAL 100000 YEAR, INTERVAL 1 SECOND) FROM t
SELECT generate_series(ts, ts - INTERVAL 5000 YEAR, -INTERVAL 1 SECOND) FROM t
SELECT list_resize(l, n * 1000000000) FROM t
SELECT repeat('x', (SELECT 4000000000)) FROM t
SELECT regexp_replace(repeat(name, 30000), '', name || name || name, 'g') FROM t
SELECT levenshtein(repeat(name, 30000), repeat(name, 30000)) FROM t
SELECT list_transform(range(n * 10000), lambda i: name) FROM t
SELECT [CASE WHEN i > 1 THEN {'a': name} END FOR i IN range(n * 10000)] FROM t
SELECT len(list_distinct(list(x))) FROM (SELECT unnest(range(100001)) AS x), t
SELECT list_mode(c) FROM (SELECT list(x) AS c FROM range(100001) r(x))
SELECT list(x) && list(x), list_has_all(list(x), [1]) FROM range(50001) r(x)
SELECT map_from_entries(list((x, x))) FROM range(100001) r(x)
SELECT list_aggregate(list(x), 'entropy') FROM range(100001) r(x)
""".strip().split("\n")
REFUSED = """
SELECT list_transform(l, lambda x: repeat('x', x)) FROM t
SELECT list_transform(l, lambda x: list_transform(l, lambda y: x + y)) FROM t
SELECT list_reduce(l, lambda a, b: a || b) FROM t
SELECT printf('%1000000d', n) FROM t
SELECT printf('%*d', n, n) FROM t
SELECT format(name, n) FROM t
SELECT repeat('x', (random() * 5)::INTEGER) FROM t
SELECT list_transform([l], lambda x: list_transform(x, lambda y: name)) FROM t
SELECT list_transform([l], lambda x: list_transform(x, lambda y: x)) FROM t
SELECT list(n) OVER () FROM t
SELECT string_agg(name, ',') OVER (PARTITION BY d) FROM t
SELECT len(ARRAY_AGG(DISTINCT n) FILTER (n > 1) OVER w) FROM t WINDOW w AS (ORDER BY n)
SELECT n FROM t QUALIFY len(list(n) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) > 1
SELECT json_group_array(n) OVER (ORDER BY n ROWS BETWEEN 999 PRECEDING AND CURRENT ROW) FROM t
SELECT histogram(n) OVER (ORDER BY d RANGE BETWEEN INTERVAL 3 DAY PRECEDING AND CURRENT ROW) FROM t
SELECT mode(n) OVER (ORDER BY d) FROM t
SELECT max(n, 100000) OVER (ORDER BY d), max_by(name, n, n) OVER () FROM t
SELECT map(range(n * 9000), array_apply(range(n * 9000), lambda i, j: t.name || i)) FROM t
SELECT list_distinct(a) FROM (SELECT range(n) AS a FROM t)
SELECT list_transform([list(n)], lambda x: list_unique(x)) FROM t
SELECT * FROM (SELECT entropy(n) OVER (ORDER BY d GROUPS BETWEEN 3 PRECEDING AND 3 FOLLOWING) FROM t)
""".strip().split("\n")


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(
            "CREATE TABLE t AS SELECT 'abc' AS name, 5::BIGINT AS n, DATE '2020-01-01' AS d, DATE '2020-02-01' AS e, "
            "[1, 2] AS l, 'x'::BLOB AS b, TIMESTAMP '2020-01-01' AS ts"
        )
        yield opened


@pytest.mark.parametrize("sql", SAME)
def test_the_rows_are_the_same(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    written, _ = bounded(checked_statement(sql)[1])
    assert connection.execute(to_sql(written)).fetchall() == connection.execute(sql).fetchall()


@pytest.mark.parametrize("sql", TOO_LARGE)
def test_a_row_whose_value_would_be_too_large_stops_it(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    written, is_new = bounded(checked_statement(sql)[1])
    assert is_new
    with pytest.raises(duckdb.InvalidInputException, match="ask stops"):
        connection.execute(to_sql(written)).fetchall()


@pytest.mark.parametrize("sql", REFUSED)
def test_what_nothing_bounds_is_refused(sql: str) -> None:
    with pytest.raises(GuardError, match="ask cannot run it"):
        bounded(checked_statement(sql)[1])


ARGUMENTS = ("n", "n, 1000", "s", "s, n", "n, n", "n::DOUBLE, n::DOUBLE, 1000", "n, n, 1000", "v", "s, v")


def test_every_aggregate_whose_value_grows_with_its_rows_is_known() -> None:
    with duckdb.connect() as opened:
        for rows in (100, 400):
            columns = "range AS n, 'text ' || range AS s, range::VARIANT AS v"
            opened.execute(f"CREATE TABLE of_{rows} AS SELECT {columns} FROM range({rows})")
        types = "('aggregate', 'macro')"
        names = opened.execute(f"SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN {types}")
        growing = {name for (name,) in names.fetchall() if is_allowed(name) and _grows(opened, name)}
    assert growing == COLLECTING | TOP_N.keys()


def _grows(connection: duckdb.DuckDBPyConnection, aggregate: str) -> bool:
    """Whether an aggregate over a window of 400 rows is much longer than one of 100."""

    def length(arguments: str, rows: int) -> int:
        call = f"{aggregate}({arguments}) OVER ()"
        try:
            lengths = connection.execute(f"SELECT strlen(({call})::VARCHAR) FROM of_{rows} LIMIT 1").fetchall()
        except duckdb.Error:  # These are not its arguments.
            return 0
        return lengths[0][0] or 0

    return any((long := length(each, 400)) and long > 3 * length(each, 100) > 0 for each in ARGUMENTS)
