from __future__ import annotations

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from quackllm.udf.text2sql.checks.guard import check_sql
from quackllm.udf.text2sql.checks.transpile import find_dialect, transpile, with_limit
from quackllm.workers.binder import bind
from quackllm.workers.database_schema import Column, Schema, Table
from quackllm.workers.errors import GuardError, RequestError
from sqlglot.errors import SqlglotError

SINGER = Table("Singer", (Column("Singer_ID", "BIGINT"), Column("Name", "VARCHAR"), Column("Year", "VARCHAR")))
CONCERT = Table("stage.Concert", (Column("singer_id", "BIGINT"), Column("name", "VARCHAR"), Column("year", "INTEGER")))
SCHEMA = Schema("shop", (SINGER, CONCERT))


@pytest.mark.parametrize(
    ("sql", "dialect", "translated"),
    [
        ("SELECT name FROM singer", "postgres", 'SELECT "Name" FROM "Singer"'),
        ("SELECT name FROM singer", "mysql", "SELECT `Name` FROM `Singer`"),
        ("SELECT s.NAME, c.NAME FROM singer s JOIN stage.concert c USING (Singer_id)", "postgres",
         'SELECT "s"."Name", "c"."name" FROM "Singer" AS "s" JOIN "stage"."Concert" AS "c" USING ("Singer_ID")'),
        ("SELECT singer.name FROM shop.singer", "postgres", 'SELECT "Singer"."Name" FROM "Singer"'),
        ("SELECT T.n FROM (SELECT NAME AS N FROM singer) AS t", "postgres",
         'SELECT "t"."N" FROM (SELECT "Name" AS "N" FROM "Singer") AS "t"'),
        ("SELECT t.NAME FROM (SELECT * FROM singer) AS t", "postgres",
         'SELECT "t"."Name" FROM (SELECT * FROM "Singer") AS "t"'),
        ("WITH S AS (SELECT name FROM singer) SELECT s.NAME FROM s", "mysql",
         "WITH `S` AS (SELECT `Name` FROM `Singer`) SELECT `S`.`Name` FROM `S`"),
        ("SELECT name FROM singer WHERE EXISTS (SELECT 1 FROM stage.concert c WHERE c.singer_id = SINGER.singer_id)",
         "postgres",
         'SELECT "Name" FROM "Singer" WHERE EXISTS(SELECT 1 FROM "stage"."Concert" AS "c" '
         'WHERE "c"."singer_id" = "Singer"."Singer_ID")'),
        ("SELECT name FROM singer ORDER BY YEAR", "mysql",
         "SELECT `Name` FROM `Singer` ORDER BY CASE WHEN `Year` IS NULL THEN 1 ELSE 0 END, `Year`"),
        ("SELECT count(*) AS Total FROM singer GROUP BY year ORDER BY TOTAL DESC", "postgres",
         'SELECT COUNT(*) AS "Total" FROM "Singer" GROUP BY "Year" ORDER BY "Total" DESC NULLS LAST'),
        ("SELECT name FROM singer UNION SELECT name FROM stage.concert ORDER BY NAME", "postgres",
         'SELECT "Name" FROM "Singer" UNION SELECT "name" FROM "stage"."Concert" ORDER BY "Name"'),
        ("SELECT name FROM singer WHERE year = 2014 OR year IN (1, 2) OR 1.5 = year", "postgres",
         'SELECT "Name" FROM "Singer" WHERE CAST("Year" AS BIGINT) = 2014 OR CAST("Year" AS BIGINT) IN (1, 2) '
         'OR 1.5 = CAST("Year" AS DOUBLE PRECISION)'),
        ("SELECT 1 FROM singer s, stage.concert c WHERE s.year = c.year", "postgres",
         'SELECT 1 FROM "Singer" AS "s", "stage"."Concert" AS "c" WHERE CAST("s"."Year" AS BIGINT) = "c"."year"'),
        ("SELECT name FROM singer WHERE singer_id IN (SELECT singer_id FROM stage.concert ORDER BY year LIMIT 3)",
         "mysql",
         "SELECT `Name` FROM `Singer` WHERE `Singer_ID` IN (SELECT * FROM (SELECT `singer_id` FROM `stage`.`Concert` "
         "ORDER BY CASE WHEN `year` IS NULL THEN 1 ELSE 0 END, `year` LIMIT 3) AS limited)"),
    ],
)  # fmt: skip
def test_names_are_spelled_as_the_other_database_has_them(sql: str, dialect: str, translated: str) -> None:
    assert bind(sql, SCHEMA) is None
    assert transpile(sql, SCHEMA, dialect) == translated


def test_duckdb_s_own_sql_is_left_as_it_is() -> None:
    assert transpile("FROM singer SELECT NAME", SCHEMA, "duckdb") == "FROM singer SELECT NAME"


@given(st.text(max_size=30), st.sampled_from(["postgres", "mysql", "sqlite"]))
@settings(max_examples=150)
def test_a_text_stays_one_text_whatever_is_in_it(text: str, dialect: str) -> None:
    sql = "SELECT name FROM singer WHERE name = '" + text.replace("'", "''") + "'"
    try:
        check_sql(sql, SCHEMA)
    except (GuardError, UnicodeEncodeError):
        return
    tree = sqlglot.parse_one(transpile(sql, SCHEMA, dialect), read=dialect)
    (literal,) = tree.find_all(sqlglot.exp.Literal)
    assert literal.this == text


def test_a_backslash_ends_no_text_in_mysql() -> None:
    sql = transpile(r"SELECT name FROM singer WHERE name = 'x\' AND year = ' OR 1=1 -- '", SCHEMA, "mysql")
    assert sql == r"SELECT `Name` FROM `Singer` WHERE `Name` = 'x\\' AND `Year` = ' OR 1=1 -- '"


@pytest.mark.parametrize(
    ("sql", "most", "wanted"),
    [
        ("SELECT a FROM t ORDER BY a", 5, "SELECT a FROM t ORDER BY a LIMIT 5"),
        ("SELECT a FROM t LIMIT 3", 5, "SELECT a FROM t LIMIT 3"),
        ("SELECT a FROM t LIMIT 300 OFFSET 2", 5, "SELECT a FROM t LIMIT 5 OFFSET 2"),
        ("SELECT a FROM t UNION SELECT b FROM u", 5, "SELECT a FROM t UNION SELECT b FROM u LIMIT 5"),
        ("WITH x AS (SELECT 1 AS a) SELECT a FROM x", 5, "WITH x AS (SELECT 1 AS a) SELECT a FROM x LIMIT 5"),
    ],
)
def test_a_query_is_held_to_a_number_of_rows(sql: str, most: int, wanted: str) -> None:
    assert with_limit(sql, "postgres", most) == wanted


@pytest.mark.parametrize("sql", ["DELETE FROM t", "SELECT 1; SELECT 2", "SELECT ("])
def test_only_a_query_can_be_limited(sql: str) -> None:
    with pytest.raises(SqlglotError):
        with_limit(sql, "postgres", 5)


def test_what_another_database_cannot_say_is_an_error() -> None:
    with pytest.raises(SqlglotError, match="PIVOT"):
        transpile("SELECT * FROM (PIVOT singer ON year IN ('1') USING count(*))", SCHEMA, "sqlite")


@pytest.mark.parametrize(("name", "found"), [("PostgreSQL", "postgres"), ("MYSQL", "mysql"), ("mariadb", "mysql")])
def test_dialects_are_called_as_people_call_them(name: str, found: str) -> None:
    assert find_dialect(name) == found


def test_an_unknown_dialect_is_an_error_that_names_the_near_ones() -> None:
    with pytest.raises(RequestError, match="did you mean 'postgres'"):
        find_dialect("postgress")
