from __future__ import annotations

from quackllm.workers.builtin.dates.place_time import cut_time_phrases, place_time, yearless_month
from quackllm.workers.builtin.dates.time_phrases import find_time_phrases
from quackllm.workers.builtin.network.schema_linking import SchemaLinks
from quackllm.workers.builtin.query.from_sql import parse_sql
from quackllm.workers.builtin.query.implied_tables import drop_implied_tables
from quackllm.workers.builtin.query.to_sql import format_sql
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.database_schema import Column, Schema, Table

pytest_plugins = ["support.builtin_shop"]
MONTH = "date_trunc('month', current_date)"
LAST_MONTH = f"ordered_on >= {MONTH} - INTERVAL 1 MONTH AND ordered_on < {MONTH}"


def placed(question: str, sql: str, links: SchemaLinks) -> str | None:
    tree = drop_implied_tables(parse_sql(sql, links.names), links.names)
    found = place_time(tree, find_time_phrases(question), links, question)
    return format_sql(found, links.names) if found else None


def test_a_span_becomes_a_condition(links: SchemaLinks) -> None:
    sql = placed("total amount last month", "SELECT SUM(amount) FROM orders", links)
    assert sql == f"SELECT SUM(amount) FROM orders WHERE {LAST_MONTH}"


def test_a_unit_is_grouped_by_and_what_is_selected_is_counted(links: SchemaLinks) -> None:
    month = "date_trunc('month', ordered_on)"
    assert placed("orders by month", "SELECT id FROM orders", links) == (
        f"SELECT {month}, COUNT(*) FROM orders GROUP BY {month} ORDER BY {month}"
    )


def test_the_date_of_a_neighbouring_table_will_do(links: SchemaLinks) -> None:
    sql = placed("customers last month", "SELECT COUNT(*) FROM customers", links)
    assert sql is not None
    assert "JOIN orders" in sql


def test_rows_without_others_are_without_them_in_that_time(links: SchemaLinks) -> None:
    without = "SELECT name FROM customers WHERE id NOT IN (SELECT customer_id FROM orders)"
    assert placed("customers without orders last month", without, links) == (
        f"SELECT name FROM customers WHERE id NOT IN (SELECT customer_id FROM orders WHERE {LAST_MONTH})"
    )


def test_there_is_no_place_where_there_is_no_date(links: SchemaLinks) -> None:
    assert placed("remarks last month", "SELECT text FROM remarks", links) is None


def test_a_number_column_year_is_the_networks_own_business() -> None:
    table = Table("film", (Column("title", "VARCHAR"), Column("year", "INTEGER"), Column("monthly_fee", "DOUBLE")))
    names = SchemaIndex(Schema("films", (table,)))
    assert cut_time_phrases("films in 2014", names).words == ()
    assert cut_time_phrases("total monthly fee", names).words == ()
    links = SchemaLinks(names)
    sql = placed("films last year", "SELECT title FROM film", links)
    assert sql == "SELECT title FROM film WHERE year >= year(current_date) - 1 AND year < year(current_date) - 1 + 1"


def test_a_month_needs_its_year_where_there_are_dates_and_no_months(links: SchemaLinks) -> None:
    assert yearless_month("How many orders in March?", links) == "in March"
    sales = Table("sales", (Column("month", "VARCHAR", values=("March",)), Column("sold_on", "DATE")))
    assert yearless_month("sales in March", SchemaLinks(SchemaIndex(Schema("shop", (sales,))))) == ""


def test_a_quantity_by_a_unit_of_time_is_added_up(links: SchemaLinks) -> None:
    assert cut_time_phrases("Amount per month", links.names).rest == "total amount"
    assert cut_time_phrases("average amount per month", links.names).rest == "average amount"
    assert cut_time_phrases("orders per month", links.names).rest == "orders"
