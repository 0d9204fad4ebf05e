from __future__ import annotations

import pytest
from quackllm.udf.text2sql.confidence.doubts import find_doubts
from quackllm.udf.text2sql.confidence.sql_facts import sql_facts
from quackllm.workers.database_schema import Column, Schema, Table

REVIEW = Table("review", (Column("title", "VARCHAR", values=("Average", "Great")), Column("stars", "INTEGER")))
SCHEMA = Schema("reviews", (REVIEW,))


@pytest.mark.parametrize(
    ("question", "sql", "ignored"),
    [
        ("Average stars", "SELECT avg(stars) FROM review", []),
        ("Total stars of Average", "SELECT sum(stars) FROM review", ["the query ignores 'Average'"]),
        ("Average stars of Great", "SELECT avg(stars) FROM review", ["the query ignores 'Great'"]),
        ("Stars of Great", "SELECT stars FROM review WHERE title = 'Great'", []),
    ],
)
def test_a_cell_is_ignored_if_nothing_in_the_sql_stands_for_its_words(
    question: str, sql: str, ignored: list[str]
) -> None:
    matches = [("review", "title", cell) for cell in ("Average", "Great") if cell in question]
    assert [doubt.text for doubt in find_doubts(question, sql_facts(sql, SCHEMA), SCHEMA, matches, None)] == ignored


@pytest.mark.parametrize(
    ("question", "condition", "ignored"),
    [
        ("Reviews after 1 May 2025", "written >= DATE '2025-05-02'", []),
        ("Reviews after May 31st, 2025", "written >= DATE '2025-06-01'", []),
        ("2025年5月1日以后的评论", "written >= DATE '2025-05-02'", []),
        ("Reviews after 1 May 2025 with 3 stars", "written >= DATE '2025-05-02'", ["the query ignores 3"]),
        ("Reviews after 1 May 2025", "stars > 7", ["the query ignores 1", "the query ignores 2025"]),
    ],
)
def test_a_date_is_not_ignored_where_the_sql_has_dates(question: str, condition: str, ignored: list[str]) -> None:
    table = Table("review", (Column("stars", "INTEGER"), Column("written", "DATE")))
    schema = Schema("reviews", (table,))
    facts = sql_facts(f"SELECT stars FROM review WHERE {condition}", schema)
    assert [doubt.text for doubt in find_doubts(question, facts, schema, [], None)] == ignored
