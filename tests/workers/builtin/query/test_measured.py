"""Measures that no column has: `schema/measures.py` finds them, `measured.py` writes them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from quackllm.workers.builtin.query.from_sql import parse_sql
from quackllm.workers.builtin.query.implied_tables import drop_implied_tables
from quackllm.workers.builtin.query.measured import multiplied_out, ranked_by_totals, with_totals
from quackllm.workers.builtin.query.to_sql import format_sql
from quackllm.workers.builtin.schema.measures import Measure, find_measure
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.database_schema import Column, ForeignKey, Schema, Table

ITEM = Table("item", (Column("item_id", "INTEGER"), Column("title", "VARCHAR"), Column("price", "DOUBLE")))
LINE = Table(
    "line",
    (
        *(Column("item_id", "INTEGER"), Column("quantity", "INTEGER"), Column("unit_price", "DOUBLE")),
        Column("note", "VARCHAR"),
    ),
)
SHOP = Schema("shop", (ITEM, LINE), (ForeignKey("line", "item_id", "item", "item_id"),))
REVENUE = Measure("revenue", "line", (("line", "quantity"), ("line", "unit_price")))


def without_unit_price(schema: Schema) -> Schema:
    return replace(schema, tables=(ITEM, replace(LINE, columns=LINE.columns[:2])))


@pytest.mark.parametrize(
    ("question", "measure"),
    [
        ("What is our total revenue?", REVENUE),
        ("Sales by month", replace(REVENUE, name="Sales")),
        ("总销售额是多少？", replace(REVENUE, name="销售额")),
        ("销量最高的商品", Measure("销量", "line", (("line", "quantity"),))),
        ("Which item sold the most?", Measure("sold", "line", (("line", "quantity"),))),
        ("How many lamps were sold?", Measure("sold", "line", (("line", "quantity"),))),
        ("When was the first lamp sold?", None),
        ("How many sales were there?", None),
        ("sales person of the month", None),
        ("How many items are there?", None),
    ],
)
def test_a_measure_is_found_by_the_words_of_the_question(question: str, measure: Measure | None) -> None:
    assert find_measure(question, SchemaIndex(SHOP)) == measure


def test_the_price_may_stand_in_the_table_that_is_referred_to() -> None:
    found = find_measure("revenue", SchemaIndex(without_unit_price(SHOP)))
    assert found == replace(REVENUE, factors=(("line", "quantity"), ("item", "price")))


@pytest.mark.parametrize("dated", [True, False])
def test_one_table_is_of_sales_if_it_has_dates(dated: bool) -> None:
    sale = replace(LINE, name="sale", columns=(*LINE.columns, Column("day", "DATE" if dated else "VARCHAR")))
    found = find_measure("revenue", SchemaIndex(Schema("shop", (sale,))))
    assert found == (Measure("revenue", "sale", (("sale", "quantity"), ("sale", "unit_price"))) if dated else None)


@pytest.mark.parametrize("column", ["revenue", "amount", "total"])
def test_a_column_of_its_own_is_the_networks_business(column: str) -> None:
    line = replace(LINE, columns=(*LINE.columns, Column(column, "DOUBLE")))
    assert find_measure("total revenue", SchemaIndex(replace(SHOP, tables=(ITEM, line)))) is None


def test_stock_is_nothing_that_was_sold() -> None:
    item = replace(ITEM, columns=(*ITEM.columns, Column("stock_quantity", "INTEGER"), Column("line_id", "INTEGER")))
    schema = Schema("shop", (item, Table("line", (Column("line_id", "INTEGER", primary_key=True),))))
    assert find_measure("销量最高的商品", SchemaIndex(schema)) is None


JOINED = "FROM item JOIN line ON line.item_id = item.item_id"
PRODUCT = "line.quantity * line.unit_price"


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("SELECT revenue FROM line", "SELECT SUM(quantity * unit_price) FROM line"),
        ("SELECT AVG(revenue) FROM line", "SELECT SUM(quantity * unit_price) FROM line"),
        (
            f"SELECT item.title {JOINED} ORDER BY line.revenue DESC LIMIT 3",
            f"SELECT item.title {JOINED} GROUP BY item.title ORDER BY SUM({PRODUCT}) DESC LIMIT 3",
        ),
        (
            f"SELECT item.title {JOINED} WHERE line.revenue = (SELECT MAX(revenue) FROM line)",
            f"SELECT item.title {JOINED} GROUP BY item.title ORDER BY SUM({PRODUCT}) DESC LIMIT 1",
        ),
        (
            "SELECT note FROM line ORDER BY revenue DESC LIMIT 1",
            "SELECT note FROM line GROUP BY note ORDER BY SUM(quantity * unit_price) DESC LIMIT 1",
        ),
        ("SELECT item_id FROM line WHERE revenue > 9", "SELECT item_id FROM line WHERE quantity * unit_price > 9"),
        ("SELECT COUNT(revenue) FROM line", None),
    ],
)
def test_a_measure_is_multiplied_out(sql: str, written: str | None) -> None:
    names = SchemaIndex(REVENUE.added_to(SHOP))
    tree = with_totals(drop_implied_tables(parse_sql(sql, names), names), names, REVENUE, "revenue")
    product = multiplied_out(tree, names, REVENUE)
    assert (format_sql(product, names) if product else None) == written


def test_an_average_that_is_asked_for_stays() -> None:
    names = SchemaIndex(REVENUE.added_to(SHOP))
    tree = parse_sql("SELECT AVG(revenue) FROM line", names)
    assert with_totals(tree, names, REVENUE, "average revenue") == tree


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        (
            "SELECT shop, revenue FROM sale ORDER BY revenue DESC LIMIT 3",
            "SELECT shop, SUM(revenue) FROM sale GROUP BY shop ORDER BY SUM(revenue) DESC LIMIT 3",
        ),
        ("SELECT id FROM sale ORDER BY revenue DESC LIMIT 3", None),
        ("SELECT shop FROM sale ORDER BY rating DESC LIMIT 3", None),
        ("SELECT shop FROM sale ORDER BY revenue", None),
        ("SELECT name FROM company ORDER BY revenue DESC LIMIT 1", None),
    ],
)
def test_what_many_sales_share_is_ranked_by_their_sum(sql: str, written: str | None) -> None:
    columns = (Column("shop", "VARCHAR"), Column("revenue", "DOUBLE"), Column("rating", "INTEGER"))
    sale = Table("sale", (Column("id", "INTEGER", primary_key=True), *columns, Column("day", "DATE")))
    company = Table("company", (Column("name", "VARCHAR"), Column("revenue", "DOUBLE")))
    names = SchemaIndex(Schema("shop", (sale, company)))
    tree = ranked_by_totals(parse_sql(sql, names), names, "highest revenue")
    assert format_sql(tree, names) == (written or sql)
