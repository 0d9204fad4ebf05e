"""Examples to decline: questions that name a column which their schema has no longer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from ....workers.builtin.network.name_matching import NEAR, PARTLY
from ....workers.builtin.network.schema_linking import PreviousTurn, SchemaLinks, link
from ....workers.builtin.network.training_batches import ParserExample
from ....workers.builtin.query.grammar import keyword
from ....workers.builtin.query.query_tree import Query, terms_in
from ....workers.builtin.schema.schema_index import SchemaIndex
from ....workers.builtin.text.tokens import read_words
from ....workers.database_schema import Schema

TRIES = 4


def without_column(schema: Schema, tree: Query, chance: random.Random) -> tuple[Schema, int] | None:
    """Return a schema without one of the columns that a query needs, and that column's number; None if only keys are.

    Args:
        schema: the whole schema.
        tree: a query on it.
        chance: draws the column.
    """
    names = SchemaIndex(schema)
    keys = {end for edge in names.edges for end in (edge.column, edge.other)}
    keys |= {number for number, column in enumerate(names.columns) if column.primary_key}
    needed = sorted({term.column for term in terms_in(tree) if term.column is not None} - keys)
    if not needed:
        return None
    dropped = chance.choice(needed)
    owner, gone = names.table_of[dropped], names.columns[dropped]
    tables = [
        replace(table, columns=tuple(one for one in table.columns if one is not gone)) if number == owner else table
        for number, table in enumerate(names.tables)
    ]
    return replace(schema, tables=tuple(tables)), dropped


def unanswerable_example(turn: PreviousTurn, links: SchemaLinks, chance: random.Random) -> ParserExample | None:
    """Return a question as an example to decline, without a column that it names and nothing else has the name of."""
    if turn.tree is None or len(links.names.columns) > 150:
        return None
    found = without_column(links.names.schema, turn.tree, chance)
    if found is None:
        return None
    schema, dropped = found
    words = [word.lower for word in read_words(turn.question)]
    named = links.matcher.levels(words)[:, dropped] >= PARTLY
    left = SchemaLinks(SchemaIndex(schema))
    if not (named & (left.matcher.levels(words).max(axis=1, initial=0) < NEAR)).any():
        return None
    return ParserExample(link(turn.question, left), (keyword("DECLINE"),))


def unanswerable_examples(
    turns: Sequence[tuple[PreviousTurn, SchemaLinks]], count: int, chance: random.Random
) -> list[ParserExample]:
    """Return about `count` examples to decline."""
    found = []
    for _ in range(count * TRIES):
        turn, links = chance.choice(turns)
        example = unanswerable_example(turn, links, chance)
        found += [example] if example else []
        if len(found) >= count:
            break
    return found
