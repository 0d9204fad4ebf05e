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
