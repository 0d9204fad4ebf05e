"""DataFrames of the caller are tables for text2sql and ask; a table of the same name comes first."""

from __future__ import annotations

import pyarrow as pa

import quackllm

ROWS = {"name": ["Ann", "Bo", "Cy"], "country": ["France", "China", "France"]}


def test_a_question_about_a_data_frame() -> None:
    singer = pa.table(ROWS)
    with quackllm.connect() as connection:
        question = "How many singers are from France?"
        detail = connection.execute(f"SELECT text2sql_detail('{question}')").fetchall()[0][0]
        assert detail["sql"] == "SELECT COUNT(*) FROM singer WHERE country = 'France'"
        assert connection.execute(f"FROM ask('{question}')").fetchall() == [(2,)]
        assert connection.sql(f"FROM ask('{question}')").fetchall() == [(2,)]
    assert singer.num_rows == 3


def test_a_table_hides_it_and_other_values_are_none() -> None:
    singer, other = pa.table({"x": [1]}), [1, 2]
    with quackllm.connect() as connection:
        connection.execute("CREATE TABLE singer (name VARCHAR)")
        (detail,) = connection.execute("SELECT text2sql_detail('How many singers are there?')").fetchall()[0]
        assert "(name:VARCHAR)" in detail["prompt"]
        assert "(x:" not in detail["prompt"]
        assert "other" not in detail["prompt"]
    assert (singer.num_rows, other) == (1, [1, 2])
