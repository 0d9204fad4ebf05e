"""Chooses the tables and columns that a question may need, where the whole schema is too large for a prompt.

Words of the question are compared with those of names and comments, by their stems and by word vectors; rare words
count more. Then come the tables that keys tie to the best ones, until the budget is used up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ....workers.builtin.text.tokens import is_cjk, name_words, read_words, stem
from ....workers.builtin.text.word_vectors import word_vectors
from ....workers.database_schema import Column, Schema, Table, split_name
from .value_matching import COMMON, CellMatch

MAX_CHARACTERS = 24_000  # Of the schema in a prompt: some 7,000 tokens.
MAX_COLUMNS = 80  # Of one table.
SIMILAR = 0.45  # The cosine from which two words count as related, and what their relation then counts.
RELATED = 0.7
TABLE_NAME, COLUMN_NAME, COMMENT, CELL = 2.0, 1.0, 0.6, 4.0
SEEDS = 8  # The best tables; the tables tied to them by keys are shown too.


def select_schema(
    schema: Schema, question: str, values: Sequence[CellMatch] = (), limit: int = MAX_CHARACTERS
) -> Schema:
    """Return the part of a schema that a question may need; a schema within the limit is returned whole.

    Args:
        schema: of any size.
        question: in the language of the names, or of the comments.
        values: the cells that the question mentions.
        limit: how many characters the part has at the most, as M-Schema.
    """
    if sum(map(_size, schema.tables)) <= limit:
        return schema
    words = question_words(question)
    scores = _scores(schema, words, values)
    tables = {table.name: _fewer_columns(table, schema, words, values) for table in schema.tables}
    chosen: set[str] = set()
    left = limit
    for name in _order(schema, scores):
        size = _size(tables[name])
        if size <= left or not chosen:
            chosen.add(name)
            left -= size
    shown = tuple(tables[table.name] for table in schema.tables if table.name in chosen)
    columns = {(table.name, column.name) for table in shown for column in table.columns}
    keys = (k for k in schema.foreign_keys if (k.table, k.column) in columns)
    return replace(
        schema, tables=shown, foreign_keys=tuple(k for k in keys if (k.other_table, k.other_column) in columns)
    )


def question_words(question: str) -> list[str]:
    """Return the distinct words of a question that may name something."""
    words = [word.lower for word in read_words(question)]
    pairs = [one + two for one, two in pairwise(words) if is_cjk(one) and is_cjk(two)]
    single = [word for word in words if word[:1].isalnum() and word not in COMMON and not is_cjk(word)]
    return list(dict.fromkeys([*single, *pairs]))


def _order(schema: Schema, scores: dict[str, float]) -> list[str]:
    """Return the tables: the best ones, those between and beside them, then the others by their scores."""
    ordered = sorted(scores, key=lambda name: -scores[name])
    near: dict[str, set[str]] = {}
    for key in schema.foreign_keys:
        near.setdefault(key.table, set()).add(key.other_table)
        near.setdefault(key.other_table, set()).add(key.table)
    found: dict[str, None] = {}
    for name in ordered[:SEEDS]:
        found[name] = None
        found |= dict.fromkeys(sorted(near.get(name, ()), key=lambda other: -scores[other]))
    return list(found | dict.fromkeys(ordered))


def _scores(schema: Schema, words: Sequence[str], values: Sequence[CellMatch]) -> dict[str, float]:
    index = _index(schema)
    totals = np.zeros(len(schema.tables))
    for word in words:
        match = index.matches(word)
        exact = int((match >= COLUMN_NAME).sum())
        totals += match * math.log(1 + len(schema.tables) / (1 + exact))
    scores = {table.name: float(total) for table, total in zip(schema.tables, totals, strict=True)}
    for table in {table for table, _, _ in values}:
        scores[table] = scores.get(table, 0.0) + CELL
    return scores


@dataclass(frozen=True, eq=False)
class WordIndex:
    """The words of a schema's tables, each with its weight in its table.

    Args:
        rows: of each distinct word; its number.
        vectors: (words, 100), of length 1 or 0.
        words: the number of each occurrence's word, table after table.
        weights: of each occurrence.
        starts: where each table's occurrences begin.
    """

    rows: dict[str, int]
    vectors: NDArray[np.float32]
    words: NDArray[np.int64]
    weights: NDArray[np.float64]
    starts: NDArray[np.int64]

    def matches(self, word: str) -> NDArray[np.float64]:
        """Return how well each table's best word matches a word: its weight, or less for a related word."""
        table = word_vectors()
        related = self.vectors @ table.table[table.row(word)]
        similar = np.where(related >= SIMILAR, related * RELATED, 0.0)
        if (row := self.rows.get(stem(word))) is not None:
            similar[row] = 1.0
        best: NDArray[np.float64] = np.maximum.reduceat(similar[self.words] * self.weights, self.starts)
        return best


@lru_cache(maxsize=8)
def _index(schema: Schema) -> WordIndex:
    rows: dict[str, int] = {}
    words, weights, starts = list[int](), list[float](), list[int]()
    for table in schema.tables:
        starts.append(len(words))
        for word, weight in {"": 0.0, **_table_words(table)}.items():
            words.append(rows.setdefault(word, len(rows)))
            weights.append(weight)
    table_of_vectors = word_vectors()
    vectors = table_of_vectors.table[[table_of_vectors.row(word) for word in rows]]
    return WordIndex(rows, vectors, np.array(words), np.array(weights), np.array(starts))


def _table_words(table: Table) -> dict[str, float]:
    """Return the stems in a table's names and comments, each with the weight of its best place."""
    found: dict[str, float] = {}
    texts = [(table.comment, COMMENT), *((column.comment, COMMENT) for column in table.columns)]
    for text, weight in texts:
        _add(found, question_words(text) if text else (), weight)
    for column in table.columns:
        _add(found, _name_words(column.name), COLUMN_NAME)
    _add(found, _name_words(split_name(table.name)[-1]), TABLE_NAME)
    return found


def _add(found: dict[str, float], words: Iterable[str], weight: float) -> None:
    for word in words:
        found[stem(word)] = max(found.get(stem(word), 0.0), weight)


def _name_words(name: str) -> list[str]:
    """Return the words of a name; of Chinese names the pairs of characters."""
    words = list(name_words(name))
    return words + [one + two for one, two in pairwise(words) if is_cjk(one) and is_cjk(two)]


def _fewer_columns(table: Table, schema: Schema, words: Sequence[str], values: Sequence[CellMatch]) -> Table:
    if len(table.columns) <= MAX_COLUMNS:
        return table
    keys = {k.column for k in schema.foreign_keys if k.table == table.name}
    keys |= {k.other_column for k in schema.foreign_keys if k.other_table == table.name}
    keys |= {column for name, column, _ in values if name == table.name}
    scores = _column_scores(table, words)
    ordered = sorted(
        range(len(table.columns)),
        key=lambda at: (table.columns[at].primary_key or table.columns[at].name in keys, scores[at], -at),
        reverse=True,
    )
    shown = set(ordered[:MAX_COLUMNS])
    return replace(table, columns=tuple(column for at, column in enumerate(table.columns) if at in shown))


def _column_scores(table: Table, words: Sequence[str]) -> NDArray[np.float64]:
    """Return how well each column matches the words, as if it were a table of its own."""
    single = Schema("", tuple(Table(str(at), (column,)) for at, column in enumerate(table.columns)))
    scores = _scores(single, words, ())
    return np.array([scores[str(at)] for at in range(len(table.columns))])


def _size(table: Table) -> int:
    """Return about how many characters a table takes in a prompt."""
    return len(table.name) + len(table.comment) + 16 + sum(map(_column_size, table.columns))


def _column_size(column: Column) -> int:
    examples = sum(len(value) + 2 for value in column.examples[:5])
    return len(column.name) + len(column.type) + len(column.comment) + examples + (16 if examples else 5)
