"""Foreign keys inferred from Chinese names where none is declared: 获奖歌手id refers to the key of table 歌手."""

from __future__ import annotations

from collections.abc import Sequence

from ..text.tokens import is_cjk

ENDINGS = ("的id", "id", "编号", "代码", "号")  # Endings of the names of columns that identify rows.


def strip_id_suffix(name: str) -> str | None:
    """Return a column's name without its id suffix; None if it has none."""
    lower = name.lower()
    return next((lower[: -len(ending)] for ending in ENDINGS if lower.endswith(ending)), None)


def inferred_references(tables: Sequence[tuple[str, Sequence[str]]]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return which columns refer to which keys, each as (table, column of it).

    Args:
        tables: each table's name with the names of its columns, its own identifier first.
    """
    keys = {
        table: columns[0].lower()
        for table, (_, columns) in enumerate(tables)
        if columns and _is_key(columns[0], tables)
    }
    found = []
    for table, (_, columns) in enumerate(tables):
        for number, column in enumerate(columns):
            scores = {
                other: _fit(column.lower(), tables[other][0].lower(), key, own=table in keys and number == 0)
                for other, key in keys.items()
                if other != table
            }
            best = max(scores, key=lambda other: (scores[other], -len(tables[other][0])), default=None)
            if best is not None and scores[best]:
                found.append(((table, number), (best, 0)))
    return found


def _is_key(column: str, tables: Sequence[tuple[str, Sequence[str]]]) -> bool:
    return strip_id_suffix(column) is not None or sum(column in columns for _, columns in tables) > 1


def _fit(column: str, table: str, key: str, own: bool) -> int:
    """Return a score for a column as a reference to a table's key; 0: none. `own`: the column is a key itself."""
    if column == key and column != "id":
        return 100
    if not any(is_cjk(character) for character in table) or (own and key != "id"):
        return 0
    base = strip_id_suffix(column)
    if base is None:
        return len(table) if column.endswith(table) else 0
    return max(_common(base, table), _common(base, strip_id_suffix(key) or key))


def _common(one: str, two: str) -> int:
    """Return the length of the longest text that is part of both."""
    for length in range(min(len(one), len(two)), 0, -1):
        if any(one[start : start + length] in two for start in range(len(one) - length + 1)):
            return length
    return 0
