"""A search finds tables by names, comments, columns and values, the best first, and reads no more than it must."""

from __future__ import annotations

import pytest
from quackllm.deploy.gateway.mcp.schema_search import (
    MAX_CHARACTERS,
    MAX_TABLES,
    describe_schema,
    matching_values,
    search_schema,
    split_words,
)
from quackllm.workers.database_schema import Column, ForeignKey, Schema, Table
from quackllm.workers.mschema import parse_mschema

SHOP = Schema(
    "shop",
    (
        Table("orders", (Column("id", "INTEGER"), Column("customer_id", "INTEGER"))),
        Table(
            "customer", (Column("id", "INTEGER"), Column("country", "VARCHAR", values=("France", "China"))), "buyers"
        ),
        Table("水果", (Column("名称", "VARCHAR", comment="水果的名称"),)),
        Table("log", (Column("at", "TIMESTAMP"),)),
    ),
    (ForeignKey("orders", "customer_id", "customer", "id"),),
)


def found(text: str) -> list[str]:
    """The tables that a search shows."""
    words = split_words(text)
    shown = search_schema(SHOP, words, matching_values(SHOP, words))
    return [table.name for table in parse_mschema(shown.partition("\nValues:")[0]).tables]


@pytest.mark.parametrize(
    ("words", "tables"),
    [
        ("order", ["orders"]),
        ("orders of a customer", ["orders", "customer"]),
        ("CUSTOMERS", ["customer", "orders"]),
        ("buyers", ["customer"]),
        ("france", ["customer"]),
        ("country", ["customer"]),
        ("水果", ["水果"]),
        ("名称", ["水果"]),
    ],
)
def test_words_find_tables_by_name_comment_column_and_value(words: str, tables: list[str]) -> None:
    assert found(words) == tables


def test_values_that_match_are_shown_as_sql_writes_them() -> None:
    words = split_words("France")
    assert search_schema(SHOP, words, matching_values(SHOP, words)).endswith("Values:\ncustomer.country: 'France'")


def test_a_search_in_vain_lists_the_tables() -> None:
    assert search_schema(SHOP, ("zebra",), {}).splitlines()[:3] == ["0 of 4 tables match.", "All tables:", "orders"]


def test_a_long_schema_is_listed_and_a_broad_search_is_cut_off() -> None:
    columns = tuple(Column(f"column_{number}", "VARCHAR") for number in range(20))
    large = Schema("large", tuple(Table(f"table_{number}", columns) for number in range(900)))
    listed = describe_schema(large)
    assert len(listed) < MAX_CHARACTERS
    assert "table_0 (20 columns)" in listed
    assert "… and 600 more" in listed
    shown = search_schema(large, ("table",), {})
    assert shown.count("# Table:") == MAX_TABLES
    assert "Also: table_8, table_9" in shown
