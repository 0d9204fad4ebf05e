"""Sample values of columns: a few to show in the prompt, and more to match with a question's words."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import duckdb

from ....workers.database_schema import Column, Schema, Table, quote_path
from ....workers.sql_text import quote_identifier

CELLS = 400_000  # Limit for all cells together, so that a catalog of 900 tables is read in about a second.
# The fewest and the most rows to read of one table. Only the number of columns decides how many, never the clock: the
# same catalog must give the same prompt.
ROWS = (50, 5_000)
COLUMNS = 20_000  # If a catalog has more columns, nothing is sampled.
SECONDS = 3.0  # Time limit: tables that a slow disk has not returned by then have names only.
EXAMPLES, VALUES, MAX_CHARACTERS = 3, 500, 60
ColumnCells = dict[str, Sequence[str | None]]
ReadColumns = Callable[[Table, Sequence[Column], int], ColumnCells]
NESTED = ("STRUCT", "MAP", "UNION", "BLOB", "BIT", "GEOMETRY", "VARIANT", "JSON")


def add_samples(
    connection: duckdb.DuckDBPyConnection, schema: Schema, readable: Collection[tuple[str, str]]
) -> tuple[Schema, set[tuple[str, str]]]:
    """Return the schema with sample values, and the (table, column) whose values repeat.

    Args:
        connection: the connection with the tables.
        schema: whose tables to sample.
        readable: the (table, column) that may be read: those stored in a file or in memory, not computed.
    """
    return sample_schema(schema, readable, lambda table, columns, rows: _read(connection, table, columns, rows))


def sample_schema(
    schema: Schema, readable: Collection[tuple[str, str]], read: ReadColumns
) -> tuple[Schema, set[tuple[str, str]]]:
    """Return the schema with sample values, and the (table, column) whose values repeat.

    Args:
        schema: whose tables to sample.
        readable: the (table, column) that may be read.
        read: (a table; some of its columns; how many rows) → the cells of each column by its name.
    """
    wanted = [(table, [c for c in table.columns if (table.name, c.name) in readable]) for table in schema.tables]
    count = sum(len(columns) for _, columns in wanted)
    rows = min(max(CELLS // max(count, 1), ROWS[0]), ROWS[1])
    deadline = time.monotonic() + (SECONDS if count <= COLUMNS else 0)
    tables: list[Table] = []
    repeated: set[tuple[str, str]] = set()
    for table, columns in wanted:
        if columns and time.monotonic() < deadline:
            cells = read(table, columns, rows)
            repeated |= {(table.name, name) for name, values in cells.items() if len(set(values)) < len(values)}
            columns_with_cells = (set_cells(c, cells.get(c.name, ()), rows) for c in table.columns)
            table = replace(table, columns=tuple(columns_with_cells))
        tables.append(table)
    return replace(schema, tables=tuple(tables)), repeated


def can_sample(type_name: str) -> bool:
    """Whether values of this type are useful in a prompt; nested and binary values are not."""
    return not type_name.startswith(NESTED) and not type_name.endswith("]")


def _read(connection: duckdb.DuckDBPyConnection, table: Table, columns: Sequence[Column], rows: int) -> ColumnCells:
    texts = ", ".join(f"{quote_identifier(column.name)}::VARCHAR" for column in columns)
    query = f"SELECT {texts} FROM {quote_path(table.name)} LIMIT {rows}"
    try:
        # The plain method: the connection may be one whose statements are planned before they run.
        found = duckdb.DuckDBPyConnection.execute(connection, query).fetchall()
    except duckdb.Error:
        return {}  # A table that cannot be read has no samples; its names may still be enough for the question.
    return dict(zip((column.name for column in columns), zip(*found, strict=True), strict=False))


def set_cells(column: Column, cells: Sequence[str | None], max_cells: int = 0) -> Column:
    """Return the column with its examples for the prompt and its cells for matching.

    Args:
        column: without cells.
        cells: of its first rows.
        max_cells: how many were asked for; if there are fewer, these are all of the column's.
    """
    different = [value for value in dict.fromkeys(cells) if value]
    distinct = [value for value in different if len(value) <= MAX_CHARACTERS]
    if not (column.type == "VARCHAR" or column.type.startswith("ENUM")):
        return replace(column, examples=_examples(column, distinct))
    complete = len(cells) < max_cells and len(distinct) == len(different) <= VALUES
    values = tuple(distinct[:VALUES])
    return replace(column, examples=_examples(column, distinct), values=values, complete=complete)


def _examples(column: Column, distinct: Sequence[str]) -> tuple[str, ...]:
    """Choose the examples as XiYan's tool does: one date, one longer text, else three; none over 50 characters."""
    short = tuple(value for value in distinct if len(value) <= 50)[:EXAMPLES]
    single = column.type.startswith(("DATE", "TIME")) or any(len(value) > 20 for value in short)
    return short[:1] if single else short
