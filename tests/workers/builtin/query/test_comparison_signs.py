from __future__ import annotations

import pytest
from quackllm.workers.builtin.query.comparison_signs import with_comparison_signs
from quackllm.workers.builtin.query.from_sql import parse_sql
from quackllm.workers.builtin.query.to_sql import format_sql
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.database_schema import Column, Schema, Table

NAMES = SchemaIndex(Schema("shop", (Table("item", (Column("name", "VARCHAR"), Column("stock", "INTEGER"))),)))


@pytest.mark.parametrize(
    ("question", "sign"),
    [
        ("items below 10", "<"),
        ("items with fewer than 10 in stock", "<"),
        ("库存低于10的商品", "<"),
        ("items above 10", ">"),
        ("库存超过10的商品", ">"),
        ("at least 10 in stock", ">="),
        ("10 or more in stock", ">="),
        ("库存不少于10的商品", ">="),
        ("no more than 10 in stock", "<="),
        ("库存不超过10的商品", "<="),
        ("not below 10", "!"),
        ("items below 100", "!"),
        ("items below 10 million", "!"),
        ("below 10 or over 10", "!"),
        ("stock of 10", "!"),
    ],
)
@pytest.mark.parametrize("before", ["<", "<=", ">", ">="])
def test_a_number_is_compared_as_the_question_says(question: str, sign: str, before: str) -> None:
    tree = parse_sql(f"SELECT name FROM item WHERE stock {before} 10", NAMES)
    expected = before if sign == "!" else sign
    assert (
        format_sql(with_comparison_signs(tree, question), NAMES) == f"SELECT name FROM item WHERE stock {expected} 10"
    )


def test_counts_of_groups_too_and_equality_stays() -> None:
    for sql, written in (
        ("SELECT name FROM item GROUP BY name HAVING COUNT(*) >= 2", "> 2"),
        ("SELECT name FROM item WHERE stock = 2", "= 2"),
    ):
        assert format_sql(with_comparison_signs(parse_sql(sql, NAMES), "more than 2"), NAMES).endswith(written)
