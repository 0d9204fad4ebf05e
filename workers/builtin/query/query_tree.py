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
    """A column, an aggregate of one, or (with `table`) `*` or `COUNT(*)`; columns and tables by their number.

    Args:
        operator, right: arithmetic with a second term, `+ - * /`, or `%`: the left as a percentage of the right. If
            `right` is a plain column, the aggregate is of both columns together: `SUM(price * quantity)`.
        share: the part of this aggregate in the total, as SHARE (0 to 1) or PERCENT: over the groups, or, if there are
            none, of the rows that the conditions select in all rows.
        part: the unit of time that a date is cut to, such as 'month'; '' for the whole date.
    """

    column: int | None = None
    table: int | None = None
    aggregate: str = ""
    distinct: bool = False
    operator: str = ""
    right: Term | None = None
    share: str = ""
    part: str = ""

    @property
    def parts(self) -> tuple[Term, ...]:
        """The term itself, and the second term of its arithmetic."""
        return (self, self.right) if self.right else (self,)


@dataclass(frozen=True, slots=True)
class Predicate:
    """`term operator operands`; `joiner` connects it with the predicate before it; AND binds tighter than OR."""

    term: Term
    operator: str
    operands: tuple[Operand, ...] = ()
    joiner: Joiner = "AND"


@dataclass(frozen=True, slots=True)
class Period:
    """A date column lies in a span of time: SQL of its first moment, and of the first moment after it; '' if open."""

    column: int
    begin: str = ""
    end: str = ""


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
        per: the column for each of whose values `limit` rows are taken, or None.
        period: the condition on a date that the question's words of time set, or None.
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
    per: int | None = None
    period: Period | None = None
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
    terms += [order.term for order in query.order]
    terms += [Term(query.per)] if query.per is not None else []
    terms += [Term(query.period.column)] if query.period is not None else []
    return [part for term in terms for part in term.parts]
