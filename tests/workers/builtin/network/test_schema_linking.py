from __future__ import annotations

from quackllm.workers.builtin.network.schema_linking import (
    COLUMNS,
    QUESTION,
    RELATION_NUMBERS,
    RELATIONS,
    SYMBOL,
    TABLES,
    VALUES,
    PreviousTurn,
    SchemaLinks,
    link,
)
from quackllm.workers.builtin.network.value_candidates import CellIndex, find_candidates, matching_cells
from quackllm.workers.builtin.query.from_sql import parse_sql
from quackllm.workers.builtin.query.query_tree import LiteralValue
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.builtin.text.tokens import BUCKETS, name_words, read_words, stem, text_features
from quackllm.workers.database_schema import Column, Schema, Table

pytest_plugins = ["support.builtin_shop"]


def texts(question: str, names: SchemaIndex) -> dict[str, str]:
    return {one.value.text: one.kind for one in find_candidates(question, CellIndex(names))}


def test_words_of_names_and_questions() -> None:
    assert name_words("songName_2") == ("song", "name", "2")
    assert name_words("StuID") == ("stu", "id")
    assert [word.text for word in read_words("What's 1,200.5 (or '2014-10-08')?")] == [
        *("What's", "1,200.5", "(", "or", "'", "2014-10-08", "'", ")", "?")
    ]
    assert stem("cities") == "city"
    assert stem("singers") == "singer"
    assert stem("class") == "class"
    assert all(0 <= row < BUCKETS for row in text_features(("stadium", "99")))


def test_candidates_are_numbers_quotes_names_and_cells(names: SchemaIndex) -> None:
    found = texts('Customers older than 30 in new york called "Ann", since 2024-01-31, at least two orders', names)
    assert found == {
        "30": "number",
        "Ann": "quoted",
        "new york": "cell",
        "2024-01-31": "date",
        "2": "number",
    }


def test_millions_are_multiplied_out(names: SchemaIndex) -> None:
    assert list(texts("more than 1.5 million people, two thousand dogs", names)) == ["dogs", "1500000", "2000"]
    millions = Schema("", (Table("firm", (Column("sales_in_millions", "DOUBLE"),)),))
    assert list(texts("more than 5 million", SchemaIndex(millions))) == ["5"]


def test_the_longest_cell_is_meant(names: SchemaIndex) -> None:
    assert "York" not in texts("Who lives in New York?", names)
    assert texts("Who lives in York?", names) == {"York": "cell"}


def test_a_plural_and_a_gender_find_their_cells(shop: Schema) -> None:
    assert matching_cells("How many dogs are there?", shop) == [("products", "title", "Dog")]
    assert matching_cells("How many women are there?", shop) == [("customers", "sex", "F")]


def test_values_of_the_turn_before_are_candidates(names: SchemaIndex) -> None:
    found = find_candidates("And the oldest?", CellIndex(names), [LiteralValue("Paris")])
    assert [(one.value.text, one.kind) for one in found] == [("Paris", "earlier")]
    assert found[0].cells == {names.find_column("customers", "city"): "Paris"}


def relation(question: str, links: SchemaLinks, one: tuple[int, int], two: tuple[int, int]) -> str:
    linked = link(question, links)
    number = linked.relations[linked.start(one[0]) + one[1], linked.start(two[0]) + two[1]]
    return next((name for name, known in RELATION_NUMBERS.items() if known == number), "none")


def test_words_are_tied_to_names_and_cells(links: SchemaLinks) -> None:
    city, title = (links.names.find_column("customers", "city"), links.names.find_column("products", "title"))
    question = "Which cities do dog owners and customers live in, ordered on Friday in York?"
    assert relation(question, links, (QUESTION, 1), (COLUMNS, city or 0)) == "word fully column"
    assert relation(question, links, (COLUMNS, city or 0), (QUESTION, 1)) == "word fully column back"
    assert relation(question, links, (QUESTION, 3), (COLUMNS, title or 0)) == "word in cell of column"
    assert relation(question, links, (QUESTION, 6), (TABLES, 0)) == "word fully table"
    assert relation(question, links, (VALUES, 0), (COLUMNS, title or 0)) == "cell of column"
    assert relation(question, links, (QUESTION, 0), (TABLES, 3)) == "none"


def test_keys_are_relations(links: SchemaLinks) -> None:
    key, own = links.names.find_column("orders", "customer_id"), links.names.find_column("customers", "id")
    assert relation("x", links, (COLUMNS, key or 0), (COLUMNS, own or 0)) == "refers to"
    assert relation("x", links, (TABLES, 0), (TABLES, 1)) == "table referred to"
    assert relation("x", links, (COLUMNS, own or 0), (TABLES, 0)) == "key of"


def test_the_turn_before_is_read(links: SchemaLinks) -> None:
    tree = parse_sql("SELECT name FROM customers WHERE city = 'Paris'", links.names)
    linked = link("And their age?", links, PreviousTurn("Who lives in Paris?", tree))
    assert linked.sizes[1] == 5
    assert linked.sizes[SYMBOL] > 3
    assert [one.kind for one in linked.candidates] == ["earlier"]
    assert linked.relations.max() < RELATIONS
    assert linked.relations.shape == (len(linked.features),) * 2 == (sum(linked.sizes),) * 2


def test_more_cells_change_one_question_only(links: SchemaLinks) -> None:
    city = links.names.find_column("customers", "city")
    more = links.with_cells([(city or 0, "Oslo")])
    assert [one.kind for one in link("from oslo", more).candidates] == ["cell"]
    assert link("from oslo", links).candidates == []
