"""Converts a question and a schema to the network's input: features, segments, and a relation for each two items.

Items stand in this order: the question's words, the earlier question's words, the earlier query's
symbols, columns, tables, values.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...database_schema import Column, Table, split_name
from ..query.grammar import COLUMN, KEYWORD, KEYWORDS, TABLE, VALUE, Symbol
from ..query.linearize import Linearizer
from ..query.query_tree import LiteralValue, Predicate, Query
from ..schema.measures import Measure
from ..schema.schema_index import SchemaIndex, column_kind
from ..text.lexicon import IGNORED
from ..text.tokens import Word, feature_hash, is_cjk, name_words, question_features, read_words, text_features
from ..text.word_meanings import meaning_words, word_meanings
from ..text.word_vectors import EMPTY_VECTORS, word_vectors
from .name_matching import MATCHES, NameMatcher
from .value_candidates import KINDS, CellIndex, ValueCandidate, find_candidates

QUESTION, EARLIER, SYMBOL, COLUMNS, TABLES, VALUES = range(6)  # The parts of the sequence of items.
PARTS = 6
MAX_TOKENS = 60
MAX_EARLIER_TOKENS = 30
MAX_SYMBOLS = 40
MAX_COMMENT_TOKENS = 12
COLUMN_KINDS = ("number", "date", "boolean", "text", "other")
SEGMENTS = 4 + len(COLUMN_KINDS) * 3 + len(KINDS)

_SPECIAL = (
    *(f"distance {distance}" for distance in range(-4, 5)),
    *(f"earlier distance {distance}" for distance in range(-2, 3)),
    *(f"symbol distance {distance}" for distance in range(-2, 3)),
    *(
        f"{word} {match} {name}{way}"
        for word in ("word", "earlier")
        for match in ("partly", "fully")
        for name in ("column", "table")
        for way in ("", " back")
    ),
    *(f"word in cell of {name}{way}" for name in ("column", "table") for way in ("", " back")),
    *(f"symbol is {name}{way}" for name in ("column", "table", "value") for way in ("", " back")),
    "same item",
    "same table",
    "refers to",
    "referred to",
    "same name",
    "column of",
    "key of",
    "table of",
    "table of key",
    "table refers to",
    "table referred to",
    *(
        f"value {position}{way}"
        for position in ("covers", "after 1", "after 2", "before 1", "before 2")
        for way in ("", " back")
    ),
    *(f"cell of {name}{way}" for name in ("column", "table") for way in ("", " back")),
    *(f"number fits{way}" for way in ("", " back")),
    *(
        f"{word} {match} {name}{way}"
        for word in ("word", "earlier")
        for match in ("near", "like")
        for name in ("column", "table")
        for way in ("", " back")
    ),
)
RELATION_NUMBERS = {name: PARTS * PARTS + number for number, name in enumerate(_SPECIAL)}
# Number of relations: one for each pair of parts by default, then the special ones.
RELATIONS = PARTS * PARTS + len(_SPECIAL)


@dataclass(frozen=True, slots=True)
class PreviousTurn:
    """The previous turn: its question, and its query if that could be parsed."""

    question: str
    tree: Query | None = None


@dataclass(slots=True)
class LinkedQuestion:
    """The network's input for one question.

    Args:
        words: of the question.
        features: for each item the rows of the embedding table whose mean it is.
        vectors: for each item the rows of its words in the table of word vectors.
        segments: (items,) the kind of each item.
        relations: (items, items) uint8.
        sizes: how many items each of the six parts has.
        candidates: the constants, in the order of the value items.
        symbols: the earlier query's symbols.
    """

    words: list[Word]
    features: list[tuple[int, ...]]
    vectors: list[tuple[int, ...]]
    segments: NDArray[np.int64]
    relations: NDArray[np.uint8]
    sizes: tuple[int, ...]
    candidates: list[ValueCandidate]
    symbols: list[Symbol] = field(default_factory=list)

    def start(self, part: int) -> int:
        """Return where a part begins."""
        return sum(self.sizes[:part])


class SchemaLinks:
    """The input that does not depend on the question: names as features, keys as relations, cells by text."""

    def __init__(self, names: SchemaIndex, measure: Measure | None = None) -> None:
        self.names, self.measure = names, measure  # The measure is a column of `names`, and of no table.
        self.cells = CellIndex(names)
        self.column_tokens = [name_words(column.name) for column in names.columns]
        self.table_tokens = [name_words(split_name(table.name)[-1]) for table in names.tables]
        tokens = [*self.column_tokens, *self.table_tokens]
        items: list[Column | Table] = [*names.columns, *names.tables]
        comments = [comment_words(item.comment) for item in items]
        self.matcher = NameMatcher(tokens, comments)
        self.features = [text_features((*words, *comment[:6])) for words, comment in zip(tokens, comments, strict=True)]
        self.vectors = [vector_rows((*words, *comment)) for words, comment in zip(tokens, comments, strict=True)]
        self.segments = [self._segment(number) for number in range(len(names.columns))] + [3] * len(names.tables)
        self.relations = self._relations()

    def with_cells(self, found: Sequence[tuple[int, str]]) -> SchemaLinks:
        """Return the same schema with further cells, as (column, text)."""
        links = copy(self)
        links.cells = self.cells.extended(found)
        return links

    def _segment(self, number: int) -> int:
        column = self.names.columns[number]
        foreign = any(edge.column == number for edge in self.names.edges)
        return 4 + COLUMN_KINDS.index(column_kind(column)) * 3 + (1 if column.primary_key else 2 if foreign else 0)

    def _relations(self) -> NDArray[np.uint8]:
        """Return the relations among columns and tables, (columns + tables) squared."""
        names, number_of = self.names, RELATION_NUMBERS
        columns, tables = len(names.columns), len(names.tables)
        owner = np.array(names.table_of, dtype=np.int64)
        matrix = _defaults([COLUMNS] * columns + [TABLES] * tables)
        inner = matrix[:columns, :columns]
        inner[owner[:, None] == owner[None, :]] = number_of["same table"]
        keys = ["".join(words) for words in self.column_tokens]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        called = np.array([numbers[key] for key in keys], dtype=np.int64)
        inner[(called[:, None] == called[None, :]) & (owner[:, None] != owner[None, :])] = number_of["same name"]
        for one in range(columns):
            key = " key" if names.columns[one].primary_key else ""
            matrix[one, columns + owner[one]] = number_of["key of" if key else "column of"]
            matrix[columns + owner[one], one] = number_of[f"table of{key}"]
        for edge in names.edges:
            inner[edge.column, edge.other], inner[edge.other, edge.column] = (
                number_of["refers to"],
                number_of["referred to"],
            )
            one, two = columns + owner[edge.column], columns + owner[edge.other]
            matrix[one, two], matrix[two, one] = number_of["table refers to"], number_of["table referred to"]
        np.fill_diagonal(matrix, number_of["same item"])
        return matrix


def link(question: str, schema: SchemaLinks, earlier: PreviousTurn | None = None) -> LinkedQuestion:
    """Return the network's input for a question about a schema, after an earlier turn.

    Args:
        question: the newest.
        schema: with its cells.
        earlier: the turn before it, for a follow-up question.
    """
    names = schema.names
    words = read_words(question)[:MAX_TOKENS]
    before = read_words(earlier.question)[-MAX_EARLIER_TOKENS:] if earlier else []
    constants = literals_in(earlier.tree) if earlier and earlier.tree else []
    candidates = find_candidates(question, schema.cells, constants)
    candidates = [one for one in candidates if one.end <= len(words)]
    symbols = _earlier_symbols(earlier, candidates)
    sizes = (len(words), len(before), len(symbols), len(names.columns), len(names.tables), len(candidates))
    features = [*question_features(words), *question_features(before)]
    features += [_symbol_features(symbol, schema, candidates) for symbol in symbols]
    features += schema.features
    texts = [tuple(word.lower for word in read_words(one.value.text))[:6] for one in candidates]
    features += [text_features(text) or (feature_hash("<none>"),) for text in texts]
    vectors = [vector_rows((word,)) for text in (words, before) for word in meaning_words([one.lower for one in text])]
    vectors += [_symbol_vectors(symbol, schema) for symbol in symbols]
    vectors += [*schema.vectors, *(vector_rows(text) for text in texts)]
    values = [4 + len(COLUMN_KINDS) * 3 + KINDS.index(one.kind) for one in candidates]
    segments = np.array(
        [0] * len(words) + [1] * len(before) + [2] * len(symbols) + schema.segments + values, dtype=np.int64
    )
    linked = LinkedQuestion(words, features, vectors, segments, _base(sizes, schema), sizes, candidates, symbols)
    _relate_tokens(linked, words, QUESTION, "word", schema)
    _relate_tokens(linked, before, EARLIER, "earlier", schema)
    _relate_symbols(linked)
    _relate_values(linked, schema)
    return linked


def literals_in(tree: Query) -> list[LiteralValue]:
    """Return the constants of a query, its subqueries' too."""
    found = []
    for predicate in (*tree.where, *tree.having):
        found += _operand_values(predicate)
    found += [tree.limit] if tree.limit else []
    return found + (literals_in(tree.right) if tree.right else [])


def _operand_values(predicate: Predicate) -> list[LiteralValue]:
    found = []
    for operand in predicate.operands:
        if isinstance(operand, LiteralValue):
            found.append(operand)
        elif isinstance(operand, Query):
            found += literals_in(operand)
    return found


def _earlier_symbols(earlier: PreviousTurn | None, candidates: list[ValueCandidate]) -> list[Symbol]:
    if earlier is None or earlier.tree is None:
        return []
    try:
        return Linearizer([one.spellings for one in candidates]).query(earlier.tree)[:-1][:MAX_SYMBOLS]
    except ValueError:
        return []


def _symbol_features(symbol: Symbol, schema: SchemaLinks, candidates: list[ValueCandidate]) -> tuple[int, ...]:
    kind, number = symbol
    if kind == KEYWORD:
        return (feature_hash(f"keyword:{KEYWORDS[number]}"),)
    if kind == VALUE:
        return (feature_hash("<earlier value>"),)
    return schema.features[number + (len(schema.names.columns) if kind == TABLE else 0)]


def _symbol_vectors(symbol: Symbol, schema: SchemaLinks) -> tuple[int, ...]:
    kind, number = symbol
    if kind not in (COLUMN, TABLE):
        return (EMPTY_VECTORS,)
    return schema.vectors[number + (len(schema.names.columns) if kind == TABLE else 0)]


def comment_words(comment: str) -> tuple[str, ...]:
    """Return the words of a comment that may name what it describes."""
    words = name_words(comment) if comment else ()
    return tuple(word for word in words if word not in IGNORED)[:MAX_COMMENT_TOKENS]


@lru_cache(maxsize=65536)
def vector_rows(words: tuple[str, ...]) -> tuple[int, ...]:
    """Return the rows of the words, or of their translations, that have a vector; EMPTY_VECTORS alone if none has."""
    table, meanings = word_vectors(), word_meanings()
    english = [meanings.translation(word) if is_cjk(word) else word for word in dict.fromkeys(meaning_words(words))]
    return tuple(row for row in map(table.row, english) if row != EMPTY_VECTORS) or (EMPTY_VECTORS,)


@lru_cache(maxsize=4096)
def _default_relations(parts: tuple[int, ...]) -> NDArray[np.uint8]:
    kinds = np.array(parts, dtype=np.uint8)
    matrix: NDArray[np.uint8] = (kinds[:, None] * PARTS + kinds[None, :]).astype(np.uint8)
    return matrix


def _defaults(parts: list[int]) -> NDArray[np.uint8]:
    return _default_relations(tuple(parts)).copy()


def _base(sizes: tuple[int, ...], schema: SchemaLinks) -> NDArray[np.uint8]:
    matrix = _defaults([part for part, size in enumerate(sizes) for _ in range(size)])
    for part, label, reach in (
        (QUESTION, "distance", 4),
        (EARLIER, "earlier distance", 2),
        (SYMBOL, "symbol distance", 2),
    ):
        start, size = sum(sizes[:part]), sizes[part]
        indices = np.arange(size)
        distance = np.clip(indices[None, :] - indices[:, None], -reach, reach)
        matrix[start : start + size, start : start + size] = RELATION_NUMBERS[f"{label} 0"] + distance
    start = sum(sizes[:COLUMNS])
    size = sizes[COLUMNS] + sizes[TABLES]
    matrix[start : start + size, start : start + size] = schema.relations
    for position in range(sum(sizes[:VALUES]), sum(sizes)):
        matrix[position, position] = RELATION_NUMBERS["same item"]
    return matrix


def _set(linked: LinkedQuestion, one: int, two: int, relation: str) -> None:
    linked.relations[one, two] = RELATION_NUMBERS[relation]
    linked.relations[two, one] = RELATION_NUMBERS[f"{relation} back"]


def _relate_tokens(linked: LinkedQuestion, words: list[Word], part: int, label: str, schema: SchemaLinks) -> None:
    """Relate words to the columns and tables whose names or comments contain them, equal them, or are similar."""
    start, columns = linked.start(part), len(schema.column_tokens)
    levels = schema.matcher.levels([word.lower for word in words])
    for position, number in zip(*(one.tolist() for one in levels.nonzero()), strict=True):
        kind, item = ("column", COLUMNS) if number < columns else ("table", TABLES)
        at = linked.start(item) + number - (0 if item == COLUMNS else columns)
        _set(linked, start + position, at, f"{label} {MATCHES[levels[position, number]]} {kind}")


def _relate_symbols(linked: LinkedQuestion) -> None:
    start = linked.start(SYMBOL)
    parts = {COLUMN: ("column", COLUMNS), TABLE: ("table", TABLES), VALUE: ("value", VALUES)}
    for position, (kind, number) in enumerate(linked.symbols):
        if kind in parts:
            label, part = parts[kind]
            _set(linked, start + position, linked.start(part) + number, f"symbol is {label}")


def _relate_values(linked: LinkedQuestion, schema: SchemaLinks) -> None:
    """Relate values to their words and to the columns and tables that have them as cells, numbers to number columns."""
    words = linked.sizes[QUESTION]
    columns, tables, values = (linked.start(part) for part in (COLUMNS, TABLES, VALUES))
    numeric = [number for number, column in enumerate(schema.names.columns) if column_kind(column) == "number"]
    for number, candidate in enumerate(linked.candidates):
        item = values + number
        if candidate.start >= 0:
            for position in range(max(candidate.start - 2, 0), min(candidate.end + 2, words)):
                _set(linked, item, position, f"value {_where(position, candidate)}")
        for column in numeric if candidate.value.number else ():
            _set(linked, item, columns + column, "number fits")
        for column in candidate.cells:
            table = schema.names.table_of[column]
            _set(linked, item, columns + column, "cell of column")
            _set(linked, item, tables + table, "cell of table")
            for position in range(max(candidate.start, 0), candidate.end):
                _set(linked, position, columns + column, "word in cell of column")
                if linked.relations[position, tables + table] == QUESTION * PARTS + TABLES:
                    _set(linked, position, tables + table, "word in cell of table")


def _where(position: int, candidate: ValueCandidate) -> str:
    if position < candidate.start:
        return f"after {candidate.start - position}"
    return f"before {position - candidate.end + 1}" if position >= candidate.end else "covers"
