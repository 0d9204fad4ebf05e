"""The statement behind `/model/predict`: the request's rows as a table, and what a select list makes of them."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from ....udf.connection import Connection
from .reply import answers_in, shown
from .select_list import DATA, REQUEST_MACRO


def load_rows(connection: Connection, rows: pa.Table) -> None:
    """Make the table of a request's rows, and lock the configuration."""
    duckdb.DuckDBPyConnection.register(connection, "given", rows)
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in rows.column_names) or "NULL AS feature"
    for statement in (f"CREATE TABLE {DATA} AS SELECT {names} FROM given", REQUEST_MACRO):
        duckdb.DuckDBPyConnection.execute(connection, statement)
    duckdb.DuckDBPyConnection.unregister(connection, "given")
    duckdb.DuckDBPyConnection.execute(connection, "SET lock_configuration = true")


def reply_rows(found: list[tuple[Any, ...]], names: list[str]) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Return the rows of a reply, and where every answer in them failed the first of those."""
    answers = [answer for row in found for cell in row for answer in answers_in(cell)]
    failed = answers[0] if answers and all(answer["error"] for answer in answers) else None
    return [{name: shown(cell) for name, cell in zip(names, row, strict=True)} for row in found], failed
