"""Finds the tables, columns and values of a database that some words are about."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import monotonic

from ....udf.text2sql.schema.column_samples import can_sample
from ....workers.database_schema import Column, Schema, Table, quote_path
from ....workers.errors import DatabaseError
from ....workers.mschema import format_mschema
from ....workers.sql_text import quote_identifier, quote_literal
from ..databases.in_sandbox import SandboxedDatabase

MAX_TABLES = 8  # Tables that one search shows with their columns.
MAX_CHARACTERS = 12_000  # A longer schema is listed by the names of its tables.
MAX_NAMES = 300
VALUES = 5  # Values that are shown of one column.
LOOKUP_SECONDS, LOOKUP_TABLES = 5.0, 40  # For values that are not among the samples.
EXAMPLES = 3
# Where a word matches, and what it is worth.
TABLE_NAME, TABLE_COMMENT, COLUMN_NAME, COLUMN_COMMENT, VALUE = 8, 3, 4, 2, 3
ColumnValues = dict[tuple[str, str], tuple[str, ...]]


def split_words(text: str) -> tuple[str, ...]:
    """Return the different words of a text, in lower case; `order_id` is two words."""
    return tuple(dict.fromkeys(re.findall(r"[^\W_]+", text.casefold())))


def describe_schema(schema: Schema) -> str:
    """Return the whole schema as M-Schema, or its tables' names if that would be too long."""
    text = format_mschema(schema, max_examples=EXAMPLES)
    if len(text) <= MAX_CHARACTERS:
        return text
    names = [f"{table.name} ({len(table.columns)} columns)" for table in schema.tables[:MAX_NAMES]]
    more = len(schema.tables) - len(names)
    rest = [f"… and {more} more"] if more > 0 else []
    return "\n".join([*names, *rest, "Search for words to see the columns of the tables that they are about."])


def matching_values(schema: Schema, words: Sequence[str]) -> ColumnValues:
    """Return the sampled values of each (table, column) that contain one of the words."""
    found: ColumnValues = {}
    for table in schema.tables:
        for column in table.columns:
            values = [value for value in column.values if _contains(value, words)]
            if values:
                found[table.name, column.name] = tuple(sorted(values, key=len)[:VALUES])
    return found


def look_up_values(database: SandboxedDatabase, schema: Schema, words: Sequence[str]) -> ColumnValues:
    """Return the values that contain one of the words, read from the tables themselves, as far as the time goes.

    Raises:
        DatabaseError: the database cannot be reached.
    """
    found: ColumnValues = {}
    deadline = monotonic() + LOOKUP_SECONDS
    for table in schema.tables[:LOOKUP_TABLES]:
        columns = [column for column in table.columns if _is_text(column)]
        if not columns or monotonic() > deadline:
            continue
        sql, failure = database.fit(_lookup_sql(table, columns, words), schema)
        if failure:
            continue
        try:
            rows = database.run(sql, VALUES * len(columns)).rows
        except DatabaseError:
            continue  # For example a view that fails, or a table that takes too long; the others may have it.
        for position, value in map(json.loads, rows):
            place = table.name, columns[position].name
            found[place] = (*found.get(place, ()), value)
    return found


def search_schema(schema: Schema, words: Sequence[str], values: ColumnValues) -> str:
    """Return the tables that the words are about as M-Schema, the best first, and the values that contain a word.

    Args:
        schema: the database's.
        words: as `split_words` returns them.
        values: of each (table, column), those that contain one of the words.
    """
    scores = {table.name: _score(table, words, values) for table in schema.tables}
    best = sorted((table for table in schema.tables if scores[table.name]), key=lambda table: -scores[table.name])
    shown = best[:MAX_TABLES]
    names = {table.name for table in shown}
    keys = tuple(key for key in schema.foreign_keys if {key.table, key.other_table} & names)
    lines = [f"{len(best)} of {len(schema.tables)} tables match."]
    if not shown:
        return "\n".join([lines[0], "All tables:", *(table.name for table in schema.tables[:MAX_NAMES])])
    lines.append(format_mschema(replace(schema, tables=tuple(shown), foreign_keys=keys), max_examples=EXAMPLES))
    lines += [f"Also: {', '.join(table.name for table in best[MAX_TABLES:])}"] if best[MAX_TABLES:] else []
    return "\n".join([*lines, *_value_lines(values)])


def _value_lines(values: ColumnValues) -> Iterator[str]:
    if values:
        yield "Values:"
    for (table, column), found in values.items():
        yield f"{table}.{column}: {', '.join(map(quote_literal, found))}"


def _score(table: Table, words: Sequence[str], values: ColumnValues) -> int:
    return sum(
        TABLE_NAME * _matches(table.name, word)
        + TABLE_COMMENT * _matches(table.comment, word)
        + max((_column_score(table, column, word, values) for column in table.columns), default=0)
        for word in words
    )


def _column_score(table: Table, column: Column, word: str, values: ColumnValues) -> int:
    return max(
        COLUMN_NAME * _matches(column.name, word),
        COLUMN_COMMENT * _matches(column.comment, word),
        VALUE * any(_contains(value, (word,)) for value in values.get((table.name, column.name), ())),
    )


def _matches(text: str, word: str) -> bool:
    """Whether a name or a comment has the word, in the singular or the plural; Chinese has no spaces to go by."""
    stem = _singular(word)
    return stem in map(_singular, split_words(text)) or (
        (len(stem) > 3 or not stem.isascii()) and stem in text.casefold()
    )


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _contains(value: str, words: Sequence[str]) -> bool:
    text = value.casefold()
    return any(word in text for word in words if _can_look_up(word))


def _can_look_up(word: str) -> bool:
    """Whether a word is worth looking up: a short one in Latin letters is inside of nearly everything."""
    return len(word) > 2 or not word.isascii()


def _is_text(column: Column) -> bool:
    return column.type.startswith(("VARCHAR", "ENUM")) and can_sample(column.type)


def _lookup_sql(table: Table, columns: Sequence[Column], words: Sequence[str]) -> str:
    """Return DuckDB's SQL for the values of some columns that contain a word: (the column's position, the value)."""
    return " UNION ALL ".join(
        f"SELECT {position} AS position, value FROM (SELECT DISTINCT {name} AS value FROM {quote_path(table.name)} "
        f"WHERE {' OR '.join(_like(name, word) for word in words if _can_look_up(word))} LIMIT {VALUES}) AS found"
        for position, name in enumerate(quote_identifier(column.name) for column in columns)
    )


def _like(name: str, word: str) -> str:
    return f"lower({name}) LIKE {quote_literal(f'%{word}%')}"
