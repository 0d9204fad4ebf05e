"""More training questions: questions that name everything in their query become templates for other tables.

A question that names every table, column and constant of its query literally is a template: "What is the average
AGE of all SINGERs?" works for any table with a number. It teaches the shape of questions with far more names
than the training databases have (the idea of GraPPa, Yu et al. 2021, with the original questions).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ....workers.builtin.network.schema_linking import SchemaLinks
from ....workers.builtin.network.training_batches import ParserExample
from ....workers.builtin.query.implied_tables import map_scopes, table_for
from ....workers.builtin.query.query_tree import LiteralValue, Operand, Order, Predicate, Query, Term, terms_in
from ....workers.builtin.schema.schema_index import SchemaIndex, column_kind
from ....workers.builtin.text.tokens import Word, is_cjk, read_words, stem
from .training_examples import ExamplePool, make_example

MAX_NAME_CHARACTERS = 8
TRIES = 6


@dataclass(frozen=True, slots=True)
class Slot:
    """The part of a question, `text[start:end]`, that names a column, a table or a constant of a column."""

    start: int
    end: int
    kind: str
    column: int = -1
    table: int = -1
    plural: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """A question with its slots in order, its query, and the required kind of each column."""

    text: str
    tree: Query
    slots: tuple[Slot, ...]
    kinds: tuple[tuple[int, str], ...]
    owners: tuple[tuple[int, int], ...]
    tables: tuple[int, ...]


def make_template(question: str, tree: Query, links: SchemaLinks) -> Template | None:
    """Return the template of a question; None if it does not name its whole query literally, or compares keys."""
    names = links.names
    columns, tables, values = _parts(tree, names)
    if len(tables) > 2 or any(_is_key(column, names) for column in columns):
        return None
    words = read_words(question)
    slots = [_named(words, links.column_tokens[column], column=column) for column in columns]
    slots += [_named(words, links.table_tokens[table], table=table) for table in tables]
    slots += [_constant(question, value.text, column) for value, column in values]
    found = sorted((slot for slot in slots if slot is not None), key=lambda slot: slot.start)
    if len(found) < len(slots) or any(one.end > two.start for one, two in pairwise(found)):
        return None
    kinds = tuple((column, column_kind(names.columns[column])) for column in columns)
    owners = tuple((column, names.table_of[column]) for column in columns)
    return Template(question, tree, tuple(found), kinds, owners, tuple(tables))


def _parts(tree: Query, names: SchemaIndex) -> tuple[list[int], list[int], list[tuple[LiteralValue, int]]]:
    """Return the columns and tables of a query, and its constants, each with the column that it is compared with."""
    columns: dict[int, None] = {}
    tables: dict[int, None] = {}
    values: dict[tuple[LiteralValue, int], None] = {}

    def visit(scope: Query) -> Query:
        for term in terms_in(scope):
            tables[table_for(term, names)] = None
            if term.column is not None:
                columns[term.column] = None
        for predicate in scope.where:
            for operand in predicate.operands:
                if isinstance(operand, LiteralValue) and predicate.term.column is not None:
                    values[operand, predicate.term.column] = None
        return scope

    map_scopes(tree, visit)
    return list(columns), list(tables), list(values)


def _is_key(column: int, names: SchemaIndex) -> bool:
    return names.columns[column].primary_key or any(column in (edge.column, edge.other) for edge in names.edges)


def _named(words: Sequence[Word], name: Sequence[str], column: int = -1, table: int = -1) -> Slot | None:
    """Return the span of the words that spell a whole name; None unless there is exactly one."""
    wanted, found = "".join(stem(word) for word in name), []
    for start in range(len(words)):
        for end in range(start + 1, min(start + MAX_NAME_CHARACTERS, len(words)) + 1):
            if "".join(stem(word.lower) for word in words[start:end]) == wanted:
                plural = words[end - 1].lower.endswith("s") and not name[-1].endswith("s")
                kind = "column" if column >= 0 else "table"
                found.append(Slot(words[start].start, words[end - 1].end, kind, column, table, plural))
    return found[0] if len(found) == 1 else None


def _constant(question: str, text: str, column: int) -> Slot | None:
    at = question.lower().find(text.lower())
    alone = at >= 0 and text.lower() not in question.lower()[at + 1 :]
    return Slot(at, at + len(text), "value", column) if alone else None


@dataclass(frozen=True, slots=True)
class TableTuple:
    """Tables that a template can be filled with: one table, or two of one schema that a key joins."""

    links: SchemaLinks
    tables: tuple[int, ...]


def table_tuples(schemas: Sequence[SchemaLinks]) -> dict[int, list[TableTuple]]:
    """Return every table, and every two tables that a key joins."""
    found: dict[int, list[TableTuple]] = defaultdict(list)
    for links in schemas:
        names = links.names
        found[1] += [TableTuple(links, (table,)) for table in range(len(names.tables))]
        ties = {(names.table_of[edge.column], names.table_of[edge.other]) for edge in names.edges}
        found[2] += [TableTuple(links, pair) for one, two in ties for pair in ((one, two), (two, one))]
    return found


def instantiate(template: Template, target: TableTuple, chance: random.Random) -> tuple[str, Query] | None:
    """Return a template's question and query about other tables; None if these do not have the required columns."""
    names, tables = target.links.names, dict(zip(template.tables, target.tables, strict=True))
    columns: dict[int, int] = {}
    for column, kind in template.kinds:
        owner = tables[dict(template.owners)[column]]
        free = [
            one
            for one in names.columns_of[owner]
            if column_kind(names.columns[one]) == kind and one not in columns.values() and not _is_key(one, names)
        ]
        if not free:
            return None
        columns[column] = chance.choice(free)
    texts: dict[tuple[int, str], str] = {}
    question, at = "", 0
    for slot in template.slots:
        question += template.text[at : slot.start]
        old, at = template.text[slot.start : slot.end], slot.end
        if slot.kind == "value":
            new = texts[slot.column, old.lower()] = _cell(names, columns[slot.column], old, chance)
        else:
            spelled = (
                target.links.column_tokens[columns[slot.column]]
                if slot.kind == "column"
                else target.links.table_tokens[tables[slot.table]]
            )
            new = _phrase(spelled, slot.plural, capital=slot.start == 0)
        question += new
    return question + template.text[at:], _renamed(template.tree, columns, tables, texts)


def _cell(names: SchemaIndex, column: int, old: str, chance: random.Random) -> str:
    """Return a constant of the new column to replace the old one."""
    number = old.replace(".", "", 1).isdigit()
    cells = [
        cell
        for cell in names.columns[column].values[:200]
        if 0 < len(cell) <= 40 and cell.replace(".", "", 1).isdigit() == number and not set(cell) & set("\"'“”%\n")
    ]
    return chance.choice(cells).strip() or old if cells else old


def _phrase(words: Sequence[str], plural: bool, capital: bool) -> str:
    text = ("" if any(is_cjk(word) for word in words) else " ").join(words)
    if plural and not text.endswith("s"):
        text = f"{text[:-1]}ies" if text.endswith("y") and text[-2:-1] not in tuple("aeiou") else f"{text}s"
    return text[:1].upper() + text[1:] if capital else text


def _renamed(
    tree: Query, columns: Mapping[int, int], tables: Mapping[int, int], texts: Mapping[tuple[int, str], str]
) -> Query:
    def term(one: Term) -> Term:
        column = None if one.column is None else columns[one.column]
        return replace(one, column=column, table=None if one.table is None else tables[one.table])

    def operand(one: Operand, column: int | None) -> Operand:
        if isinstance(one, Term):
            return term(one)
        if isinstance(one, LiteralValue) and column is not None:
            return replace(one, text=texts.get((column, one.text.lower()), one.text))
        return one

    def predicate(one: Predicate) -> Predicate:
        return replace(one, term=term(one.term), operands=tuple(operand(two, one.term.column) for two in one.operands))

    def scope(query: Query) -> Query:
        return replace(
            query,
            items=tuple(term(one) for one in query.items),
            using=tuple(term(one) for one in query.using),
            where=tuple(predicate(one) for one in query.where),
            having=tuple(predicate(one) for one in query.having),
            group=tuple(columns[one] for one in query.group),
            order=tuple(Order(term(one.term), one.descending) for one in query.order),
        )

    return map_scopes(tree, scope)


def generated_examples(
    pool: ExamplePool, tables: Sequence[SchemaLinks], count: int, chance: random.Random
) -> list[ParserExample]:
    """Return about `count` examples of the pool's templates: half about its databases, half about single tables."""
    templates = [
        template
        for database, turns in sorted(pool.turns.items())
        for turn in turns
        if turn.tree and (template := make_template(turn.question, turn.tree, pool.links[database]))
    ]
    made = [
        make_example(question, links, tree)
        for schemas in (list(pool.links.values()), tables)
        for links, question, tree in augment(templates, schemas, count // 2, chance)
    ]
    return [example for example in made if example is not None]


def augment(
    templates: Sequence[Template], schemas: Sequence[SchemaLinks], count: int, chance: random.Random
) -> Iterator[tuple[SchemaLinks, str, Query]]:
    """Yield about `count` questions about randomly drawn tables, each with the schema and the query."""
    targets = table_tuples(schemas)
    for _ in range(count if templates else 0):
        template = chance.choice(templates)
        options = targets[len(template.tables)]
        for target in chance.choices(options, k=TRIES) if options else ():
            question = instantiate(template, target, chance)
            if question is not None:
                yield target.links, *question
                break
