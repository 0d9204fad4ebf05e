from __future__ import annotations

from quackllm.workers.builtin.knowing.confidence import FEATURES, Draft, coefficients, confidence, features
from quackllm.workers.builtin.knowing.word_coverage import Coverage, general_words, word_coverage
from quackllm.workers.builtin.network.schema_linking import SchemaLinks, link
from quackllm.workers.builtin.query.from_sql import parse_sql
from quackllm.workers.builtin.query.implied_tables import drop_implied_tables
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.database_schema import Column, Schema, Table

pytest_plugins = ["support.builtin_shop"]


def coverage(question: str, sql: str, links: SchemaLinks) -> Coverage:
    tree = drop_implied_tables(parse_sql(sql, links.names), links.names)
    return word_coverage(link(question, links), links, tree)


def test_what_the_sql_stands_for_is_covered(links: SchemaLinks) -> None:
    sql = "SELECT COUNT(*) FROM customers WHERE city = 'Paris' AND age > 30"
    assert coverage("How many customers from Paris are older than 30?", sql, links) == Coverage((), (), ())


def test_a_word_that_nothing_stands_for_is_told(links: SchemaLinks) -> None:
    assert coverage("customers with a mortgage", "SELECT name FROM customers", links).unplaced == ("mortgage",)
    assert coverage("bearded customers", "SELECT name FROM customers", links).unplaced == ("bearded",)


def test_a_word_that_is_only_similar_to_a_table_is_told_where_nothing_names_it(links: SchemaLinks) -> None:
    sql = "SELECT COUNT(*) FROM customers"
    assert coverage("How many employees are there?", sql, links).unplaced == ("employees",)
    assert coverage("How many clients are there?", sql, links) == Coverage((), (), ())
    assert coverage("How many employees among the customers?", sql, links).unplaced == ()


def test_a_name_that_the_sql_does_not_use_is_told(links: SchemaLinks) -> None:
    assert coverage("age of customers", "SELECT name FROM customers", links).unused == ("age",)


def test_words_of_events_and_superlatives_are_no_names(links: SchemaLinks) -> None:
    sql = "SELECT COUNT(*) FROM orders"
    assert coverage("How many orders were placed, or took place?", sql, links) == Coverage((), (), ())
    assert coverage("biggest order", "SELECT MAX(amount) FROM orders", links) == Coverage((), (), ())


def test_names_may_be_any_texts() -> None:
    orders = Table("orders", (Column("customer", "VARCHAR"), Column("city", "VARCHAR"), Column("quantity", "INTEGER")))
    links = SchemaLinks(SchemaIndex(Schema("shop", (orders,))))
    assert coverage("names of the customers", "SELECT customer FROM orders", links).unplaced == ()
    assert coverage("names of the customers", "SELECT quantity FROM orders", links).unplaced == ("names",)


def test_general_words_say_nothing() -> None:
    assert {"different", "give"} & general_words() or "kind" in general_words()
    assert "salary" not in general_words()
    assert "今年" not in general_words()


def test_the_confidence_falls_with_words_that_nothing_stands_for(links: SchemaLinks) -> None:
    for name in ("confidence", "answerable"):
        assert coefficients(name), "fitted for the features of this code"
    linked = link("famous customers", links)
    draft = Draft(parse_sql("SELECT name FROM customers", links.names), "SELECT name FROM customers", -0.5, 4)
    sure, unsure = (
        features([draft], linked, links, Coverage(unplaced, (), ()), 0.0, False) for unplaced in ((), ("famous",))
    )
    assert len(sure) == len(FEATURES)
    assert 0 < confidence(unsure) < confidence(sure) < 1
