"""DataFrames and Arrow tables among the caller's variables. DuckDB reads them like tables, and so do questions."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from types import FrameType
from typing import Any

import duckdb

from ....workers.database_schema import Column, Schema, Table
from ....workers.sql_text import quote_identifier
from .column_samples import set_cells

MAX_FRAMES, MAX_ROWS = 20, 500
BETWEEN = ("quackllm", "duckdb", "contextlib")  # Modules whose frames stand between a statement and its caller.
# Classes that DuckDB reads by the name of a variable; none of their packages is imported for that.
CLASSES = {
    ("pandas", "DataFrame"),
    ("polars", "DataFrame"),
    ("polars", "LazyFrame"),
    ("pyarrow", "Table"),
}


def with_data_frames(connection: duckdb.DuckDBPyConnection, schema: Schema, caller: FrameType | None) -> Schema:
    """Return the schema with the caller's DataFrames as tables; a table of the same name hides a DataFrame.

    Args:
        connection: on which DuckDB reads them.
        schema: the catalog's.
        caller: the Python frame of the statement.
    """
    taken = {table.name.lower() for table in schema.tables}
    found = [name for name in _names(caller) if name.lower() not in taken][:MAX_FRAMES]
    tables = (table for name in found if (table := _read(connection, name)))
    return replace(schema, tables=(*schema.tables, *tables))


def caller_frame() -> FrameType | None:
    """Return the nearest Python frame outside of quackllm and DuckDB."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).split(".")[0] in BETWEEN:
        frame = frame.f_back
    return frame


def _names(caller: FrameType | None) -> Iterator[str]:
    """Yield the variables that hold a DataFrame: of the caller's function, then of its module."""
    if caller is None:
        return
    variables = {**caller.f_globals, **caller.f_locals}
    for name, value in variables.items():
        if not name.startswith("_") and _is_data_frame(value):
            yield name


def _is_data_frame(value: Any) -> bool:
    return (type(value).__module__.split(".")[0], type(value).__name__) in CLASSES


def _read(connection: duckdb.DuckDBPyConnection, name: str) -> Table | None:
    """Return a DataFrame as a table with sample values; None if DuckDB does not read it."""
    run = duckdb.DuckDBPyConnection.execute
    quoted = quote_identifier(name)
    try:
        described = run(connection, f"DESCRIBE SELECT * FROM {quoted}").fetchall()
        names = [str(row[0]) for row in described]
        texts = ", ".join(f"{quote_identifier(column)}::VARCHAR" for column in names)
        rows = run(connection, f"SELECT {texts} FROM {quoted} LIMIT {MAX_ROWS}").fetchall()
    except duckdb.Error:
        return None
    cells = list(zip(*rows, strict=True)) or [()] * len(names)
    columns = (
        set_cells(Column(column, str(row[1])), values, MAX_ROWS)
        for column, row, values in zip(names, described, cells, strict=True)
    )
    return Table(name, tuple(columns))
