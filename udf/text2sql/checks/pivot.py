"""PIVOT without IN: DuckDB finds its values when it runs, and does not show its tree; with values it does."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import duckdb

END = {"using", "group", "order", "limit", "offset", ";", ""}
"""What ends the list behind ON; '' is the end of the text."""


def with_values(sql: str) -> str | None:
    """Return a PIVOT with a value for each of its columns that names none; None for any other statement."""
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
    """Yield each token, and it in small letters where no bracket is open around it; at last two empty texts."""
    text, depth = sql.encode(), 0
    starts = [start for start, kind in duckdb.tokenize(sql) if kind != duckdb.token_type.comment]
    for start, end in pairwise([*starts, len(text)]):
        token = text[start:end].decode().strip()
        depth -= token.count(")") + token.count("]") if token[:1] in ")]" else 0
        yield token, token.lower() if depth <= 0 else "("
        depth += token.count("(") + token.count("[") if token[:1] in "([" else 0
    yield "", ""
