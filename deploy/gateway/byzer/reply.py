"""Answers in Byzer's format: a JSON text with output, input, metadata and history."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from ....udf.value_text import json_rows, plain_column

ANSWER, QUESTIONS = {"output", "finish_reason", "history", "error"}, {"request", "response"}


def answers_in(table: pa.Table) -> list[dict[str, Any]]:
    """Return the models' answers in the rows."""
    pairs = (
        pair
        for column in table.columns
        if _holds_answers(column.type)
        for cell in _cell_answers(column)
        for pair in cell
    )
    return [answer for answer, _ in pairs if answer is not None]


def rows_as_json(table: pa.Table) -> str:
    """Return the rows as a JSON array of objects; a model's answer is a list of JSON texts, as in Byzer."""
    columns = [list(column) for column in zip(*json_rows(table), strict=True)]
    for index, column in enumerate(table.columns):
        if columns and _holds_answers(column.type):
            texts = ([_as_byzer(answer, request) for answer, request in cell] for cell in _cell_answers(column))
            columns[index] = [json.dumps(text) if text else "null" for text in texts]
    names = [json.dumps(name) for name in table.column_names]
    pairs = (zip(names, row, strict=True) for row in zip(*columns, strict=True))
    return "[" + ", ".join("{" + ", ".join(f"{name}: {cell}" for name, cell in row) + "}" for row in pairs) + "]"


def _holds_answers(data_type: pa.DataType) -> bool:
    inner = data_type.value_type if pa.types.is_list(data_type) else data_type
    names = {field.name for field in inner} if pa.types.is_struct(inner) else set()
    return names >= ANSWER or names == QUESTIONS


def _cell_answers(column: pa.ChunkedArray) -> Iterator[list[tuple[dict[str, Any] | None, dict[str, Any] | None]]]:
    """Yield the answers of each cell, each with its request if that is known; nothing for NULL."""
    for cell in plain_column(column).to_pylist():
        values = cell if isinstance(cell, list) else [cell] if cell is not None else []
        yield [(v["response"], v["request"]) if v and v.keys() == QUESTIONS else (v, None) for v in values]


def _as_byzer(answer: dict[str, Any] | None, request: dict[str, Any] | None) -> str | None:
    """Return an answer in Byzer's format, with our `error` added; null if the prompt was NULL."""
    if answer is None:
        return None
    *earlier, last = (request or {}).get("messages") or answer["history"][:-1] or [{"content": ""}]
    options = json.loads((request or {}).get("options") or "{}")
    if "max_tokens" in options:
        options["max_length"] = options.pop("max_tokens")
    milliseconds, written = answer["seconds"] * 1000, answer["usage"]["output_tokens"]
    metadata = {
        "request_id": "",
        "input_tokens_count": answer["usage"]["input_tokens"],
        "generated_tokens_count": written,
        "time_cost": milliseconds,
        "first_token_time": 0.0,
        "speed": written / answer["seconds"] if answer["seconds"] else 0.0,
    }
    written_out = {
        "output": answer["output"],
        "input": {"instruction": last["content"], "history": _turns(earlier), **options},
        "metadata": metadata,
        "history": _turns(answer["history"]),
    }
    if answer["error"]:
        written_out["error"] = answer["error"]
    return json.dumps(written_out, ensure_ascii=False)


def _turns(messages: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    return [{"role": message["role"], "content": message["content"]} for message in messages]
