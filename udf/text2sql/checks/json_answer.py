"""Extracts SQL from JSON, also from invalid JSON of models: raw line breaks, comments, other quotes, truncated text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ....workers.sandbox.locked_duckdb import parser_error

VERB = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/|\(|```\w*)*"
    r"(?:SELECT|WITH|FROM|VALUES|TABLE|INSERT|UPDATE|DELETE|MERGE|DROP|CREATE|ALTER|TRUNCATE|EXPLAIN|DESCRIBE|SHOW"
    r"|SUMMARIZE|PIVOT|UNPIVOT|COPY|ATTACH|PRAGMA|SET|CALL)\b",
    re.IGNORECASE | re.DOTALL,
)
# Where JSON may begin: at the start of a line or after a colon, never within SQL.
BEGINS = re.compile(r"(?:^|[:：>`]|\bjson)[ \t]*(?=[{\[])|\A\s*(?=\"(?:SELECT|WITH)\b)", re.IGNORECASE | re.MULTILINE)
KEY = r"(?:[\w -]{0,20}(?:sql|query|查询|语句)[\w -]{0,20}|answer|statement|code|output|result|response|答案)"
FIELD = re.compile(
    rf"""(?:["'“”`]{KEY}["'“”`]|(?<![\w"']){KEY})\s*[:：]\s*(?P<quote>"{{3}}|'{{3}}|["'`“])""", re.IGNORECASE
)
CLOSES = {"“": "”"}
ESCAPED = re.compile(r"\\(u[0-9a-fA-F]{4}|\n|.)", re.DOTALL)
LETTERS = {"n": "\n", "t": "\t", "r": "\r", "\n": "\n"}
MAX_TRIES = 30  # Maximum number of closing quotes, or starts of objects, to try; each try calls DuckDB's parser.
DEEPEST = 6


def sql_in_json(text: str) -> str | None:
    """Return the SQL of an answer like {"sql": "SELECT …"}; None if the answer is not like that."""
    begins = [found.end() for found in BEGINS.finditer(text)][:MAX_TRIES]
    for begin in begins:
        try:
            value, _ = json.JSONDecoder(strict=False).raw_decode(text, begin)
        except (json.JSONDecodeError, RecursionError):
            continue
        if found := _best(_strings(value)):
            return found
    return _best(_fields(text[begins[0] :])) if begins else None


def _best(found: Iterator[tuple[str, str]]) -> str | None:
    """Return the statement with the key that names SQL most clearly; statements that DuckDB can parse come first."""
    statements = [(key.lower(), text) for key, text in found if VERB.match(text)][:MAX_TRIES]
    ranked = [(_rank(key), "```" not in text and parser_error(text) is not None, text) for key, text in statements]
    return min(ranked, key=lambda one: one[:2])[2] if ranked else None


def _rank(key: str) -> int:
    return 0 if key == "sql" else 1 if "sql" in key else 2 if key == "query" else 3 if "query" in key else 4


def _strings(value: Any, key: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield every string of a JSON value with its key; a list of lines is one; JSON in a string is parsed too."""
    if depth > DEEPEST:
        return
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _strings(item, name, depth + 1)
    elif isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            yield key, "\n".join(value)
        for item in value:
            yield from _strings(item, key, depth + 1)
    elif isinstance(value, str):
        if value.lstrip().startswith("{") and (inside := sql_in_json(value)):
            yield key, inside
        yield key, value


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield the strings after keys that name SQL, if the whole is not valid JSON."""
    for number, found in enumerate(FIELD.finditer(text)):
        if number >= DEEPEST:
            return
        key = re.sub(r"[\"'“”`:：\s]", "", found[0].removesuffix(found["quote"]))
        yield key, _closed(text[found.end() :], found["quote"])


def _closed(text: str, quote: str) -> str:
    """Return a string up to its closing quote: the first one where the SQL ends before it and the object continues."""
    closing = re.escape(CLOSES.get(quote, quote))
    first = None
    for number, end in enumerate(re.finditer(rf"{closing}(?=\s*(?:[,}}\]]|//|/\*|\#|\n|\Z))", text)):
        if number >= MAX_TRIES:
            break
        if end.start() and text[end.start() - 1] == "\\":
            continue
        value = _unescaped(text[: end.start()])
        if VERB.match(value) and parser_error(value) is None:
            return value
        first = first or value
    return first or _unescaped(text)


def _unescaped(text: str) -> str:
    def letter(found: re.Match[str]) -> str:
        escape = found[1]
        return chr(int(escape[1:], 16)) if len(escape) == 5 else LETTERS.get(escape, escape)

    return ESCAPED.sub(letter, text)
