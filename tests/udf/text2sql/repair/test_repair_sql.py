"""SQL that small models write and DuckDB refuses is repaired without a model, and means what they meant."""

from __future__ import annotations

import duckdb
import pytest
from quackllm.udf.text2sql.checks.check_answer import check_answer
from quackllm.udf.text2sql.repair.repair_sql import repair_sql
from quackllm.udf.text2sql.schema.catalog import read_catalog

TABLES = """
CREATE TABLE course (course_id INTEGER PRIMARY KEY, title VARCHAR, starts DATE);
CREATE TABLE teacher (teacher_id INTEGER PRIMARY KEY, name VARCHAR, age INTEGER, hometown VARCHAR);
CREATE TABLE course_arrange (course_id INTEGER REFERENCES course (course_id),
    teacher_id INTEGER REFERENCES teacher (teacher_id), grade VARCHAR);
CREATE TABLE stadium (Stadium_ID INTEGER PRIMARY KEY, "Name" VARCHAR, capacity INTEGER, opened VARCHAR);
INSERT INTO course VALUES (1, 'Maths', '2023-09-01'), (2, 'Art', '2024-09-01');
INSERT INTO teacher VALUES (1, 'Ann', 32, 'North Leeds'), (2, 'Bo', 45, 'York'), (3, 'Cy', 45, 'Hull');
INSERT INTO course_arrange VALUES (1, 1, '7'), (2, 1, '8'), (2, 2, '9');
INSERT INTO stadium VALUES (1, 'Old', 100, '1990'), (2, 'New', 300, '2015');
"""


@pytest.fixture(scope="module")
def school():
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        yield connection


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ('SELECT name FROM teacher WHERE hometown LIKE "%North%"', [("Ann",)]),
        ('SELECT count(*) FROM teacher WHERE hometown = "York" OR hometown = "Hull"', [(2,)]),
        ("SELECT T1.grade FROM teacher AS T1 JOIN course_arrange AS T2 ON T1.teacher_id = T2.teacher_id "
         "WHERE T1.name = 'Bo'", [("9",)]),
        ("SELECT teacher.name FROM teacher AS T1 WHERE T1.age = 32", [("Ann",)]),
        ("SELECT title FROM course_arrange WHERE grade = '7'", [("Maths",)]),
        ("SELECT T1.title FROM course_arrange AS T1 WHERE T1.grade = '9'", [("Art",)]),
        ("SELECT stadiumid FROM stadiums WHERE capacity > 200", [(2,)]),
        ("SELECT teacher_id FROM teacher JOIN course_arrange ON teacher.teacher_id = course_arrange.teacher_id "
         "WHERE grade = '9'", [(2,)]),
        ("SELECT T.name, count(*) FROM teacher AS T JOIN course_arrange AS C ON T.teacher_id = C.teacher_id "
         "GROUP BY T.teacher_id ORDER BY count(*) DESC", [("Ann", 2), ("Bo", 1)]),
        ("SELECT name, max(capacity) FROM stadium", [("New", 300)]),
        ("SELECT age, count(*) FROM teacher ORDER BY count(*) DESC", [(45, 2), (32, 1)]),
        ("SELECT name FROM stadium WHERE opened > 2000", [("New",)]),
        ("SELECT title FROM course WHERE starts > 2023", [("Art",)]),
        ("SELECT avg(opened) FROM stadium", [(2002.5,)]),
        ("SELECT count(*) FROM teacher WHERE age LIKE '4%'", [(2,)]),
        ("SELECT name FROM teacher ORDER BY age DESC, name LIMIT 1, 1", [("Cy",)]),
        ("SELECT TOP 1 name FROM teacher ORDER BY age", [("Ann",)]),
        ("SELECT strftime('%Y', opened) FROM stadium WHERE name = 'Newer'", []),
    ],
)  # fmt: skip
def test_it_is_repaired_and_gives_the_rows_that_were_meant(school, sql, rows) -> None:
    schema = read_catalog(school)
    written, failure = check_answer(sql, schema, True)
    assert failure is not None, "DuckDB refuses it as it is"
    repaired = repair_sql(written, failure.code, failure.message, schema)
    assert repaired is not None
    assert repaired[1]
    assert school.sql(repaired[0]).fetchall() == rows


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT price FROM teacher",  # No table has such a column.
        "SELECT name FROM invoice",  # There is no such table.
        "SELECT title FROM stadium",  # No key ties the two tables.
        "SELECT FROM FROM",
    ],
)
def test_what_has_no_one_meaning_is_left_to_the_model(school, sql) -> None:
    schema = read_catalog(school)
    written, failure = check_answer(sql, schema, True)
    assert failure is not None
    assert repair_sql(written, failure.code, failure.message, schema) is None


def test_what_the_guard_refuses_is_not_repaired(school) -> None:
    schema = read_catalog(school)
    assert repair_sql("SELECT getenv('HOME')", "guard", "the function getenv is not allowed", schema) is None
    assert (
        repair_sql('SELECT getenv("HOME")', "binder", 'Referenced column "HOME" not found in FROM clause!', schema)
        is None
    )
