"""Rows as a table that DuckDB draws, as JSON or as CSV."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Any, Literal

import duckdb

from ..console import stdout

if TYPE_CHECKING:
    import pyarrow as pa

OutputFormat = Literal["table", "json", "csv"]
# In a terminal; a file or pipe gets all rows.
MAX_ROWS = 40


def output_format(*, json: bool, csv: bool) -> OutputFormat:
    """Return the format that the flags --json and --csv choose."""
    return "json" if json else "csv" if csv else "table"


def show_rows(rows: pa.Table, output_format: OutputFormat) -> None:
    """Print rows; values are formatted by DuckDB."""
    with duckdb.connect() as duck:
        if output_format == "table":
            terminal = stdout.is_terminal
            max_rows = MAX_ROWS if terminal else max(rows.num_rows, 1)
            duck.from_arrow(rows).show(max_rows=max_rows, max_width=stdout.width if terminal else 100_000)
        elif output_format == "json":
            print("[" + ",\n ".join(_json_objects(duck, rows)) + "]")
        else:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(rows.column_names)
            writer.writerows(duck.execute("SELECT CAST(COLUMNS(*) AS VARCHAR) FROM rows").fetchall())


def row_objects(rows: pa.Table) -> list[dict[str, Any]]:
    """Return the rows as JSON values."""
    import json

    with duckdb.connect() as duck:
        return [json.loads(text) for text in _json_objects(duck, rows)]


def _json_objects(duck: duckdb.DuckDBPyConnection, rows: pa.Table) -> list[str]:
    # The alias is a name that no column has: to_json of a column's name would give that column alone.
    return [text for (text,) in duck.execute("SELECT to_json(quackllm_row) FROM rows quackllm_row").fetchall()]
