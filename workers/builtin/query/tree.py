"""A query without FROM: what is selected, filtered, grouped and ordered. Tables and joins follow from the columns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

SetOperator = Literal["INTERSECT", "UNION", "EXCEPT"]
Joiner = Literal["AND", "OR"]


@dataclass(frozen=True, slots=True)
class LiteralValue:
    """A constant of the question: its text, and whether it is written as a number."""

    text: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """A column, an aggregate of one, or (with `table`) `*` or `COUNT(*)`; columns and tables by their number."""

    column: int | None = None
    table: int | None = None
    aggregate: str = ""
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Predicate:
    """`term operator operands`; `joiner` ties it to the predicate before it, AND binding tighter than OR."""

    term: Term
    operator: str
    operands: tuple[Operand, ...] = ()
    joiner: Joiner = "AND"


@dataclass(frozen=True, slots=True)
class Order:
    """One item of ORDER BY."""

    term: Term
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT.

    Args:
        items: what is selected, at least one.
        using: tables that no other part names, and key columns that say which key a join uses.
        group: columns; plain selected columns are grouped by as well.
        limit: None, or how many rows.
        operator, right: a set operation with another query.
    """

    items: tuple[Term, ...]
    distinct: bool = False
    using: tuple[Term, ...] = ()
    where: tuple[Predicate, ...] = ()
    group: tuple[int, ...] = ()
    having: tuple[Predicate, ...] = ()
    order: tuple[Order, ...] = ()
    limit: LiteralValue | None = None
    operator: SetOperator | None = None
    right: Query | None = field(default=None)

    def without_right(self) -> Query:
        """Return the query before its set operation."""
        return replace(self, operator=None, right=None)


Operand: TypeAlias = LiteralValue | Term | Query


def terms_in(query: Query) -> list[Term]:
    """Return every term of a query's own scope: none of its subqueries, nor of its set operation's other side."""
    terms = [*query.items, *query.using, *(Term(column) for column in query.group)]
    for predicate in (*query.where, *query.having):
        terms.append(predicate.term)
        terms += [operand for operand in predicate.operands if isinstance(operand, Term)]
    return terms + [order.term for order in query.order]
