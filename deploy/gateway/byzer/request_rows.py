"""Turns the `data` of Byzer's `/model/predict` into a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ....workers.errors import RequestError
from ....workers.extra_fields import check_encodable

MAX_ROWS = 10_000


def rows_to_table(data: str, row_format: str) -> pa.Table:
    """Return the rows of a request.

    Args:
        data: a JSON array, as text.
        row_format: 'string': each element is a `feature`; 'row': an object whose keys are the columns.

    Raises:
        RequestError: the data cannot be parsed.
    """
    try:
        given = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"`data` is not JSON: {error}", hint="write a JSON array, as text") from error
    check_encodable(given, "`data`")
    if not isinstance(given, list) or len(given) > MAX_ROWS:
        raise RequestError(f"`data` is a JSON array of at most {MAX_ROWS:,} elements", hint='write ["…"]')
    if row_format == "string":
        return pa.table({"feature": pa.array([_text(element) for element in given], pa.string())})
    if row_format != "row" or not all(isinstance(element, dict) for element in given):
        raise RequestError("`dataType` is `string`, or `row` with an array of objects", hint="write dataType=string")
    return _columns(given)


def _columns(given: Sequence[dict[str, Any]]) -> pa.Table:
    names = dict.fromkeys(name for row in given for name in row)
    if len({name.lower() for name in names}) < len(names) or not all(names):
        raise RequestError(
            "two keys of `data` would be one column, or one has no name",
            hint="DuckDB ignores upper and lower case in names",
        )
    try:
        return pa.table({name: pa.array([_flat(row.get(name)) for row in given]) for name in names})
    except (pa.ArrowException, OverflowError) as error:
        raise RequestError(f"the rows of `data` do not make columns: {error}", hint="give a key one type") from error


def _text(element: Any) -> str | None:
    if element is None or isinstance(element, str):
        return element
    return json.dumps(element, ensure_ascii=False)


def _flat(value: Any) -> Any:
    return _text(value) if isinstance(value, list | dict) else value
