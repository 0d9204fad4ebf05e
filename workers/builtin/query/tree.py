"""A query without FROM: selected columns, filters, groups and order. Tables and joins follow from the columns."""

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
    """`term operator operands`; `joiner` connects it with the predicate before it; AND binds tighter than OR."""

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
        items: the selected items, at least one.
        using: tables that no other part names, and key columns that decide which key a join uses.
        group: columns; plain selected columns are grouped by as well.
        limit: the number of rows, or None.
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
    """Return every term of a query's own scope, without its subqueries and the other side of its set operation."""
    terms = [*query.items, *query.using, *(Term(column) for column in query.group)]
    for predicate in (*query.where, *query.having):
        terms.append(predicate.term)
        terms += [operand for operand in predicate.operands if isinstance(operand, Term)]
    return terms + [order.term for order in query.order]
