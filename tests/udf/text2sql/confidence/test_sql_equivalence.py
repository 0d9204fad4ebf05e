from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quackllm.udf.text2sql.confidence.sql_equivalence import equivalent_sql
from quackllm.workers.database_schema import Column, Schema, Table

SCHEMA = Schema(
    tables=(
        Table("a", (Column("id", "INTEGER"), Column("x", "VARCHAR"), Column("n", "INTEGER"))),
        Table("b", (Column("a_id", "INTEGER"), Column("y", "VARCHAR"))),
        Table("歌手", (Column("姓名", "VARCHAR"), Column("国家", "VARCHAR"))),
    )
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT x FROM a", "select A.X as foo from A -- why\n;"),
        ('SELECT "姓名" FROM "歌手" WHERE "国家" = \'法国\'', "SELECT t.姓名 FROM 歌手 AS t WHERE '法国' = t.国家"),
        ("SELECT * FROM a", "SELECT id, x, n FROM a"),
        ("SELECT x FROM a WHERE n > 1 AND x = 'Q'", "SELECT x FROM a WHERE (x = 'q') AND 1 < n"),
        ("SELECT x FROM a WHERE (n = 1 OR n = 2) AND x = 's'", "SELECT x FROM a WHERE x = 's' AND (n = 2 OR n = 1)"),
        (
            "SELECT T1.x FROM a AS T1 JOIN b AS T2 ON T1.id = T2.a_id WHERE T2.y = 'v'",
            "SELECT a.x FROM b JOIN a ON b.a_id = a.id AND y = 'V'",
        ),
        ("SELECT x FROM a, b WHERE id = a_id", "SELECT x FROM a JOIN b ON a_id = id"),
        ("SELECT x FROM a WHERE n BETWEEN 1 AND 2", "SELECT x FROM a WHERE n >= 1 AND n <= 2"),
        ("SELECT x FROM a WHERE NOT n = 5", "SELECT x FROM a WHERE n <> '5'"),
        ("SELECT x FROM a WHERE n != 5", "SELECT x FROM a WHERE n <> 5.0"),
        ("SELECT x FROM a WHERE n IN (5)", "SELECT x FROM a WHERE 5 = n"),
        ("SELECT x FROM a WHERE n IN (1, 2)", "SELECT x FROM a WHERE n IN (2, 1)"),
        ("SELECT count(*) FROM a", "SELECT COUNT(1) FROM a"),
        (
            "SELECT x, count(*) FROM a GROUP BY x ORDER BY count(*) DESC LIMIT 1",
            "SELECT x, count(*) AS c FROM a GROUP BY 1 ORDER BY c DESC LIMIT 1",
        ),
        ("SELECT x, n FROM a GROUP BY x, n", "SELECT x, n FROM a GROUP BY n, x"),
        ("WITH q AS (SELECT x FROM a) SELECT x FROM q", "SELECT x FROM (SELECT x FROM a) AS z"),
        (
            "SELECT x FROM a WHERE id IN (SELECT a_id FROM b)",
            "SELECT T.x FROM a T WHERE T.id IN (SELECT U.a_id FROM b AS U)",
        ),
        ("SELECT t1.x FROM a t1 JOIN a t2 ON t1.id = t2.n", "SELECT t2.x FROM a t1 JOIN a t2 ON t2.id = t1.n"),
        (
            "SELECT x FROM a WHERE n = (SELECT max(n) FROM a)",
            "SELECT T1.x FROM a T1 WHERE T1.n = (SELECT max(T1.n) FROM a T1)",
        ),
        ("SELECT x FROM a UNION SELECT y FROM b", "SELECT y FROM b UNION SELECT x FROM a"),
        ("SELECT x FROM a ORDER BY n", "SELECT x FROM a ORDER BY n ASC"),
        ("SELECT x FROM a WHERE x LIKE '%Q%'", "SELECT x FROM a WHERE x ILIKE '%q%'"),
        ("SELECT x FROM a WHERE x NOT LIKE '%Q%'", "SELECT x FROM a WHERE NOT x ILIKE '%q%'"),
    ],
)
def test_what_is_only_written_otherwise_is_the_same(one: str, other: str) -> None:
    assert equivalent_sql(one, other, SCHEMA)
    assert equivalent_sql(other, one, SCHEMA)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT x FROM a", "SELECT n FROM a"),
        ("SELECT x, n FROM a", "SELECT n, x FROM a"),
        ("SELECT x FROM a", "SELECT DISTINCT x FROM a"),
        ("SELECT x FROM a", "SELECT x FROM a LIMIT 1"),
        ("SELECT x FROM a LIMIT 1", "SELECT x FROM a LIMIT 2"),
        ("SELECT x FROM a WHERE n > 1", "SELECT x FROM a WHERE n >= 1"),
        ("SELECT x FROM a WHERE n > 1", "SELECT x FROM a WHERE 1 > n"),
        ("SELECT x FROM a WHERE x = 'p'", "SELECT x FROM a WHERE x = 'q'"),
        ("SELECT x FROM a WHERE n = 1 AND id = 2", "SELECT x FROM a WHERE n = 1 OR id = 2"),
        ("SELECT x FROM a WHERE n = 1 AND id = 2", "SELECT x FROM a WHERE n = 2 AND id = 1"),
        ("SELECT x FROM a WHERE NOT (n = 1 AND id = 1)", "SELECT x FROM a WHERE NOT (n = 1 OR id = 1)"),
        ("SELECT x FROM a WHERE n - id = 1", "SELECT x FROM a WHERE id - n = 1"),
        ("SELECT x FROM a WHERE x LIKE 'a%'", "SELECT x FROM a WHERE x NOT LIKE 'a%'"),
        ("SELECT x FROM a WHERE x IN (SELECT y FROM b)", "SELECT x FROM a WHERE x NOT IN (SELECT y FROM b)"),
        ("SELECT x FROM a LEFT JOIN b ON id = a_id", "SELECT x FROM a JOIN b ON id = a_id"),
        ("SELECT x FROM a LEFT JOIN b ON id = a_id", "SELECT x FROM b LEFT JOIN a ON id = a_id"),
        ("SELECT t1.x FROM a t1 JOIN a t2 ON t1.id = t2.n", "SELECT t2.x FROM a t1 JOIN a t2 ON t1.id = t2.n"),
        ("SELECT x FROM a ORDER BY n", "SELECT x FROM a ORDER BY n DESC"),
        ("SELECT x FROM a ORDER BY n, id", "SELECT x FROM a ORDER BY id, n"),
        ("SELECT x FROM a EXCEPT SELECT y FROM b", "SELECT y FROM b EXCEPT SELECT x FROM a"),
        ("SELECT x FROM a UNION SELECT y FROM b", "SELECT x FROM a UNION ALL SELECT y FROM b"),
        ("SELECT max(n) FROM a", "SELECT min(n) FROM a"),
        ("SELECT count(*) FROM a", "SELECT count(x) FROM a"),
        ("SELECT count(x) FROM a", "SELECT count(DISTINCT x) FROM a"),
        ("SELECT x FROM a GROUP BY x HAVING count(*) > 1", "SELECT x FROM a GROUP BY x HAVING count(*) > 2"),
        ("SELECT x FROM a", "SELECT x FROM"),
    ],
)
def test_what_says_something_else_is_not_the_same(one: str, other: str) -> None:
    assert not equivalent_sql(one, other, SCHEMA)
    assert not equivalent_sql(other, one, SCHEMA)


COLUMNS = st.sampled_from(["id", "n"])
CONDITIONS = st.lists(
    st.builds("{} {} {}".format, COLUMNS, st.sampled_from(["=", "<>", "<", ">="]), st.integers(0, 9)),
    min_size=1,
    max_size=4,
    unique=True,
)


@settings(max_examples=25)
@given(CONDITIONS, st.randoms(use_true_random=False))
def test_the_order_of_conditions_never_matters(conditions: list[str], chance) -> None:
    mixed = list(conditions)
    chance.shuffle(mixed)
    one, other = (f"SELECT x FROM a WHERE {' AND '.join(some)}" for some in (conditions, mixed))
    assert equivalent_sql(one, other, SCHEMA)
    assert not equivalent_sql(one, f"{other} AND id = 77", SCHEMA)


def test_without_a_schema_queries_are_compared_as_they_are_written() -> None:
    assert equivalent_sql("SELECT x FROM t WHERE n = 1", "select U.X from T as U where 1 = U.N")
    assert not equivalent_sql("SELECT x FROM t", "SELECT y FROM t")


def test_a_table_read_twenty_times_is_compared_in_an_instant() -> None:
    sources = ", ".join(f"a AS a{n}" for n in range(20))
    assert equivalent_sql(f"SELECT a0.x FROM {sources}", f"SELECT a0.x FROM {sources}", SCHEMA)
