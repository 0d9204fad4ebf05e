"""The rows of a query that was run under caps, and whether two results are the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class QueryRows:
    """The first rows of a query.

    Args:
        rows: at most as many as the caller allows.
        truncated: whether there are more.
        error: the database's own words if the query failed or took too long; then there are no rows.
    """

    rows: tuple[tuple[Any, ...], ...] = ()
    truncated: bool = False
    error: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether the query ran and gave no row, or a single count of 0."""
        return not self.error and (not self.rows or self.rows == ((0,),))

    @property
    def all_null(self) -> bool:
        """Whether the query gave rows in which every value is NULL."""
        return bool(self.rows) and all(value is None for row in self.rows for value in row)

    def key(self) -> Hashable:
        """Return what two results share if they have the same rows, in any order; floats count to 6 digits."""
        if self.error:
            return "error", self.error.split("\n")[0]
        return self.truncated, frozenset(Counter(tuple(map(plain_cell, row)) for row in self.rows).items())


# Runs SQL that was checked, under caps of rows and time; None: it may not run there.
RunQuery = Callable[[str], QueryRows | None]


def plain_cell(cell: Any) -> Hashable:
    """Return a value as results are compared: numbers to 6 digits, whatever their type."""
    if cell is None or isinstance(cell, bool | str):
        return cell
    if isinstance(cell, int | float | Decimal):
        number = float(cell)
        return int(number) if number.is_integer() else f"{number:.6g}"
    return str(cell)


def rows_of(found: Sequence[Sequence[Any]], most: int) -> QueryRows:
    """Return fetched rows as a result; one more than `most` was fetched, to see whether there are more."""
    return QueryRows(tuple(tuple(row) for row in found[:most]), len(found) > most)
