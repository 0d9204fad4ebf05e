"""What the stand-in says: the same answer for the same conversation, and the reader's name where it was told."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import Any

TOLD = re.compile(r"(?:我叫|我是|名字[是:：]|\bmy name is|\bI am|\bI'm)\s*(?!什么|谁)([\w·-]+)", re.IGNORECASE)
ASKED = re.compile(r"我叫什么|我是谁|我的名字是什么|what(?:'s| is) my name|who am i", re.IGNORECASE)
CHINESE = re.compile(r"[\u4e00-\u9fff]")
JUDGE = re.compile(r"\[([^\]\n]+)\] ([^?\n]+\?)")
WORTH = re.compile(r'^"(\d+)": .*worth (\d+)', re.MULTILINE)
SUBJECT = re.compile(r"‹([^›]*)›")


def text_of(content: Any) -> str:
    """Return the text of a message's content: a string, or the text among its parts (both wires' shapes)."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def answer_to(messages: list[dict[str, Any]]) -> str:
    """Return the answer to the last message: a judgement, or who the reader is, where asked; else `answer to: ...`."""
    question = text_of(messages[-1]["content"])
    if ranked := ranking(question):
        return ranked
    if verdict := judgement(question):
        return verdict
    if not ASKED.search(question):
        return f"answer to: {question}"
    name = _name_told(messages)
    if CHINESE.search(question):
        return f"你是{name}。" if name else "我不知道你的名字。"
    return f"Your name is {name}." if name else "I do not know your name."


def ranking(text: str) -> str | None:
    """Return the numbers of texts that say what they are worth, `{"1": "worth 7", "2": "worth 9"}`, the best first."""
    worth = {number: int(found) for number, found in WORTH.findall(text)}
    best_first = sorted(worth, key=lambda number: -worth[number])
    return json.dumps({"ranking": [int(number) for number in best_first]}) if worth else None


def judgement(text: str) -> str | None:
    """Return one of the choices where a text asks `[True/False] Is it big? ‹Kabul›`, or a number for `[0-99]`.

    The question and what stands in ‹› decide, not the words around them: who packs the same
    question in another prompt gets the same answer.
    """
    asked, subject = JUDGE.search(text), SUBJECT.findall(text)
    if not asked or not subject:
        return None
    drawn = int(sha256(f"{asked[2]} {subject}".encode()).hexdigest(), 16)
    choices = asked[1].split("/")
    return str(drawn % 100) if choices == ["0-99"] else choices[drawn % len(choices)]


def _name_told(messages: list[dict[str, Any]]) -> str | None:
    for message in reversed(messages):
        text = text_of(message["content"])
        told = TOLD.search(text) if message["role"] == "user" else None
        if told:
            return told[1]
    return None


def json_answer(text: str, schema: dict[str, Any] | None) -> str:
    """Return the answer as JSON: `{"answer": text}`, or an object with the schema's properties."""
    return json.dumps(_fill(schema, text) if schema else {"answer": text}, ensure_ascii=False)


def _fill(schema: dict[str, Any], text: str) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    if kind == "object":
        return {name: _fill(part, text) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [_fill(schema.get("items", {}), text)]
    return {"integer": 1, "number": 1.5, "boolean": True, "null": None}.get(kind, text)


def vector_of(text: str) -> list[float]:
    """Return eight numbers in [0, 1] drawn from the text's hash."""
    return [byte / 255 for byte in sha256(text.encode()).digest()[:8]]


def tokens_in(text: str) -> int:
    """Count a text's tokens, roughly: four bytes each."""
    return len(text.encode()) // 4 + 1
