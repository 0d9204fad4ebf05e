"""Taking an answer out of what a model wrote: thinking, fences and prose come off, and nothing is guessed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
THINKING = re.compile(r"^.*</think>", re.DOTALL)
FENCE = re.compile(r"```[\w-]*\n?(.*?)```", re.DOTALL)
ANSWER_LINE = re.compile(
    r"^\W*(?:(?:the |final |my )*(?:answer|label|score)(?: is)?"
    r"|(?:最终)?答案(?:是|为)?|标签(?:是|为)?|得分(?:是|为)?)\s*[:：]?\s*(.+)$",
    re.IGNORECASE,
)
AROUND = " \t\r\n\"'`*“”‘’「」『』.。!！"


def visible(text: str) -> str:
    """Return the text without what a model thought before it answered."""
    return THINKING.sub("", text).strip()


def short_answers(text: str) -> list[str]:
    """Return what may be the one word, label or number of an answer, the likeliest reading first.

    It is the whole text, what a single fence or a JSON object's only value holds, or what stands behind "Answer:" on
    the last line. A word in the middle of a sentence is no answer.
    """
    text = visible(text)
    found = [text]
    if len(fenced := FENCE.findall(text)) == 1:
        found.append(fenced[0].strip())
    value = loads(found[-1])
    if isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()
    if isinstance(value, str | int | float):
        found.append(json.dumps(value) if not isinstance(value, str) else value.strip())
    if line := ANSWER_LINE.match((text.splitlines() or [""])[-1].strip()):
        found.append(line[1])
    return list(dict.fromkeys([*found, *(one.strip(AROUND) for one in found)]))


def first_reading(text: str, read: Callable[[str], T | None]) -> T | None:
    """Return what the likeliest reading of a short answer that can be read at all means."""
    return next((value for one in short_answers(text) if (value := read(one)) is not None), None)


def json_objects(text: str) -> list[dict[str, Any]]:
    """Return the JSON objects in an answer, in order: the whole text, or those in fences or between prose."""
    text = visible(text)
    decoder, found, position = json.JSONDecoder(parse_constant=_refuse), [], text.find("{")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            found.append(value)
        position = text.find("{", end)
    return found


def loads(text: str) -> Any:
    """Return the value of a JSON text; None where it is none."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
