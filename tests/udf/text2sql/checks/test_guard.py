import json
import os
import re
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quackllm.udf.text2sql.checks.allowlist import FUNCTIONS, TABLE_FUNCTIONS, is_allowed
from quackllm.udf.text2sql.checks.guard import check_sql
from quackllm.workers.database_schema import Column, Schema, Table
from quackllm.workers.errors import GuardError

from support.hostile_sql import REFUSED

ALLOWED = """
SELECT * FROM singer
select count(*) from singer
FROM singer
FROM singer SELECT name WHERE age > 3
TABLE singer
VALUES (1), (2)
SELECT 1
SELECT DISTINCT name FROM singer ORDER BY age DESC NULLS LAST LIMIT 3 OFFSET 1
SELECT DISTINCT ON (country) name FROM singer ORDER BY ALL
SELECT country, avg(age), max(age) - min(age) FROM singer GROUP BY country HAVING count(*) > 1
SELECT country, count(*) FROM singer GROUP BY ALL
SELECT a, b, sum(c) FROM t GROUP BY GROUPING SETS ((a), (a, b), ())
SELECT a, grouping(a) FROM t GROUP BY CUBE (a, b)
SELECT t1.name FROM singer AS t1 JOIN concert AS t2 ON t1.id = t2.singer_id
SELECT * FROM a LEFT JOIN b USING (id)
SELECT * FROM a NATURAL JOIN b
SELECT * FROM a CROSS JOIN b
SELECT * FROM a SEMI JOIN b USING (id)
SELECT * FROM a ASOF JOIN b ON a.at >= b.at
SELECT * FROM a POSITIONAL JOIN b
SELECT * FROM a, LATERAL (SELECT a.x + 1)
SELECT name FROM singer WHERE id NOT IN (SELECT singer_id FROM concert)
SELECT name FROM singer WHERE EXISTS (SELECT 1 FROM concert WHERE singer_id = singer.id)
SELECT name FROM singer WHERE age > ALL (SELECT age FROM singer WHERE country = 'France')
SELECT name FROM singer WHERE age = (SELECT max(age) FROM singer)
SELECT name FROM a UNION SELECT name FROM b EXCEPT SELECT name FROM c
SELECT name FROM a UNION ALL BY NAME SELECT name FROM b
SELECT name FROM a INTERSECT SELECT name FROM b
WITH a AS (SELECT 1 AS x), b AS MATERIALIZED (SELECT x FROM a) SELECT * FROM b
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r
SELECT row_number() OVER (PARTITION BY country ORDER BY age) FROM singer
SELECT sum(a) OVER w, lag(a, 1) OVER w FROM t WINDOW w AS (ORDER BY b ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)
SELECT * FROM singer QUALIFY rank() OVER (ORDER BY age) = 1
SELECT name LIKE 'A%', name ILIKE '%b', name NOT LIKE 'c', name SIMILAR TO 'd.*', name GLOB 'e*' FROM singer
SELECT CASE WHEN age > 18 THEN 'adult' ELSE 'child' END FROM singer
SELECT coalesce(a, 0), nullif(a, b), ifnull(a, 1), a IS NULL, a IS DISTINCT FROM b FROM t
SELECT a BETWEEN 1 AND 2, a IN (1, 2), NOT b, a AND b OR c FROM t
SELECT CAST(a AS INTEGER), a::DATE, TRY_CAST(a AS DOUBLE), TRY(1 / a) FROM t
SELECT strftime(d, '%Y-%m'), date_trunc('month', d), extract(year FROM d), year(d), d + INTERVAL 3 DAY FROM t
SELECT date_diff('day', a, b), datepart('month', a), age(a), current_date, now(), today() FROM t
SELECT upper(a) || lower(b), substr(a, 1, 3), trim(a), replace(a, 'x', 'y'), length(a), concat_ws(',', a, b) FROM t
SELECT string_agg(name, ', ' ORDER BY name), array_agg(name), group_concat(name) FROM singer
SELECT median(a), quantile_cont(a, 0.5), stddev(a), mode(a), corr(a, b), any_value(c), arg_max(a, b) FROM t
SELECT count(DISTINCT a), count(*) FILTER (WHERE b > 1), sum(DISTINCT a) FROM t
SELECT round(a, 2), abs(a), ceil(a), floor(a), sqrt(a), a % 2, a // 2, a ** 2, ln(a), greatest(a, b), random() FROM t
SELECT regexp_matches(a, 'x'), regexp_extract(a, 'x(.)', 1), regexp_replace(a, 'x', 'y'), a ~ 'z' FROM t
SELECT {'a': 1, 'b': [1, 2]}, [1, 2][1], MAP {'k': 'v'}['k'], struct_pack(a := 1), list_value(1, 2) FROM t
SELECT [x + 1 FOR x IN l IF x > 2], list_transform(l, lambda x: x + 1), list_filter(l, lambda x: x > 1) FROM t
SELECT unnest(tags), s.field, l[1:2], j->>'$.name', json_extract_string(j, '$.a') FROM t
SELECT * FROM unnest([1, 2]) AS u(x)
SELECT * FROM range(10), generate_series(1, 5)
SELECT unnest(generate_series(DATE '2024-01-01', DATE '2024-12-31', INTERVAL 1 DAY))
SELECT * EXCLUDE (a) REPLACE (b + 1 AS b), COLUMNS('c.*') FROM t
SELECT * FROM t PIVOT (sum(amount) FOR year IN (2023, 2024) GROUP BY country)
SELECT * FROM t UNPIVOT (value FOR name IN (a, b))
SELECT * FROM t USING SAMPLE 10 ROWS
SELECT name COLLATE NOCASE FROM singer
SELECT jaro_winkler_similarity(a, 'x'), levenshtein(a, b) FROM t
SELECT "weird name", "select" FROM "my table" AS "t t"
SELECT 书名 FROM 图书 WHERE 作者 = '鲁迅'
SELECT * FROM shop.main.orders
SELECT 'DROP TABLE x; -- ' AS "read_csv('x')"
SELECT lpad(a, 10, '0'), repeat('-', 20) FROM t
SELECT $$ it's; -- text $$
((SELECT 1) UNION (SELECT 2)) ORDER BY 1
SELECT formatReadableSize(a), formatReadableDecimalSize(a), format_bytes(a), pg_size_pretty(a), pg_typeof(a) FROM t
SELECT name.lower(), name.upper().trim().len() FROM singer
SELECT country, repeat('#', count(*) * 50 // max(age)) FROM singer GROUP BY country
SELECT repeat('=', age), lpad(name, age, ' '), bar(age, 0, 100, 40), range(2 * 12), list_resize([1], age) FROM singer
WITH "rev/month" AS (SELECT 1 AS "a/b"), "c:d" AS (SELECT 2) SELECT * FROM "rev/month", "c:d"
SELECT * FROM pg_payments JOIN pg_customers USING (id)
PIVOT sales ON year USING sum(amount)
PIVOT sales ON year, quarter IN (1, 2) USING sum(amount), count(*) GROUP BY country ORDER BY country
PIVOT (SELECT * FROM a JOIN b ON (a.x = b.x)) ON lower(y) USING sum(z)
WITH s AS (SELECT * FROM sales) PIVOT s ON year USING sum(amount)
DESCRIBE singer
SUMMARIZE singer
SELECT * FROM (DESCRIBE singer)
SELECT column_name FROM (SUMMARIZE SELECT * FROM singer)
""".strip()


@pytest.mark.parametrize("sql", REFUSED)
def test_refused(sql):
    with pytest.raises(GuardError):
        check_sql(sql)


SHOP = Schema("shop", (Table("singer", (Column("name", "VARCHAR"), Column("current_user", "VARCHAR"))),))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT current_user, s.session_user FROM singer AS s",
        "SELECT name AS user FROM singer GROUP BY user ORDER BY user",
        "WITH a(user) AS (SELECT name FROM singer) SELECT user FROM a",
    ],
)
def test_a_word_of_the_session_may_be_a_column(sql):
    assert check_sql(sql, SHOP) == sql


@pytest.mark.parametrize("word", ["user", "system_user", "session_user"])
def test_a_word_of_the_session_that_is_no_column_is_refused(word):
    with pytest.raises(GuardError, match=f"{word} is not a column of the schema"):
        check_sql(f"SELECT {word.upper()}, name FROM singer", SHOP)


@pytest.mark.parametrize("sql", ALLOWED.split("\n"))
def test_allowed_as_it_is(sql):
    assert check_sql(sql) == sql
    assert check_sql(f"  {sql} ;\n;") == sql


@pytest.mark.parametrize(
    "around",
    ["({})", "SELECT * FROM ({})", "WITH a AS ({}) SELECT * FROM a", "SELECT 1 WHERE 1 IN ({})", "{} UNION {}"],
)
@pytest.mark.parametrize(
    "sql", ["SELECT * FROM read_csv('x')", "SELECT getenv('x')", "SELECT * FROM 'x.csv'", "SELECT llm_chat('x')"]
)
def test_nesting_hides_nothing(sql, around):
    with pytest.raises(GuardError):
        check_sql(around.replace("{}", sql))


REFUSED_FUNCTIONS = re.compile(
    r"""__.*                                         # DuckDB's own machinery
      | pg_.* | has_.* | inet_.* | .*_description | in_search_path | get_block_size | format_(pg_)?type | map_to_pg_oid
      | current_(catalog|connection_id|database|query|query_id|role|schemas?|setting|transaction_id|user)
      | session_user | user | version | txid_current | getvariable      # the session and its settings
      | nextval | currval | setval | setseed | write_log | sleep_ms     # what has effects, or waits
      | error | assert_true | stats | vector_type | parse_duckdb_log_message
      | json_serialize_.* | json_deserialize_sql                        # plan SQL given as text, files and all
      | to_aggregate_state | finalize | combine | combine_aggr | variant_to_parquet_variant | remap_struct
    """,
    re.VERBOSE,
)
HAVE_NO_EFFECT = {"random", "uuid", "uuidv4", "uuidv7", "gen_random_uuid"}


def functions(condition):
    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE {condition}")
        return {name for (name,) in rows.fetchall()}


def test_every_function_of_this_duckdb_is_on_one_side():
    names = functions("function_type IN ('scalar', 'aggregate', 'window', 'macro')")
    allowed = {name for name in names if is_allowed(name)} - {"is distinct from", "is not distinct from"}
    neither = {name for name in names - allowed if not REFUSED_FUNCTIONS.fullmatch(name)}
    assert neither == {"is distinct from", "is not distinct from"}, "new in DuckDB: allow it, or refuse it here"
    assert {name for name in allowed if REFUSED_FUNCTIONS.fullmatch(name)} == {"pg_typeof", "pg_size_pretty"}
    assert FUNCTIONS - names - TABLE_FUNCTIONS == set(), "no longer in DuckDB"
    assert functions("true") >= TABLE_FUNCTIONS


def test_no_function_that_is_allowed_has_effects():
    volatile = functions("stability = 'VOLATILE' AND function_type <> 'aggregate'")
    assert {name for name in volatile if is_allowed(name)} == HAVE_NO_EFFECT


def test_comments_do_not_come_back():
    assert check_sql("SELECT /* a */ name -- b\nFROM singer -- c") == "SELECT   name  \nFROM singer"
    assert check_sql("-- 注释\nSELECT '北京' /* ；*/ AS 城市;") == "SELECT '北京'   AS 城市"


def test_what_the_error_says():
    with pytest.raises(GuardError, match="the function getenv is not allowed"):
        check_sql("SELECT GetEnv('HOME')")
    with pytest.raises(GuardError, match="it holds 2 statements"):
        check_sql("SELECT 1; SELECT 2")
    with pytest.raises(GuardError, match="syntax error at or near"):
        check_sql("SELECT FROM WHERE")
    with pytest.raises(GuardError, match="DELETE QUERY is not allowed"):
        check_sql("WITH x AS (DELETE FROM singer RETURNING *) SELECT * FROM x")


ODD = Schema(
    "shop",
    (Table("data.csv", (Column("a"),)), Table('"orders.csv"', (Column("a"),)), Table("duckdb_notes", (Column("a"),))),
)


def test_a_table_of_the_schema_may_have_any_name():
    assert check_sql('SELECT * FROM "orders.csv", duckdb_notes, data.csv', ODD)
    with pytest.raises(GuardError, match="not a table of the schema"):
        check_sql('SELECT * FROM "others.csv"', ODD)


def test_a_name_before_a_function_is_a_column_unless_a_schema_has_it():
    nameless = Schema("", (Table("singer", (Column("name"),)), Table("old.singer", (Column("name"),))))
    sql = "SELECT name.lower(), count(*) FROM singer GROUP BY ALL"
    assert check_sql(sql, nameless) == sql
    for name in ("main", "old", "system", "temp", "pg_catalog"):
        with pytest.raises(GuardError, match="called through a schema"):
            check_sql(f"SELECT {name}.lower('x') FROM singer", nameless)


def test_strict_refuses_every_other_table():
    for sql in (
        "SELECT * FROM duckdb_notes",
        "SELECT * FROM shop.duckdb_notes",
        "WITH t AS (SELECT 1) FROM t",
        "FROM shop.data.csv",
    ):
        assert check_sql(sql, ODD, strict=True) == sql
    for sql in (
        "SELECT * FROM frame",
        "WITH frame AS (SELECT * FROM frame) FROM frame",
        "FROM frame, (WITH frame AS (SELECT 1) FROM frame)",
    ):
        with pytest.raises(GuardError, match="frame is not a table of the schema"):
            check_sql(sql, ODD, strict=True)


def test_deep_nesting_is_refused_and_does_no_harm():
    with pytest.raises(GuardError):
        check_sql("SELECT " + "(" * 20_000 + "1" + ")" * 20_000)
    with pytest.raises(GuardError):
        check_sql("SELECT " + "+".join("1" for _ in range(50_000)))


@given(st.text(max_size=60))
def test_any_text_is_checked_or_refused(text):
    for sql in (text, f"SELECT {text}"):
        with suppress(GuardError):
            assert check_sql(check_sql(sql)) == check_sql(sql)


DATA = Path(os.environ.get("QUACKLLM_DATA") or Path(__file__).parents[5] / "shared/data/text2sql")
SAMPLE = Path(__file__).parents[4] / "udf/text2sql/sample"


@pytest.mark.parametrize("path", [*DATA.glob("dev/spider*.jsonl"), *SAMPLE.glob("dev/*.jsonl")], ids=str)
def test_every_right_answer_passes(path):
    for line in path.read_text().splitlines():
        sql = json.loads(line)["sql"]
        assert check_sql(sql) == sql
