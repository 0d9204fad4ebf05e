"""Finds the cells that a question mentions in all rows of a database, where the samples are not all of a column."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import duckdb

from ....workers.database_schema import Column, Schema, Table, quote_path
from ....workers.sql_text import quote_identifier, quote_literal
from .value_matching import ENDS, CellMatch, NearPhrase, fold, phrases_in

SECONDS = 3.0  # For all columns together; what was found until then is used.
MAX_FOUND = 20  # Cells of one column.
# What `fold` does, as far as DuckDB can: full-width letters become narrow, accents and case go.
NARROW = "".join(map(chr, range(0x21, 0x7F)))
WIDE = "".join(chr(ord(letter) + 0xFEE0) for letter in NARROW)
FOLDED = (
    f"CASE WHEN strlen(cell) = length(cell) THEN lower(trim(cell, ' {ENDS}')) "
    f"ELSE lower(strip_accents(trim(translate(cell, {quote_literal(WIDE)}, {quote_literal(NARROW)}), ' {ENDS}'))) END"
)
EXACT = "SELECT DISTINCT cell FROM ({cells}) WHERE {condition}"
# Materialized, for DuckDB would compute `folded` again for each condition.
SIMILAR_CELLS = (
    "WITH cells AS MATERIALIZED (SELECT DISTINCT cell FROM ({cells})), "
    f"folded_cells AS MATERIALIZED (SELECT cell, {FOLDED} AS folded FROM cells) "
    "SELECT cell FROM folded_cells WHERE {condition}"
)
FindCells = Callable[[str, Schema], list[CellMatch]]


@dataclass(frozen=True, slots=True)
class CellScan:
    """Searches columns by DuckDB itself, on a connection of its own.

    Args:
        open_cursor: opens the connection; None: it is closed.
    """

    open_cursor: Callable[[], duckdb.DuckDBPyConnection | None]

    def __call__(self, question: str, schema: Schema) -> list[CellMatch]:
        """Return the cells that a question mentions, of columns whose values are not all known."""
        wanted = [(t, c) for t in schema.tables for c in t.columns if c.examples and is_text(c) and not c.complete]
        phrases, near = phrases_in(question, schema)
        if not wanted or not (phrases or near):
            return []
        try:
            cursor = self.open_cursor()
        except duckdb.Error:
            return []
        if cursor is None:
            return []
        timer = threading.Timer(SECONDS, cursor.interrupt)
        timer.start()
        try:
            return _search_all(cursor, wanted, phrases, near)
        finally:
            timer.cancel()
            cursor.close()


def _search_all(
    cursor: duckdb.DuckDBPyConnection,
    wanted: Sequence[tuple[Table, Column]],
    phrases: Sequence[str],
    near: Sequence[NearPhrase],
) -> list[CellMatch]:
    """Return the cells of all columns: first those that are as the question writes them, then those with an error."""
    deadline = time.monotonic() + SECONDS
    exact = f"{FOLDED} IN ({', '.join(map(quote_literal, phrases))})" if phrases else "false"
    found = [match for table, column in wanted for match in _search(cursor, table, column, EXACT, exact, deadline)]
    taken = {fold(cell) for _, _, cell in found}
    left = [phrase for phrase in near if not any(phrase.text in text for text in taken)]
    similar = " OR ".join(map(_similar, left))
    for table, column in wanted if similar else ():
        found += _search(cursor, table, column, SIMILAR_CELLS, similar, deadline)
    return found


def _search(
    cursor: duckdb.DuckDBPyConnection, table: Table, column: Column, query: str, condition: str, deadline: float
) -> list[CellMatch]:
    if time.monotonic() > deadline:
        return []
    cells = f"SELECT {quote_identifier(column.name)}::VARCHAR AS cell FROM {quote_path(table.name)}"
    written = query.replace("{cells}", cells).replace("{condition}", condition) + f" LIMIT {MAX_FOUND}"
    try:
        rows = duckdb.DuckDBPyConnection.execute(cursor, written).fetchall()
    except duckdb.Error:
        return []  # A temporary table, one that was dropped since, or a slow one: its samples must do.
    return [(table.name, column.name, str(cell)) for (cell,) in rows]


def _similar(phrase: NearPhrase) -> str:
    """Return the condition for a cell that differs from a phrase in a letter or two."""
    text, lengths = quote_literal(phrase.text), (len(phrase.text) - phrase.edits, len(phrase.text) + phrase.edits)
    halves = f"starts_with(folded, {quote_literal(phrase.start)}) OR ends_with(folded, {quote_literal(phrase.end)})"
    near = f"damerau_levenshtein(folded, {text}) <= {phrase.edits}"
    return f"(length(folded) BETWEEN {lengths[0]} AND {lengths[1]} AND ({halves}) AND {near})"


def is_text(column: Column) -> bool:
    """Whether the values of a column are searched for a question's words."""
    return column.type == "VARCHAR" or column.type.startswith("ENUM")


def with_cells(schema: Schema, found: Sequence[CellMatch]) -> Schema:
    """Return the schema with further known values of its columns."""
    if not found:
        return schema
    more: dict[tuple[str, str], list[str]] = {}
    for name, column, cell in found:
        more.setdefault((name, column), []).append(cell)
    tables = []
    for table in schema.tables:
        columns = (
            replace(c, values=tuple(dict.fromkeys((*c.values, *more[table.name, c.name]))))
            if (table.name, c.name) in more
            else c
            for c in table.columns
        )
        tables.append(replace(table, columns=tuple(columns)))
    return replace(schema, tables=tuple(tables))
