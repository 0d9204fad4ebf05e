from __future__ import annotations

import pytest
from quackllm.workers.builtin.query.from_sql import parse_sql
from quackllm.workers.builtin.query.sort_direction import with_direction
from quackllm.workers.builtin.query.to_sql import format_sql
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.database_schema import Column, Schema, Table

STAFF = Table(
    "staff",
    (
        Column("name", "VARCHAR"),
        Column("salary", "INTEGER"),
        Column("age", "INTEGER"),
        Column("ranking", "INTEGER"),
        Column("born", "DATE"),
    ),
)
NAMES = SchemaIndex(Schema("firm", (STAFF,)))


@pytest.mark.parametrize(
    ("question", "order", "sorted_by"),
    [
        ("Who earns the most?", "salary", "salary DESC"),
        ("Who has the lowest salary?", "salary DESC", "salary"),
        ("工资最高的是谁？", "salary", "salary DESC"),
        ("工资最少的是谁？", "salary DESC", "salary"),
        ("Which name is the most frequent?", "COUNT(*)", "COUNT(*) DESC"),
        ("The top name", "COUNT(*)", "COUNT(*) DESC"),
        ("Who has the best ranking and age?", "age", "age"),
        ("Who is the oldest?", "born DESC", "born"),
        ("Who is the youngest?", "born", "born DESC"),
        ("谁年龄最大？", "born DESC", "born"),
        ("Who has the highest ranking?", "ranking", "ranking"),
        ("Who has the most and who the least?", "salary", "salary"),
        ("Who earns at most 100, by age?", "age", "age"),
        ("Who is the oldest?", "age DESC", "age DESC"),
        ("Who was hired most recently?", "salary", "salary"),
    ],
)
def test_the_first_row_is_the_one_that_the_superlative_means(question: str, order: str, sorted_by: str) -> None:
    group = "GROUP BY name " if "(" in order else ""
    tree = parse_sql(f"SELECT name FROM staff {group}ORDER BY {order} LIMIT 1", NAMES)
    sql = format_sql(with_direction(tree, NAMES, question), NAMES)
    assert sql == f"SELECT name FROM staff {group}ORDER BY {sorted_by} LIMIT 1"


def test_an_order_of_all_rows_stays() -> None:
    tree = parse_sql("SELECT name FROM staff ORDER BY salary", NAMES)
    assert with_direction(tree, NAMES, "the names, the highest salary last") == tree
