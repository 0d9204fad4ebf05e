from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quackllm.workers.binder import Binder
from quackllm.workers.builtin.network.beam_search import beam_search
from quackllm.workers.builtin.network.decoding_mask import DecodingMask
from quackllm.workers.builtin.network.numpy_network import Network
from quackllm.workers.builtin.network.schema_linking import SchemaLinks, link
from quackllm.workers.builtin.query.grammar import COLUMN, WORD, is_keyword, is_valid, keyword
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.builtin.semantic_parser import sql_for, tree_from_beam

pytest_plugins = ["support.builtin_shop"]

QUESTIONS = [
    "How many customers are there in New York?",
    "List the title of products ordered after 2024-01-31 by women older than 30",
    "",
    "What is the total amount of each customer's orders, at least 3, 'Ann' or 'Bob'?",
]


@given(seed=st.integers(0, 10**6), question=st.sampled_from(QUESTIONS))
@settings(max_examples=40)
def test_every_beam_of_a_random_network_is_a_whole_query(seed: int, question: str) -> None:
    from support.builtin_shop import random_network, shop_schema

    names = SchemaIndex(shop_schema())
    linked = link(question, SchemaLinks(names))
    beams = beam_search(random_network(seed), names, linked)
    assert [beam.score for beam in beams] == sorted((beam.score for beam in beams), reverse=True)
    for beam in beams:
        assert is_valid(beam.symbols)


def test_most_random_beams_bind() -> None:
    from support.builtin_shop import random_network, shop_schema

    schema = shop_schema()
    names, binder = SchemaIndex(schema), Binder(schema)
    links = SchemaLinks(names)
    written = bound = 0
    for seed in range(30):
        linked = link(QUESTIONS[seed % len(QUESTIONS)], links)
        for beam in beam_search(random_network(seed), names, linked):
            if not is_keyword(beam.symbols[0], "DECLINE"):
                sql = sql_for(tree_from_beam(beam, linked), names, linked)
                written += sql is not None
                bound += sql is not None and binder.binds(sql)
    assert written > 30
    # What is left are types that only DuckDB judges, in subqueries and set operations.
    assert bound / written > 0.9


def test_sums_are_of_numbers_and_no_column_is_selected_twice(names: SchemaIndex, links: SchemaLinks) -> None:
    linked = link("the sum", links)
    legal = DecodingMask(names, linked)
    mask = legal.mask(("AFTER_ITEM", "ARGUMENT"), [keyword("SUM")])
    city, age = names.find_column("customers", "city"), names.find_column("customers", "age")
    assert not mask[legal.position((COLUMN, city or 0))]
    assert mask[legal.position((COLUMN, age or 0))]
    after = legal.mask(("AFTER_ITEM",), [(COLUMN, age or 0)])
    assert not after[legal.position((COLUMN, age or 0))]


def test_without_constants_nothing_that_needs_one_is_legal(names: SchemaIndex, links: SchemaLinks) -> None:
    legal = DecodingMask(names, link("who?", links))
    city = names.find_column("customers", "city")
    mask = legal.mask(("AFTER_WHERE", "OPERATOR"), [(COLUMN, city or 0)])
    assert not mask[legal.position(keyword("BETWEEN"))]
    assert mask[legal.position(keyword("IS_NULL"))]


def test_a_run_of_words_is_a_constant_of_a_text_column_alone(names: SchemaIndex, links: SchemaLinks) -> None:
    legal = DecodingMask(names, link("who lives in old harbour street", links))
    city, age = names.find_column("customers", "city"), names.find_column("customers", "age")
    for column, allowed in ((city, True), (age, False)):
        mask = legal.mask(("AFTER_WHERE", "OPERAND"), [(COLUMN, column or 0), keyword("=")])
        assert mask[legal.position((WORD, 3))] == allowed
    last = legal.mask(("AFTER_WHERE", "LAST_WORD"), [(COLUMN, city or 0), keyword("="), (WORD, 3)])
    assert [index for index, _ in enumerate(mask) if last[index]] == [
        legal.position((WORD, word)) for word in (3, 4, 5)
    ]


def test_the_other_side_of_a_set_operation_has_as_many_items(names: SchemaIndex, links: SchemaLinks) -> None:
    legal = DecodingMask(names, link("both", links))
    one, two = (COLUMN, 1), (COLUMN, 2)
    short = legal.mask(("AFTER_ITEM",), [one, two, keyword("UNION"), one])
    assert not short[legal.position(keyword("END"))]
    whole = legal.mask(("AFTER_ITEM",), [one, two, keyword("UNION"), one, two])
    assert whole[legal.position(keyword("END"))]
    assert not whole[legal.position((COLUMN, 3))]


def test_the_same_question_gets_the_same_beams(untrained: Network, names: SchemaIndex, links: SchemaLinks) -> None:
    linked = link(QUESTIONS[0], links)
    assert beam_search(untrained, names, linked) == beam_search(untrained, names, linked)


@pytest.mark.parametrize("width", [1, 3])
def test_there_are_at_most_so_many_beams(
    untrained: Network, names: SchemaIndex, links: SchemaLinks, width: int
) -> None:
    assert 1 <= len(beam_search(untrained, names, link(QUESTIONS[1], links), width)) <= width


def test_no_key_is_averaged_and_none_sorts_unless_the_question_names_it(names: SchemaIndex, links: SchemaLinks) -> None:
    key, age = (next(n for n, one in enumerate(names.columns) if one.name == name) for name in ("customer_id", "age"))
    for question, sorts in (("the oldest customer", False), ("customers by id", True)):
        legal = DecodingMask(names, link(question, links))
        average = legal.mask(("AFTER_ITEM", "ARGUMENT"), [keyword("AVG")])
        order = legal.mask(("ORDER_ITEM",), [keyword("ORDER")])
        assert average[legal.position((COLUMN, age))]
        assert not average[legal.position((COLUMN, key))]
        assert order[legal.position((COLUMN, age))]
        assert order[legal.position((COLUMN, key))] == sorts
