"""Rows on the screen as DuckDB draws them, or as JSON or CSV for a program."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Any, Literal

from ...udf.value_text import json_objects, text_rows, written
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
    """Print rows of `run_query`."""
    if form == "json":
        print("[" + ",\n ".join(json_objects(rows)) + "]")
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(rows.column_names)
        writer.writerows(text_rows(rows))
    else:
        terminal = stdout.is_terminal
        most = MOST_ROWS if terminal else max(rows.num_rows, 1)
        with written(rows) as relation:
            relation.show(max_rows=most, max_width=stdout.width if terminal else 100_000)


def show_with_rows(fields: dict[str, Any], rows: pa.Table) -> None:
    """Print a JSON object of these fields and the rows, whose numbers keep all their digits."""
    text = json.dumps(fields, ensure_ascii=False, indent=2).removesuffix("\n}")
    print(f'{text},\n  "rows": [' + ",".join(f"\n    {row}" for row in json_objects(rows)) + "\n  ]\n}")
