"""The answers that a running statement has read, as Arrow columns: each chunk of rows takes its answers from them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeAlias

import pyarrow as pa

from ..calls.statement_cache import StatementCache

KEY_BYTES = 200  # Approximate size of a key beside its text.
Find: TypeAlias = Callable[[list[Hashable]], tuple[pa.Array, list[bool]]]
"""Returns the answers to distinct keys as a column, and which of them stay the same while the statement runs."""


class AnswerTable:
    """The answers to the distinct requests of one function and one model, found by a key that stands for the request.

    A statement that is planned runs several times, and a request may stand in many chunks of rows. Its answer becomes
    Arrow once; DuckDB's threads may use the table together.

    Args:
        data_type: of the answers.
        cache: limits the memory.
    """

    def __init__(self, data_type: pa.DataType, cache: StatementCache) -> None:
        self._cache = cache
        self._indices: dict[Hashable, int] = {}
        # Never changed, but replaced, so that another thread can go on reading. Their lengths at least halve from each
        # to the next: what is added is merged with its like, and an answer is copied a few times only.
        self._columns: tuple[pa.Array, ...] = (pa.nulls(0, data_type),)
        self._taken = 0  # Rows, since the columns were merged.
        self._lock = threading.Lock()

    def answers(self, keys: Sequence[Hashable], find: Find) -> pa.Array:
        """Return one answer for each key, NULL for None; those that are not in the table are looked for."""
        indices = [*map(self._indices.get, keys)]
        columns = self._columns  # After the indices: a later table has all the rows of an earlier one.
        missing = _distinct_missing(keys, indices)
        if missing:
            found, lasting = find(missing)
            first = sum(map(len, columns))
            behind = dict(zip(missing, range(first, first + len(missing)), strict=True))
            columns = (*columns, found)
            indices = [behind.get(key) if index is None else index for key, index in zip(keys, indices, strict=True)]
            self._add(missing, found, lasting)
        self._taken += len(keys)
        if len(self._columns) > 1 and self._taken > sum(map(len, self._columns)):
            self._merge()
        return _take(columns, indices)

    def _merge(self) -> None:
        """Make one column of all, which is the fastest to take from; not before as many rows were taken as it has."""
        with self._lock:
            self._columns, self._taken = (pa.concat_arrays(self._columns),), 0

    def _add(self, keys: Sequence[Hashable], found: pa.Array, lasting: Sequence[bool]) -> None:
        if not all(lasting):
            keys = [key for key, lasts in zip(keys, lasting, strict=True) if lasts]
            found = found.filter(pa.array(lasting, pa.bool_()))
        if not keys or not self._cache.reserve(found.nbytes + sum(map(_key_bytes, keys))):
            return
        with self._lock:
            first = sum(map(len, self._columns))
            columns = [*self._columns, found]
            while len(columns) > 1 and len(columns[-2]) < 2 * len(columns[-1]):
                columns[-2:] = [pa.concat_arrays(columns[-2:])]
            self._columns = tuple(columns)
            for index, key in enumerate(keys, first):
                self._indices.setdefault(key, index)  # Another thread may have added it.


def _distinct_missing(keys: Sequence[Hashable], indices: Sequence[int | None]) -> list[Hashable]:
    if None not in indices:
        return []
    pairs: Iterable[tuple[Hashable, int | None]] = zip(keys, indices, strict=True)
    return list(dict.fromkeys(key for key, index in pairs if index is None and key is not None))


def _key_bytes(key: Hashable) -> int:
    return KEY_BYTES + (len(key) if isinstance(key, str) else 0)


def _take(columns: Sequence[pa.Array], indices: Sequence[int | None]) -> pa.Array:
    """Return the rows with these indices, counted through all columns.

    `ChunkedArray.take` would copy all columns into one for each chunk of rows.
    """
    if (neighbours := _neighbours(columns, indices)) is not None:
        return neighbours
    wanted = pa.array(indices, pa.int32())
    if len(columns) == 1:
        return columns[0].take(wanted)
    import numpy  # Imported late: it is not needed to connect.

    rows = wanted.fill_null(-1).to_numpy()
    places = numpy.full(len(rows), -1, numpy.int32)
    parts: list[pa.Array] = []
    first = taken = 0
    for column in columns:
        (here,) = numpy.nonzero((rows >= first) & (rows < first + len(column)))
        places[here] = numpy.arange(taken, taken + len(here))
        parts.append(column.take(pa.array(rows[here] - first)))
        first, taken = first + len(column), taken + len(here)
    return pa.concat_arrays(parts).take(pa.array(places, mask=places < 0))


def _neighbours(columns: Sequence[pa.Array], indices: Sequence[int | None]) -> pa.Array | None:
    """Return rows that follow each other in one column: a table that is read again in its order has no others.

    Where they do not, None. Copying a part takes a tenth of what taking row by row does; DuckDB takes no STRUCT that
    is a slice of another.
    """
    first = indices[0] if indices else None
    if first is None or indices != [*range(first, first + len(indices))]:
        return None
    for column in columns:
        if first < len(column):
            part = column.slice(first, len(indices))
            return pa.concat_arrays([part]) if len(part) == len(indices) else None
        first -= len(column)
    return None
