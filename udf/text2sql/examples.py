"""The built-in model's training examples: questions linked to their schemas, with the symbols that answer them."""

from __future__ import annotations

import logging
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ...workers.builtin.batches import Example
from ...workers.builtin.grammar import is_legal, keyword
from ...workers.builtin.linking import Earlier, SchemaLinks, link
from ...workers.builtin.names import Names
from ...workers.builtin.sequence import NotSayable, Speller
from ...workers.builtin.sql_read import NotRead, read_sql
from ...workers.builtin.tree import Query, Value
from ...workers.mschema import Column, Schema, Table
from .data import Question, schema_of
from .trees import read_questions

log = logging.getLogger(__name__)
MOST_SYMBOLS = 90
HELD_OUT = ("apartment_rentals", "film_rank", "machine_repair", "product_catalog", "ship_1")
"""Training databases that validation is done on: none of their questions is trained on."""


@dataclass
class Examples:
    """Training and validation examples, and what a decline is made of: questions with the links of other schemas."""

    train: list[Example] = field(default_factory=list)
    tables: list[Example] = field(default_factory=list)
    held_out: list[Example] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    links: dict[str, SchemaLinks] = field(default_factory=dict)
    dropped: int = 0

    def declined(self, count: int, chance: random.Random) -> list[Example]:
        """Return examples of questions asked of a wrong database, to be declined."""
        made = []
        for _ in range(count):
            database, question = chance.choice(self.asked)
            wrong = chance.choice(sorted(self.links))
            if wrong != database:
                made.append(Example(link(question, self.links[wrong]), (keyword("DECLINE"),)))
        return made


def spider_examples(suites: Mapping[str, Sequence[Question]]) -> Examples:
    """Return the examples of suites over databases; those with dialogues bring the turn before."""
    found = Examples()
    for suite, asked in suites.items():
        readings, reasons = read_questions(asked)
        log.info(
            "%s: %d of %d have trees; %s",
            suite,
            sum(one.tree is not None for one in readings),
            len(readings),
            reasons.most_common(3),
        )
        earlier: dict[tuple[str, int | None], Earlier] = {}
        for reading in sorted(
            readings, key=lambda one: (one.question.db, one.question.dialogue or 0, one.question.turn)
        ):
            question, key = reading.question, (reading.question.db, reading.question.dialogue)
            if question.db not in found.links:
                found.links[question.db] = SchemaLinks(Names(schema_of(question.db)))
            before = earlier.get(key) if question.dialogue is not None else None
            earlier[key] = Earlier(question.question, reading.tree)
            if question.dialogue is None:
                found.asked.append((question.db, question.question))
            if reading.tree is not None:
                _add(found, question, found.links[question.db], reading.tree, before)
    found.asked = [one for one in found.asked if one[0] not in HELD_OUT]
    found.links = {name: links for name, links in found.links.items() if name not in HELD_OUT}
    return found


def _add(found: Examples, question: Question, links: SchemaLinks, tree: Query, before: Earlier | None) -> None:
    example = make_example(question.question, links, tree, before)
    if example is None:
        found.dropped += 1
    else:
        (found.held_out if question.db in HELD_OUT else found.train).append(example)


def make_example(question: str, links: SchemaLinks, tree: Query, before: Earlier | None = None) -> Example | None:
    """Return the example; None where the tree has a value that the question does not offer, or is very long."""
    linked = link(question, links, before)
    try:
        symbols = Speller([one.spellings for one in linked.candidates]).query(tree)
    except NotSayable:
        return None
    return Example(linked, tuple(symbols)) if len(symbols) <= MOST_SYMBOLS and is_legal(symbols) else None


def table_examples(asked: Sequence[Question]) -> list[Example]:
    """Return the examples of questions that bring their own table `t`: its cells are what its questions name."""
    by_table: dict[tuple[tuple[str, str], ...], list[Question]] = defaultdict(list)
    for question in asked:
        by_table[question.columns].append(question)
    made: list[Example | None] = []
    for columns, questions in by_table.items():
        plain = Names(_one_table(columns, {}))
        trees = [(question, _tree(question.sql, plain)) for question in questions]
        links = SchemaLinks(Names(_one_table(columns, _cells(tree for _, tree in trees))))
        made += [make_example(question.question, links, tree) for question, tree in trees if tree is not None]
    return [example for example in made if example is not None]


def _one_table(columns: Iterable[tuple[str, str]], cells: dict[int, tuple[str, ...]]) -> Schema:
    made = tuple(Column(name, kind, values=cells.get(number, ())) for number, (name, kind) in enumerate(columns))
    return Schema("t", (Table("t", made),))


def _tree(sql: str, names: Names) -> Query | None:
    try:
        tree = read_sql(sql, names)
    except NotRead:
        return None
    return Query(tree.items, where=tree.where)


def _cells(trees: Iterable[Query | None]) -> dict[int, tuple[str, ...]]:
    cells: dict[int, dict[str, None]] = defaultdict(dict)
    for tree in trees:
        for predicate in tree.where if tree else ():
            for operand in predicate.operands:
                if isinstance(operand, Value) and predicate.term.column is not None:
                    cells[predicate.term.column][operand.text] = None
    return {column: tuple(texts) for column, texts in cells.items()}
