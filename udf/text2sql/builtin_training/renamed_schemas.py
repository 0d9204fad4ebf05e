"""Training databases under other names: Chinese ones in English, English ones abbreviated with comments."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace

from ....workers.builtin.schema.schema_index import SchemaIndex
from ....workers.builtin.text.tokens import is_cjk, name_words
from ....workers.builtin.text.word_meanings import segment, word_meanings
from ....workers.database_schema import ForeignKey, Schema, Table, join_name, split_name

COMMENTED = 0.5  # How often a database with English names keeps its Chinese names as comments.
KEPT_NAMES = 0.3  # How often a name stays as it is while others are abbreviated.
Rename = Callable[[str], str]


def in_english(names: SchemaIndex, chance: random.Random) -> Schema:
    """Return a Chinese schema with its names translated word by word; often with the old ones as comments."""
    return _renamed(names, _translated, commented=chance.random() < COMMENTED)


def abbreviated(names: SchemaIndex, chance: random.Random) -> Schema:
    """Return a schema most of whose names are abbreviated or numbered, with the old names as comments."""
    style = chance.choice(("vowels", "letters", "numbers"))
    numbers = iter(range(1, 100_000))

    def short(name: str) -> str:
        words = name_words(name)
        if style == "numbers":
            return f"c{next(numbers):03}"
        if style == "letters":
            return "_".join(word[:3] for word in words)
        return "_".join(word[0] + "".join(letter for letter in word[1:] if letter not in "aeiou") for word in words)

    return _renamed(names, lambda name: name if chance.random() < KEPT_NAMES else short(name), commented=True)


def _translated(name: str) -> str:
    parts: list[str] = []
    run = ""
    for word in (*name_words(name), ""):
        if is_cjk(word):
            run += word
            continue
        parts += [word_meanings().translation(one) for one in segment(run)] if run else []
        parts += [word] if word else []
        run = ""
    return "_".join(part for part in parts if part)


def _renamed(names: SchemaIndex, rename: Rename, commented: bool) -> Schema:
    """Return the schema under new names, with every join that the old names imply declared as a key."""
    last = [split_name(table.name)[-1] for table in names.tables]
    tables = []
    for table, new, old in zip(names.tables, _unique(map(rename, last)), last, strict=True):
        fresh = _unique(rename(column.name) for column in table.columns)
        columns = tuple(
            replace(column, name=name, comment=column.name if commented and name != column.name else column.comment)
            for column, name in zip(table.columns, fresh, strict=True)
        )
        tables.append(Table(join_name([new]), columns, old if commented and new != old else table.comment))
    made = SchemaIndex(Schema(names.schema.name, tuple(tables)))
    keys = [(names.table_of[edge.column], edge.column, names.table_of[edge.other], edge.other) for edge in names.edges]
    links = tuple(
        ForeignKey(tables[one].name, made.columns[column].name, tables[two].name, made.columns[other].name)
        for one, column, two, other in keys
    )
    return Schema(names.schema.name, tuple(tables), links)


def _unique(names: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for number, name in enumerate(names):
        name = name or f"field_{number}"
        found[name if name not in found else f"{name}_{number}"] = None
    return list(found)
