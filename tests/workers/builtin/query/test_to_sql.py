from __future__ import annotations

import duckdb
import pytest
from quackllm.workers.binder import Binder
from quackllm.workers.builtin.query.degenerate import is_degenerate
from quackllm.workers.builtin.query.from_sql import UnsupportedSqlError, parse_sql
from quackllm.workers.builtin.query.implied_tables import drop_implied_tables
from quackllm.workers.builtin.query.query_tree import LiteralValue, Predicate, Query, Term
from quackllm.workers.builtin.query.to_sql import NotWritableError, format_sql, quoted
from quackllm.workers.builtin.schema.schema_index import SchemaIndex, join_tree
from quackllm.workers.database_schema import Column, ForeignKey, Schema, Table

pytest_plugins = ["support.builtin_shop"]

SAYABLE = [
    "SELECT name, age FROM customers WHERE city = 'Paris' AND age > 30",
    "SELECT DISTINCT city FROM customers WHERE name ILIKE '%ann%' OR name ILIKE 'Bob%'",
    "SELECT COUNT(*) FROM orders WHERE amount BETWEEN 5 AND 10",
    "SELECT COUNT(DISTINCT city) FROM customers",
    "SELECT city, COUNT(*) FROM customers GROUP BY city HAVING COUNT(*) >= 2 ORDER BY COUNT(*) DESC LIMIT 3",
    "SELECT customers.name FROM customers JOIN orders ON orders.customer_id = customers.id WHERE orders.amount > 7.5",
    "SELECT name FROM customers WHERE id NOT IN (SELECT customer_id FROM orders)",
    "SELECT name FROM customers WHERE age > (SELECT AVG(age) FROM customers)",
    "SELECT name FROM customers WHERE city = 'Paris' EXCEPT SELECT name FROM customers WHERE age < 20",
    "SELECT name FROM customers WHERE city IS NOT NULL ORDER BY age DESC, name",
    "SELECT * FROM products WHERE title NOT ILIKE '%food%'",
    "SELECT ordered_on FROM orders WHERE ordered_on > '2024-01-31'",
    "SELECT amount - customer_id FROM orders WHERE amount IN (5, 7)",
    "SELECT product_id, SUM(amount * customer_id) FROM orders GROUP BY product_id",
    "SELECT MAX(amount) - MIN(amount) FROM orders",
    "SELECT SUM(amount) / COUNT(DISTINCT customer_id) FROM orders",
]


@pytest.mark.parametrize("sql", SAYABLE)
def test_sql_is_read_and_written_back(sql: str, names: SchemaIndex) -> None:
    tree = drop_implied_tables(parse_sql(sql, names), names)
    assert format_sql(tree, names) == sql


@pytest.mark.parametrize("sql", SAYABLE)
def test_what_is_written_binds(sql: str, names: SchemaIndex, shop: Schema) -> None:
    assert Binder(shop).binds(format_sql(parse_sql(sql, names), names))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a.name FROM customers a JOIN customers b ON a.id = b.id",
        "SELECT name FROM (SELECT name FROM customers)",
        "WITH x AS (SELECT 1) SELECT name FROM customers",
        "SELECT name FROM customers LEFT JOIN orders ON orders.customer_id = customers.id",
        "SELECT amount * 2 FROM orders",
        "SELECT amount * age + id FROM orders",
        "SELECT name FROM nowhere",
        "SELECT nothing FROM customers",
        "not SQL at all (",
        "DELETE FROM customers",
    ],
)
def test_what_a_tree_does_not_hold_is_not_read(sql: str, names: SchemaIndex) -> None:
    with pytest.raises(UnsupportedSqlError):
        parse_sql(sql, names)


def test_joins_go_through_the_table_between(names: SchemaIndex) -> None:
    query = Query((Term(names.find_column("customers", "name")), Term(names.find_column("products", "title"))))
    assert format_sql(query, names) == (
        "SELECT customers.name, products.title FROM customers JOIN orders ON orders.customer_id = customers.id"
        " JOIN products ON orders.product_id = products.id"
    )


def test_tables_without_a_key_are_not_joined(names: SchemaIndex) -> None:
    query = Query((Term(names.find_column("customers", "name")), Term(names.find_column("remarks", "text"))))
    with pytest.raises(NotWritableError):
        format_sql(query, names)


def test_a_named_key_says_which_way_a_join_goes() -> None:
    flights = Table("flights", (Column("id", "BIGINT"), Column("start", "BIGINT"), Column("goal", "BIGINT")))
    airports = Table("airports", (Column("id", "BIGINT", primary_key=True), Column("city", "VARCHAR")))
    keys = tuple(ForeignKey("flights", column, "airports", "id") for column in ("start", "goal"))
    names = SchemaIndex(Schema("", (flights, airports), keys))
    query = Query((Term(table=0, aggregate="COUNT"), Term(names.find_column("airports", "city"))))
    assert "ON flights.start = airports.id" in format_sql(query, names)
    through = Query(query.items, using=(Term(names.find_column("flights", "goal")),))
    assert "ON flights.goal = airports.id" in format_sql(through, names)


def test_equal_names_tie_tables_that_declare_no_key() -> None:
    teams = Table("teams", (Column("team_id", "BIGINT"), Column("name", "VARCHAR")))
    players = Table("players", (Column("player_id", "BIGINT"), Column("team_id", "BIGINT"), Column("name", "VARCHAR")))
    names = SchemaIndex(Schema("", (teams, players)))
    assert [(edge.column, edge.other) for edge in names.edges] == [(3, 0)]
    assert join_tree(names, [0, 1]) is not None


def test_plain_columns_beside_aggregates_are_grouped_by(names: SchemaIndex, shop: Schema) -> None:
    city = names.find_column("customers", "city")
    query = Query((Term(city), Term(table=0, aggregate="COUNT")))
    assert format_sql(query, names) == "SELECT city, COUNT(*) FROM customers GROUP BY city"


def test_texts_are_spelled_as_the_cells_are(names: SchemaIndex) -> None:
    city = names.find_column("customers", "city")
    query = Query((Term(city),), where=(Predicate(Term(city), "=", (LiteralValue("paris"),)),))
    spelled = format_sql(query, names, lambda column, text: {"paris": "Paris"}[text])
    assert spelled == "SELECT city FROM customers WHERE city = 'Paris'"


def test_a_quote_in_a_text_stays_inside_it(names: SchemaIndex) -> None:
    name = names.find_column("customers", "name")
    query = Query((Term(name),), where=(Predicate(Term(name), "=", (LiteralValue("O'Hara'; DROP TABLE x"),)),))
    assert format_sql(query, names).endswith("name = 'O''Hara''; DROP TABLE x'")


def test_between_puts_the_smaller_first(names: SchemaIndex) -> None:
    age = names.find_column("customers", "age")
    query = Query(
        (Term(age),), where=(Predicate(Term(age), "BETWEEN", (LiteralValue("10", True), LiteralValue("5", True))),)
    )
    assert format_sql(query, names).endswith("BETWEEN 5 AND 10")


def test_a_number_column_is_not_compared_with_a_text(names: SchemaIndex) -> None:
    age = names.find_column("customers", "age")
    with pytest.raises(NotWritableError):
        format_sql(Query((Term(age),), where=(Predicate(Term(age), "=", (LiteralValue("Paris"),)),)), names)


@pytest.mark.parametrize(
    ("text", "condition"),
    [("2024", "year(ordered_on) > 2024"), ("2024-05-01", "ordered_on > '2024-05-01'"), ("3", None), ("Paris", None)],
)
def test_dates_are_compared_with_dates_and_years(
    names: SchemaIndex, shop: Schema, text: str, condition: str | None
) -> None:
    day = names.find_column("orders", "ordered_on")
    query = Query((Term(day),), where=(Predicate(Term(day), ">", (LiteralValue(text),)),))
    if condition is None:
        with pytest.raises(NotWritableError):
            format_sql(query, names)
    else:
        assert format_sql(query, names) == f"SELECT ordered_on FROM orders WHERE {condition}"
        assert Binder(shop).binds(format_sql(query, names))


def test_constants_suit_truth_values_and_nested_columns() -> None:
    columns = (Column("ok", "BOOLEAN"), Column("tags", "VARCHAR[]"))
    names = SchemaIndex(Schema("", (Table("items", columns),)))
    truth = Query((Term(0),), where=(Predicate(Term(0), "=", (LiteralValue("Yes"),)),))
    assert format_sql(truth, names) == "SELECT ok FROM items WHERE ok = true"
    for column in (0, 1):
        with pytest.raises(NotWritableError):
            format_sql(Query((Term(0),), where=(Predicate(Term(column), "=", (LiteralValue("10:00"),)),)), names)


def test_names_are_quoted_only_where_needed() -> None:
    assert quoted("name") == "name"
    assert quoted("order") == '"order"'
    assert quoted("two words") == '"two words"'
    assert quoted('a"b') == '"a""b"'


def test_tables_of_other_databases_and_odd_names_bind() -> None:
    one = Table("lake.main.order", (Column("id", "BIGINT", primary_key=True), Column("two words", "VARCHAR")))
    two = Table('lake.main."a.b"', (Column("order_id", "BIGINT"), Column("mood", "ENUM_OF_THE_USERS")))
    schema = Schema("", (one, two), (ForeignKey('lake.main."a.b"', "order_id", "lake.main.order", "id"),))
    names = SchemaIndex(schema)
    sql = format_sql(Query((Term(1), Term(3))), names)
    assert Binder(schema).binds(sql), sql


def test_the_binder_reaches_no_file(shop: Schema) -> None:
    binder = Binder(shop)
    assert not binder.binds("SELECT * FROM read_csv('/etc/hostname')")
    assert not binder.binds("SELECT nothing FROM customers")
    with binder.cursor() as cursor, pytest.raises(duckdb.Error):
        cursor.execute("SET enable_external_access = true")


def test_halves_that_are_equal_say_nothing(names: SchemaIndex) -> None:
    alike = parse_sql("SELECT name FROM customers INTERSECT SELECT name FROM customers", names)
    assert is_degenerate(alike)
    every = parse_sql("SELECT name FROM customers WHERE id NOT IN (SELECT id FROM customers)", names)
    assert is_degenerate(drop_implied_tables(every, names))
    some = parse_sql("SELECT name FROM customers WHERE id NOT IN (SELECT customer_id FROM orders)", names)
    assert not is_degenerate(drop_implied_tables(some, names))
