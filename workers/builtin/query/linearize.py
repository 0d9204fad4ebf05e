"""A query as a sequence of symbols, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from ..text.tokens import Word, split_identifier
from .grammar import (
    AGGREGATES,
    ARITHMETIC,
    COLUMN,
    COMPARISONS,
    KEYWORD,
    KEYWORDS,
    PATTERNS,
    SET_OPERATORS,
    SHARES,
    TABLE,
    VALUE,
    WORD,
    Symbol,
    is_keyword,
    keyword,
)
from .query_tree import Joiner, LiteralValue, Operand, Order, Predicate, Query, SetOperator, Term

OPERATOR_NAMES = {sign: name for name, sign in ARITHMETIC.items()}
CONSTANTS = {"ZERO": LiteralValue("0", number=True), "ONE": LiteralValue("1", number=True)}


class NotExpressibleError(ValueError):
    """The query has a value that is not among the candidates."""


MAX_SPAN = 20


class Linearizer:
    """Writes queries as symbols.

    Args:
        spellings: every text by which each candidate may be meant.
        words: of the question; a value that is no candidate may be a run of these.
    """

    def __init__(self, spellings: Sequence[tuple[str, ...]], words: Sequence[Word] = ()) -> None:
        self.words = words
        self.numbers: dict[str, int] = {}
        for number, texts in enumerate(spellings):
            for text in texts:
                self.numbers.setdefault(text.casefold().strip(), number)

    def query(self, query: Query) -> list[Symbol]:
        """Return the symbols of a query, END last.

        Raises:
            NotExpressibleError: a value is not among the candidates.
        """
        symbols = [keyword("DISTINCT")] if query.distinct else []
        for item in query.items:
            symbols += _term(item)
        if query.using:
            symbols += [keyword("USING"), *(symbol for term in query.using for symbol in _pointer(term))]
        symbols += self._predicates("WHERE", query.where)
        if query.group:
            symbols += [keyword("GROUP"), *((COLUMN, column) for column in query.group)]
        symbols += self._predicates("HAVING", query.having)
        if query.order:
            symbols.append(keyword("ORDER"))
        for order in query.order:
            symbols += [*_term(order.term), keyword("DESC" if order.descending else "ASC")]
        if query.limit is not None:
            one = query.limit.text == "1"
            symbols += [keyword("LIMIT_ONE")] if one else [keyword("LIMIT"), *self._value(query.limit)]
        if query.per is not None:
            symbols += [keyword("PER"), (COLUMN, query.per)]
        if query.operator is not None and query.right is not None:
            return [*symbols, keyword(query.operator), *self.query(query.right)]
        return [*symbols, keyword("END")]

    def _predicates(self, clause: str, predicates: tuple[Predicate, ...]) -> list[Symbol]:
        symbols = []
        for number, predicate in enumerate(predicates):
            symbols += [keyword(predicate.joiner if number else clause), *_term(predicate.term)]
            symbols.append(keyword(predicate.operator))
            for operand in predicate.operands:
                symbols += self._operand(operand, predicate.operator)
            symbols += [keyword("CLOSE")] if predicate.operator == "ONE_OF" else []
        return symbols

    def _operand(self, operand: Operand, operator: str) -> list[Symbol]:
        if isinstance(operand, Term):
            return _pointer(operand)
        if isinstance(operand, Query):
            return [*([] if operator in ("IN", "NOT_IN") else [keyword("QUERY")]), *self.query(operand)]
        return self._value(operand, constants=operator in COMPARISONS)

    def _value(self, value: LiteralValue, constants: bool = False) -> list[Symbol]:
        spelling = value.text.casefold().strip()
        if spelling in self.numbers:
            return [(VALUE, self.numbers[spelling])]
        for name, constant in CONSTANTS.items():
            if constants and spelling == constant.text:
                return [keyword(name)]
        return self._span(spelling)

    def _span(self, spelling: str) -> list[Symbol]:
        """Return the first and the last word of the run that is a text."""
        for start, first in enumerate(self.words):
            if spelling.startswith(first.lower):
                for end in range(start, min(start + MAX_SPAN, len(self.words))):
                    if split_identifier(self.words[start : end + 1]).casefold() == spelling:
                        return [(WORD, start), (WORD, end)]
        raise NotExpressibleError(spelling)


def _term(term: Term) -> list[Symbol]:
    if term.share:
        return [keyword(term.share), *_term(replace(term, share=""))]
    if term.right is None:
        return _simple(term)
    left, right = replace(term, operator="", right=None), term.right
    head = [keyword(OPERATOR_NAMES[term.operator])]
    if term.aggregate and not right.aggregate:
        return [keyword(term.aggregate), *head, *_pointer(left), *_pointer(right)]
    return [*head, *_simple(left), *_simple(right)]


def _simple(term: Term) -> list[Symbol]:
    head = [keyword(term.aggregate)] if term.aggregate else []
    if term.table is not None and not term.aggregate:
        head = [keyword("STAR")]
    return [*head, *([keyword("DISTINCT")] if term.distinct else []), *_pointer(term)]


def _pointer(term: Term) -> list[Symbol]:
    if term.column is not None:
        return [(COLUMN, term.column)]
    assert term.table is not None
    return [(TABLE, term.table)]


def parse_symbols(symbols: Sequence[Symbol], candidates: Sequence[LiteralValue], words: Sequence[Word] = ()) -> Query:
    """Return the query of a whole legal sequence.

    Args:
        symbols: END last.
        candidates: the constants that VALUE symbols number.
        words: of the question, which WORD symbols number.
    """
    return _Reader(symbols, candidates, words).query()


class _Reader:
    """Reads symbols that the grammar allows, and does not check them again."""

    def __init__(self, symbols: Sequence[Symbol], candidates: Sequence[LiteralValue], words: Sequence[Word]) -> None:
        self.symbols = symbols
        self.candidates = candidates
        self.words = words
        self.position = 0

    def query(self) -> Query:
        distinct = self._take("DISTINCT")
        items = []
        while self._at_term():
            items.append(self._term())
        using = self._pointers() if self._take("USING") else []
        where = self._predicates("WHERE")
        group = [term.column for term in self._pointers() if term.column is not None] if self._take("GROUP") else []
        having = self._predicates("HAVING")
        order = self._order() if self._take("ORDER") else []
        limit = self._limit()
        per = self._pointers()[0].column if self._take("PER") else None
        operator = self._keyword()
        right = self.query() if operator in SET_OPERATORS else None
        return Query(
            items=tuple(items),
            distinct=distinct,
            using=tuple(using),
            where=where,
            group=tuple(group),
            having=having,
            order=tuple(order),
            limit=limit,
            per=per,
            operator=cast(SetOperator, operator) if right else None,
            right=right,
        )

    def _at(self, *names: str) -> bool:
        return is_keyword(self.symbols[self.position], *names)

    def _take(self, *names: str) -> bool:
        found = self._at(*names)
        self.position += found
        return found

    def _keyword(self) -> str:
        self.position += 1
        return KEYWORDS[self.symbols[self.position - 1][1]]

    def _at_term(self) -> bool:
        return self.symbols[self.position][0] != KEYWORD or self._at(*AGGREGATES, *ARITHMETIC, *SHARES, "STAR")

    def _term(self) -> Term:
        if self._at(*SHARES):
            share = self._keyword()
            return replace(self._term(), share=share)
        if self._at(*ARITHMETIC):
            return self._combined(ARITHMETIC[self._keyword()])
        aggregate = self._keyword() if self._at(*AGGREGATES) else ""
        if self._at(*ARITHMETIC):
            return replace(self._combined(ARITHMETIC[self._keyword()]), aggregate=aggregate)
        return self._simple(aggregate)

    def _combined(self, sign: str) -> Term:
        left = self._simple(self._keyword() if self._at(*AGGREGATES) else "")
        right = self._simple(self._keyword() if self._at(*AGGREGATES) else "")
        return replace(left, operator=sign, right=right)

    def _simple(self, aggregate: str) -> Term:
        self._take("STAR")
        distinct = self._take("DISTINCT")
        kind, number = self.symbols[self.position]
        self.position += 1
        if kind == COLUMN:
            return Term(column=number, aggregate=aggregate, distinct=distinct)
        return Term(table=number, aggregate=aggregate)

    def _pointers(self) -> list[Term]:
        terms = []
        while self.symbols[self.position][0] in (COLUMN, TABLE):
            terms.append(self._term())
        return terms

    def _predicates(self, clause: str) -> tuple[Predicate, ...]:
        predicates: list[Predicate] = []
        joiner = clause
        while self._at(joiner) or (predicates and self._at("AND", "OR")):
            joiner = self._keyword()
            term = self._term()
            operator = self._keyword()
            tie = cast(Joiner, joiner if predicates else "AND")
            predicates.append(Predicate(term, operator, self._operands(operator), tie))
        return tuple(predicates)

    def _operands(self, operator: str) -> tuple[Operand, ...]:
        if operator in ("IN", "NOT_IN"):
            return (self.query(),)
        if operator in ("IS_NULL", "NOT_NULL"):
            return ()
        if operator == "BETWEEN":
            return (self._value(), self._value())
        if operator in PATTERNS:
            return (self._value(),)
        if operator == "ONE_OF":
            return self._list()
        if self._take("QUERY"):
            return (self.query(),)
        if self.symbols[self.position][0] == COLUMN:
            return (self._term(),)
        return (self._value(),)

    def _list(self) -> tuple[Operand, ...]:
        values = [self._value()]
        while not self._take("CLOSE"):
            values.append(self._value())
        return tuple(values)

    def _value(self) -> LiteralValue:
        kind, number = self.symbols[self.position]
        self.position += 1
        if kind != WORD:
            return self.candidates[number] if kind == VALUE else CONSTANTS[KEYWORDS[number]]
        last = self.symbols[self.position][1]
        self.position += 1
        return LiteralValue(split_identifier(self.words[number : last + 1]))

    def _order(self) -> list[Order]:
        orders = []
        while self._at_term():
            term = self._term()
            orders.append(Order(term, descending=self._keyword() == "DESC"))
        return orders

    def _limit(self) -> LiteralValue | None:
        if self._take("LIMIT_ONE"):
            return CONSTANTS["ONE"]
        return self._value() if self._take("LIMIT") else None
