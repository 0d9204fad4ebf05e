"""Prunes a large schema to the tables and columns that a question names, and the tables between them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ...database_schema import Schema, Table, split_name
from ..text.lexicon import IGNORED
from ..text.tokens import name_words, read_words, stem
from .schema_index import SchemaIndex

MAX_COLUMNS = 240  # The network's time grows with the square of this.
MAX_TABLE_COLUMNS = 60


def prune_schema(names: SchemaIndex, text: str, cells: Collection[int]) -> Schema:
    """Return the schema; of a large one, only the part that is relevant to a text.

    Args:
        text: the question, with the previous turn.
        cells: columns with a cell that the question mentions.
    """
    schema = names.schema
    if len(names.columns) <= MAX_COLUMNS:
        return schema
    stems = {stem(word.lower) for word in read_words(text)} - IGNORED
    named = {number for number, column in enumerate(names.columns) if _is_named(column.name, stems)} | set(cells)
    scores = [_score(names, number, stems, named, cells) for number in range(len(names.tables))]
    chosen: list[int] = []
    left = MAX_COLUMNS
    for number in sorted(range(len(names.tables)), key=lambda number: -scores[number]):
        between = [other for other in _between(names, number, chosen) if other not in chosen]
        cost = sum(min(len(names.tables[one].columns), MAX_TABLE_COLUMNS) for one in (number, *between))
        if cost <= left and number not in chosen:
            chosen += [number, *between]
            left -= cost
    keys = {edge.column for edge in names.edges} | {edge.other for edge in names.edges}
    tables = tuple(_short_table(names, number, named | keys) for number in sorted(chosen))
    kept = {table.name for table in tables}
    links = tuple(key for key in schema.foreign_keys if key.table in kept and key.other_table in kept)
    return Schema(schema.name, tables, links)


def _is_named(name: str, stems: Collection[str]) -> bool:
    return any(stem(word) in stems for word in name_words(name))


def _score(
    names: SchemaIndex, number: int, stems: Collection[str], named: Collection[int], cells: Collection[int]
) -> float:
    """Return the relevance of a table to the question: its name counts most, then cells, then columns."""
    words = [stem(word) for word in name_words(split_name(names.tables[number].name)[-1])]
    own = names.columns_of[number]
    share = sum(word in stems for word in words) / len(words)
    return 3 * share + 2 * sum(column in cells for column in own) + min(sum(column in named for column in own), 4) / 2


def _between(names: SchemaIndex, number: int, chosen: Collection[int]) -> list[int]:
    """Return a table that connects a table to a chosen one, if no key joins them directly."""
    adjacent = {table for table, _ in names.neighbours[number]}
    if not chosen or adjacent & set(chosen):
        return []
    for table in sorted(adjacent):
        if {other for other, _ in names.neighbours[table]} & set(chosen):
            return [table]
    return []


def _short_table(names: SchemaIndex, number: int, wanted: Collection[int]) -> Table:
    own = names.columns_of[number]
    if len(own) <= MAX_TABLE_COLUMNS:
        return names.tables[number]
    kept = set(sorted(own, key=lambda column: (column not in wanted, column))[:MAX_TABLE_COLUMNS])
    return replace(names.tables[number], columns=tuple(names.columns[column] for column in own if column in kept))
