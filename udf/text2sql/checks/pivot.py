"""PIVOT without IN: DuckDB finds the values when it runs and returns no tree; if values are given, it returns one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import duckdb

# Tokens that end the list after ON; '' is the end of the text.
END = {"using", "group", "order", "limit", "offset", ";", ""}


def with_values(sql: str) -> str | None:
    """Return a PIVOT with a value added for each of its columns that has none; None for any other statement."""
    written: list[str] = []
    is_pivot = is_list = has_values = had_list = False
    for token, word in _tokens(sql):
        if is_list and (word in END or word == ","):
            written += [] if has_values else ["IN (NULL)"]
            is_list, has_values = word == ",", False
        is_list = is_list or (is_pivot and word == "on" and not had_list)
        had_list = had_list or is_list
        is_pivot = is_pivot or word == "pivot"
        has_values = has_values or word == "in"
        written.append(token)
    return " ".join(written) if is_pivot else None


def _tokens(sql: str) -> Iterator[tuple[str, str]]:
    """Yield each token, and its lower case if it is outside all brackets, else '('; at the end two empty strings."""
    text, depth = sql.encode(), 0
    starts = [start for start, token_type in duckdb.tokenize(sql) if token_type != duckdb.token_type.comment]
    for start, end in pairwise([*starts, len(text)]):
        token = text[start:end].decode().strip()
        depth -= token.count(")") + token.count("]") if token[:1] in ")]" else 0
        yield token, token.lower() if depth <= 0 else "("
        depth += token.count("(") + token.count("[") if token[:1] in "([" else 0
    yield "", ""
