"""Rows as a table that DuckDB draws, as JSON or as CSV."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Any, Literal

from ...udf.value_text import json_objects, text_rows, written
from ..terminal_output import stdout

if TYPE_CHECKING:
    import pyarrow as pa

OutputFormat = Literal["table", "json", "csv"]
# In a terminal; a file or pipe gets all rows.
MAX_ROWS = 40


def output_format(*, json: bool, csv: bool) -> OutputFormat:
    """Return the format that the flags --json and --csv choose."""
    return "json" if json else "csv" if csv else "table"


def show_rows(rows: pa.Table, output_format: OutputFormat) -> None:
    """Print rows of `run_query`."""
    if output_format == "json":
        print("[" + ",\n ".join(json_objects(rows)) + "]")
    elif output_format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(rows.column_names)
        writer.writerows(text_rows(rows))
    else:
        is_terminal = stdout.is_terminal
        max_rows = MAX_ROWS if is_terminal else max(rows.num_rows, 1)
        with written(rows) as relation:
            relation.show(max_rows=max_rows, max_width=stdout.width if is_terminal else 100_000)


def show_with_rows(fields: dict[str, Any], rows: pa.Table) -> None:
    """Print a JSON object of these fields and the rows, whose numbers keep all their digits."""
    text = json.dumps(fields, ensure_ascii=False, indent=2).removesuffix("\n}")
    print(f'{text},\n  "rows": [' + ",".join(f"\n    {row}" for row in json_objects(rows)) + "\n  ]\n}")
