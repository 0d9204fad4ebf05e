from __future__ import annotations

import pytest
from quackllm.workers.builtin.query.from_sql import parse_sql
from quackllm.workers.builtin.query.to_sql import format_sql
from quackllm.workers.builtin.query.truth_values import with_truth_values
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.database_schema import Column, Schema, Table

LOAN = Table("loan", (Column("book", "VARCHAR"), Column("returned", "BOOLEAN"), Column("returned_on", "DATE")))
NAMES = SchemaIndex(Schema("library", (LOAN,)))


@pytest.mark.parametrize(
    ("question", "sql", "written"),
    [
        ("Which books are not returned yet?", "returned IS NULL", "returned = false"),
        ("哪些书还没归还？", "returned IS NULL", "returned = false"),
        ("Which books were returned?", "returned IS NOT NULL", "returned = true"),
        ("Which books were returned?", "returned IS NULL", "returned = true"),
        ("Where is returned missing?", "returned IS NULL", "returned IS NULL"),
        ("Which books are not returned yet?", "returned_on IS NULL", "returned_on IS NULL"),
    ],
)
def test_a_truth_value_is_true_or_false_and_not_null(question: str, sql: str, written: str) -> None:
    tree = parse_sql(f"SELECT book FROM loan WHERE {sql}", NAMES)
    assert format_sql(with_truth_values(tree, NAMES, question), NAMES) == f"SELECT book FROM loan WHERE {written}"


@pytest.mark.parametrize(
    ("question", "selected", "written"),
    [
        ("How many books were returned?", "COUNT(DISTINCT returned)", "COUNT(*) FROM loan WHERE returned = true"),
        ("How many books are not returned?", "COUNT(returned)", "COUNT(*) FROM loan WHERE returned = false"),
        ("有多少书没归还？", "COUNT(returned)", "COUNT(*) FROM loan WHERE returned = false"),
        ("How many different books?", "COUNT(DISTINCT book)", "COUNT(DISTINCT book) FROM loan"),
    ],
)
def test_rows_are_counted_and_not_truth_values(question: str, selected: str, written: str) -> None:
    tree = parse_sql(f"SELECT {selected} FROM loan", NAMES)
    assert format_sql(with_truth_values(tree, NAMES, question), NAMES) == f"SELECT {written}"
