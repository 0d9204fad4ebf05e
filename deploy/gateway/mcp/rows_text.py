"""The rows of a query as text for an agent: as much as it can read, and what to do where that is not all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from itertools import accumulate
from typing import Any

from ..databases.database import Rows, json_value

MAX_CHARACTERS = 40_000
MAX_CELL = 2_000  # Characters of one value.


def rows_text(rows: Rows, about: Mapping[str, Any]) -> str:
    """Return JSON: what is said about the query, its columns, and a line for each row that fits.

    Args:
        rows: of the query.
        about: further fields, such as the SQL.
    """
    shown = [_shorten(row) for row in rows.rows]
    sizes = accumulate(len(row) + 2 for row in shown)
    fits = [row for row, size in zip(shown, sizes, strict=True) if size <= MAX_CHARACTERS]
    fields: dict[str, Any] = {**about, "columns": rows.columns}
    if hint := _hint(rows, len(fits)):
        fields["hint"] = hint
    head = json.dumps(fields, ensure_ascii=False).removesuffix("}")
    lines = ",\n".join(fits)
    return f'{head}, "rows": [\n{lines}\n]}}' if fits else f'{head}, "rows": []}}'


def _hint(rows: Rows, shown: int) -> str:
    if shown < len(rows.rows):
        return f"only {shown} of the rows fit: select fewer columns, or aggregate"
    if rows.truncated:
        return f"there are more than these {shown} rows: aggregate, filter, or raise max_rows"
    return ""


def _shorten(row: str) -> str:
    """Return a row, a JSON array, with its long values cut off; numbers keep all their digits."""
    if len(row) <= MAX_CELL:
        return row
    cells = json.loads(row, parse_float=Decimal)
    return f"[{', '.join(map(_short_value, cells))}]"


def _short_value(cell: Any) -> str:
    text = json_value(cell)
    if len(text) <= MAX_CELL:
        return text
    start = cell if isinstance(cell, str) else text
    return json.dumps(f"{start[:MAX_CELL]}… ({len(start):,} characters)", ensure_ascii=False)
