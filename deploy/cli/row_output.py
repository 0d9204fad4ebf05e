"""Rows on the screen as DuckDB draws them, or as JSON or CSV for a program."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Any, Literal

import duckdb

from ..console import stdout

if TYPE_CHECKING:
    import pyarrow as pa

Form = Literal["table", "json", "csv"]
MOST_ROWS = 40
"""What a terminal shows of a result; a file gets all of it."""


def form_of(*, json: bool, csv: bool) -> Form:
    """Return the form that the flags say."""
    return "json" if json else "csv" if csv else "table"


def show_rows(rows: pa.Table, form: Form) -> None:
    """Print rows; values look as DuckDB writes them."""
    with duckdb.connect() as plain:
        if form == "table":
            terminal = stdout.is_terminal
            most = MOST_ROWS if terminal else max(rows.num_rows, 1)
            plain.from_arrow(rows).show(max_rows=most, max_width=stdout.width if terminal else 100_000)
        elif form == "json":
            print("[" + ",\n ".join(_objects(plain, rows)) + "]")
        else:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(rows.column_names)
            writer.writerows(plain.execute("SELECT CAST(COLUMNS(*) AS VARCHAR) FROM rows").fetchall())


def row_objects(rows: pa.Table) -> list[dict[str, Any]]:
    """Return the rows as JSON can hold them."""
    import json

    with duckdb.connect() as plain:
        return [json.loads(text) for text in _objects(plain, rows)]


def _objects(plain: duckdb.DuckDBPyConnection, rows: pa.Table) -> list[str]:
    # The alias is a name that no column has: to_json of a column's name would give that column alone.
    return [text for (text,) in plain.execute("SELECT to_json(quackllm_row) FROM rows quackllm_row").fetchall()]
