"""Answers as Byzer writes them: a JSON text with output, input, metadata and history."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any


def _is_answer(value: Any) -> bool:
    return isinstance(value, dict) and {"output", "finish_reason", "history", "error"} <= value.keys()


def answers_in(cell: Any) -> list[dict[str, Any]]:
    """Return the answers of models that a cell holds."""
    values: list[Any] = cell if isinstance(cell, list) else [cell]
    held = [value["response"] if isinstance(value, dict) and "response" in value else value for value in values]
    return [value for value in held if _is_answer(value)]


def shown(cell: Any) -> Any:
    """Return a cell as Byzer's reply has it: a model's answer as a JSON text in a list."""
    if isinstance(cell, list) and cell and all(isinstance(value, dict) and "response" in value for value in cell):
        return [_as_byzer(value["response"], value["request"]) for value in cell]
    if answers := answers_in(cell):
        return [_as_byzer(answer, None) for answer in answers]
    return cell if isinstance(cell, bool | int | str | None) or _is_finite(cell) else str(cell)


def _is_finite(cell: Any) -> bool:
    return isinstance(cell, float) and math.isfinite(cell)


def _as_byzer(answer: dict[str, Any] | None, request: dict[str, Any] | None) -> str | None:
    """Return an answer as Byzer writes it, with our `error` beside it; null for a prompt that was NULL."""
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
