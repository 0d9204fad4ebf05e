"""Rows as the console shows them: each value as text, numbers with all their digits, and NULL."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ....udf.value_text import plain_arrow, plain_column, text_rows
from ..databases.database import Rows

Cells = list[list[str | None]]
# A column: its name, and its type: 'number', 'time' or 'text'.
Columns = list[dict[str, str]]
# SQLite has no type for times, and JSON none for any.
TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d(:\d\d)?)?)?")


class _Number(str):
    """A number of JSON as it was written: JavaScript would round it."""


def json_cells(found: Rows) -> tuple[Columns, Cells]:
    """Return the columns and the cells of rows that a driver has read."""
    rows = [json.loads(row, parse_int=_Number, parse_float=_Number) for row in found.rows]
    types = (_column_type([row[place] for row in rows]) for place in range(len(found.columns)))
    columns = [{"name": name, "type": type_name} for name, type_name in zip(found.columns, types, strict=True)]
    return columns, [[None if cell is None else _text(cell) for cell in row] for row in rows]


def _column_type(values: Sequence[Any]) -> str:
    given = [value for value in values if value is not None]
    if given and all(isinstance(value, _Number) for value in given):
        return "number"
    is_time = given and all(isinstance(value, str) and TIME.fullmatch(value) for value in given)
    return "time" if is_time else "text"


def _text(value: Any, inside: bool = False) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_text(part, True) for part in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {_text(part, True)}" for name, part in value.items()) + "}"
    if isinstance(value, str) and (not inside or isinstance(value, _Number)):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def arrow_cells(table: pa.Table) -> tuple[Columns, Cells]:
    """Return the columns and the cells of DuckDB's rows, each value as DuckDB writes it; of an answer, its text."""
    types = map(_arrow_type, plain_arrow(table.slice(0, 0)).schema.types)
    columns = [{"name": name, "type": type_name} for name, type_name in zip(table.column_names, types, strict=True)]
    if not table.num_rows:
        return columns, []
    texts = [list(column) for column in zip(*text_rows(table), strict=True)]
    for place, column in enumerate(table.columns):
        if _holds_answers(column.type):
            texts[place] = [_answer(value) for value in plain_column(column).to_pylist()]
    return columns, [list(row) for row in zip(*texts, strict=True)]


def _arrow_type(arrow_type: pa.DataType) -> str:
    if pa.types.is_integer(arrow_type) or pa.types.is_floating(arrow_type) or pa.types.is_decimal(arrow_type):
        return "number"
    return "time" if pa.types.is_date(arrow_type) or pa.types.is_timestamp(arrow_type) else "text"


def _holds_answers(arrow_type: pa.DataType) -> bool:
    names = {field.name for field in arrow_type} if pa.types.is_struct(arrow_type) else set()
    return {"output", "error", "history", "finish_reason"} <= names


def _answer(value: dict[str, Any] | None) -> str | None:
    if value is None:
        return None
    if not value["error"]:
        return str(value["output"])
    return f"{value['output'] or ''} [{value['error']['code']}: {value['error']['message']}]".strip()
