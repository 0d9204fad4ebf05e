"""Rules for the next symbol beyond the grammar: types, no repetitions, equally many columns in set operations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..query.grammar import (
    AGGREGATES,
    ARITHMETIC,
    COLUMN,
    COMPARISONS,
    KEYWORDS,
    PATTERNS,
    SET_OPERATORS,
    STATES,
    TABLE,
    VALUE,
    WORD,
    Stack,
    Symbol,
    is_keyword,
    legal_table,
)
from ..query.linearize import MAX_SPAN
from ..query.to_sql import is_date, is_year
from ..schema.schema_index import SchemaIndex, column_kind
from ..text.tokens import name_words, stem
from .schema_linking import COLUMNS, QUESTION, TABLES, VALUES, LinkedQuestion

LEGAL = np.array(legal_table(), dtype=bool)
NUMBERS = {name: number for number, name in enumerate(STATES)}
STATE_AMOUNT = NUMBERS["AMOUNT"]
MAX_DEPTH = 14  # The most open states: about three nested subqueries.
KEY_WORDS = frozenset({"id", "number", "code", "key", "编", "号"})
CJK_MARKS = frozenset("，。？！；：")
PART_OF = {COLUMN: COLUMNS, TABLE: TABLES, VALUE: VALUES, WORD: QUESTION}
Mask = NDArray[np.bool_]


class DecodingMask:
    """The legal next symbols for one linked question, as masks over keywords and items."""

    def __init__(self, names: SchemaIndex, linked: LinkedQuestion) -> None:
        self.names, self.linked = names, linked
        kinds = [column_kind(column) for column in names.columns]
        self.numeric = np.array([kind == "number" for kind in kinds], dtype=bool)
        keys = np.array([names.is_key(number) for number in range(len(kinds))], dtype=bool)
        self.summable = self.numeric & ~keys if (self.numeric & ~keys).any() else self.numeric
        self.sortable = ~(self.numeric & keys & ~self._named_keys())
        self.textual = np.array([kind == "text" for kind in kinds], dtype=bool)
        self.dated = np.array([kind == "date" for kind in kinds], dtype=bool)
        texts = [one.value.text for one in linked.candidates]
        self.date_values = np.array([is_year(text) or is_date(text) for text in texts], dtype=bool)
        self.number_values = np.array([one.value.number for one in linked.candidates], dtype=bool)
        self.starts = {kind: linked.start(part) for kind, part in PART_OF.items()}
        self.sizes = {kind: linked.sizes[part] for kind, part in PART_OF.items()}
        self.ends = self._ends()
        self.base = self._base()

    def _named_keys(self) -> Mask:
        """Return the columns whose last word the question has: "by id", "by year". No other key sorts by anything."""
        stems = {stem(word.lower) for word in self.linked.words}
        every = bool(stems & KEY_WORDS)
        return np.array([every or stem(name_words(one.name)[-1]) in stems for one in self.names.columns], dtype=bool)

    def _base(self) -> Mask:
        """Return what the grammar alone allows in each state, (states, keywords + items)."""
        mask = np.zeros((len(LEGAL), len(KEYWORDS) + len(self.linked.features)), dtype=bool)
        mask[:, : len(KEYWORDS)] = LEGAL[:, : len(KEYWORDS)]
        for kind, start in self.starts.items():
            mask[:, len(KEYWORDS) + start : len(KEYWORDS) + start + self.sizes[kind]] = LEGAL[
                :, len(KEYWORDS) + kind - 1, None
            ]
        if self.numeric.sum() < 2:
            for name in ARITHMETIC:
                mask[STATE_AMOUNT, KEYWORDS.index(name)] = False
        if not self.sizes[VALUE]:
            for name in ("BETWEEN", "LIMIT"):
                mask[:, KEYWORDS.index(name)] = False
        return mask

    def _ends(self) -> list[int]:
        """Return for each word where a run from there must end: no constant goes beyond a Chinese punctuation mark."""
        words = self.linked.words
        marks = [number for number, word in enumerate(words) if word.text in CJK_MARKS]
        return [min((mark for mark in marks if mark > number), default=len(words)) for number in range(len(words))]

    def position(self, symbol: Symbol) -> int:
        """Return the index of a symbol among keywords and items."""
        kind, number = symbol
        return len(KEYWORDS) + self.starts[kind] + number if kind in self.starts else number

    def symbol(self, position: int) -> Symbol:
        """Return the symbol at an index among keywords and items."""
        if position < len(KEYWORDS):
            return (0, position)
        item = position - len(KEYWORDS)
        kind = max(self.starts, key=lambda kind: self.starts[kind] <= item < self.starts[kind] + self.sizes[kind])
        return (kind, item - self.starts[kind])

    def mask(self, stack: Stack, symbols: Sequence[Symbol]) -> Mask:
        """Return which keywords and items may follow the symbols so far."""
        state = stack[-1]
        mask: Mask = self.base[NUMBERS[state]].copy()
        if state in ("ARGUMENT", "AMOUNT") and is_keyword(symbols[-1], "SUM", "AVG"):
            self._part(COLUMN, mask)[:] &= self.summable
        elif state in ("ORDER_ITEM", "AFTER_ORDER"):
            self._part(COLUMN, mask)[:] &= self.sortable
        elif state in ("FACTOR", "LEFT_SIDE"):
            self._combinable(mask, symbols)
        elif state == "LAST_WORD":
            first = symbols[-1][1]
            self._part(WORD, mask)[:first] = False
            self._part(WORD, mask)[min(first + MAX_SPAN, self.ends[first]) :] = False
        elif state in ("OPERAND", "VALUE", "MORE_VALUES", "OPERATOR"):
            self._suit(mask, state, symbols)
        elif state in ("AFTER_ITEM", "AFTER_GROUP"):
            self._no_repetition(mask, symbols)
        if state == "AFTER_ITEM":
            self._same_count(mask, symbols)
        if len(stack) > MAX_DEPTH:
            self._forbid(mask, "QUERY", "IN", "NOT_IN", *SET_OPERATORS)
        if any(is_keyword(symbol, *SET_OPERATORS) for symbol in symbols):
            self._forbid(mask, *SET_OPERATORS)
        return mask

    def _part(self, kind: int, mask: Mask) -> Mask:
        """Return the part of a mask for the columns, tables, values or words."""
        start = len(KEYWORDS) + self.starts[kind]
        return mask[start : start + self.sizes[kind]]

    @staticmethod
    def _forbid(mask: Mask, *names: str) -> None:
        for name in names:
            mask[KEYWORDS.index(name)] = False

    def _suit(self, mask: Mask, state: str, symbols: Sequence[Symbol]) -> None:
        """Allow only values and operators that suit the compared column."""
        position = len(symbols) - 1
        while symbols[position][0] in (VALUE, WORD) or is_keyword(
            symbols[position], *COMPARISONS, *PATTERNS, "BETWEEN", "ONE_OF"
        ):
            position -= 1
        kind, number = symbols[position]
        counted = self._counts(symbols, position)
        limit = is_keyword(symbols[len(symbols) - 1], "LIMIT")
        numeric = limit or counted or (kind == COLUMN and bool(self.numeric[number]))
        dated = not numeric and kind == COLUMN and bool(self.dated[number])
        if state == "OPERATOR":
            if counted:
                self._forbid(mask, *PATTERNS, "IS_NULL", "NOT_NULL", "IN", "NOT_IN", "ONE_OF")
            elif kind == COLUMN and not self.textual[number]:
                self._forbid(mask, *PATTERNS)
            if (numeric and not self.number_values.any()) or (dated and not self.date_values.any()):
                self._forbid(mask, "BETWEEN")
            return
        if limit or counted or kind != COLUMN or not self.textual[number]:
            self._part(WORD, mask)[:] = False
        if numeric or dated:
            self._part(VALUE, mask)[:] &= self.number_values if numeric else self.date_values
        if state == "MORE_VALUES":
            self._part(VALUE, mask)[[number for kind, number in symbols[position + 2 :] if kind == VALUE]] = False
        if state == "OPERAND" and kind == COLUMN:
            self._part(COLUMN, mask)[:] &= self.numeric if numeric else ~self.numeric
            self._part(COLUMN, mask)[number] = False

    @staticmethod
    def _counts(symbols: Sequence[Symbol], position: int) -> bool:
        """Whether the term that ends at a symbol is a number for any column: a count, a sum, a mean."""
        before = [symbols[one] for one in (position - 1, position - 2) if one >= 0]
        if symbols[position][0] == TABLE:
            return True
        if before and is_keyword(before[0], "DISTINCT"):
            before = before[1:]
        return bool(before) and is_keyword(before[0], "COUNT", "SUM", "AVG")

    def _combinable(self, mask: Mask, symbols: Sequence[Symbol]) -> None:
        """Allow arithmetic only with two different number columns, or the difference of two dates."""
        kind, number = symbols[-1]
        if kind == COLUMN:
            self._part(COLUMN, mask)[:] &= self.dated if self.dated[number] else self.numeric
            self._part(COLUMN, mask)[number] = False
            return
        numeric = self.numeric & (self.numeric.sum() > 1)
        dated = self.dated & (self.dated.sum() > 1) & is_keyword(symbols[-1], "MINUS")
        self._part(COLUMN, mask)[:] &= numeric | dated

    def _no_repetition(self, mask: Mask, symbols: Sequence[Symbol]) -> None:
        """Forbid plain columns that are already in the same list."""
        position = len(symbols) - 1
        while position >= 0 and symbols[position][0] in (COLUMN, TABLE):
            if symbols[position][0] == COLUMN:
                self._part(COLUMN, mask)[symbols[position][1]] = False
            position -= 1

    def _same_count(self, mask: Mask, symbols: Sequence[Symbol]) -> None:
        """Require the same number of items on both sides of a set operation."""
        indices = [position for position, symbol in enumerate(symbols) if is_keyword(symbol, *SET_OPERATORS)]
        if not indices or any(is_keyword(symbol, "WHERE") for symbol in symbols[indices[-1] :]):
            return
        wanted, have = _items(symbols[: indices[-1]]), _items(symbols[indices[-1] + 1 :])
        if have < wanted:
            allowed = np.zeros_like(mask)
            self._part(COLUMN, allowed)[:] = True
            for name in (*AGGREGATES, "STAR"):
                allowed[KEYWORDS.index(name)] = True
            mask &= allowed
        else:
            self._part(COLUMN, mask)[:] = False
            self._forbid(mask, *AGGREGATES, "STAR")


def _items(symbols: Sequence[Symbol]) -> int:
    """Return the number of items that a query selects: the pointers before its first clause."""
    count = 0
    for symbol in symbols:
        if symbol[0] in (COLUMN, TABLE):
            count += 1
        elif not is_keyword(symbol, *AGGREGATES, "DISTINCT", "STAR"):
            break
    return count
