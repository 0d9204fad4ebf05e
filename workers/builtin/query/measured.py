"""Writes the measures of a query (see `schema/measures.py`): added up where one row's measure means nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from ..schema.measures import Measure, is_sold
from ..schema.schema_index import SchemaIndex, column_kind
from .implied_tables import map_scopes
from .query_tree import LiteralValue, Order, Query, Term, terms_in

AVERAGE = re.compile(r"\b(?:average|mean|avg)\b|平均|均", re.IGNORECASE)
ONE = LiteralValue("1", number=True)


def with_totals(tree: Query, names: SchemaIndex, measure: Measure, question: str) -> Query:
    """Return the query with the measure added up where it is selected, or orders what many rows share.

    Args:
        tree: the query.
        names: of the schema, which has the measure.
        measure: the measure.
        question: its words; an average that it does not ask for is a sum.
    """
    column = names.find_column(measure.table, measure.name)
    assert column is not None, "the schema has its measure"

    def total(term: Term) -> Term:
        aggregates = ("",) if AVERAGE.search(question) else ("", "AVG")
        plain = term.column == column and term.aggregate in aggregates and not (term.right or term.share)
        return replace(term, aggregate="SUM") if plain else term

    def totalled(scope: Query) -> Query:
        items = tuple(map(total, scope.items))
        # What many rows share: columns of other tables, and texts, such as the name of an item in a table of sales.
        others = any(
            names.table_of[item.column] != names.table_of[column] or column_kind(names.columns[item.column]) == "text"
            for item in items
            if item.column is not None
        )
        if others and _is_greatest(scope, column):
            return replace(scope, items=items, where=(), order=(Order(Term(column, aggregate="SUM"), True),), limit=ONE)
        if others:
            return replace(scope, items=items, order=tuple(replace(one, term=total(one.term)) for one in scope.order))
        return replace(scope, items=items)

    return map_scopes(tree, totalled)


def _is_greatest(scope: Query, column: int) -> bool:
    """Whether a scope's only condition is that one row's measure is the greatest."""
    if len(scope.where) != 1 or scope.order or scope.limit:
        return False
    test = scope.where[0]
    inner = test.operands[0] if test.operands else None
    greatest = isinstance(inner, Query) and inner.items == (Term(column, aggregate="MAX"),) and not inner.where
    return test.term == Term(column) and test.operator == "=" and greatest


def ranked_by_totals(tree: Query, names: SchemaIndex, question: str) -> Query:
    """Return the query with what was sold added up where it ranks what many rows of a table share.

    "Which shop had the highest revenue", where each row is an order with the shop's name and a revenue: the shop with
    the greatest sum, not the one with the greatest order.

    Args:
        tree: the query.
        names: of the schema.
        question: its words; an average that it asks for is not a sum.
    """

    def ranked(scope: Query) -> Query:
        columns = [one.term.column for one in scope.order]
        if not scope.limit or len(columns) != 1 or columns[0] is None or scope.order[0].term != Term(columns[0]):
            return scope
        column = columns[0]
        others = [item for item in scope.items if item != Term(column)]
        shared = others and all(item.column is not None and _is_shared(names, item.column, column) for item in others)
        if not shared or not is_sold(names, column):
            return scope
        total = Term(column, aggregate="SUM")
        items = tuple(total if item == Term(column) else item for item in scope.items)
        return replace(scope, items=items, order=(replace(scope.order[0], term=total),))

    return tree if AVERAGE.search(question) else map_scopes(tree, ranked)


def _is_shared(names: SchemaIndex, column: int, ranking: int) -> bool:
    """Whether a column is a text, and no key, in the table of another."""
    same_table = names.table_of[column] == names.table_of[ranking]
    return same_table and column_kind(names.columns[column]) == "text" and not names.is_key(column)


def multiplied_out(tree: Query, names: SchemaIndex, measure: Measure) -> Query | None:
    """Return the query with the measure's factors in its place; None where they do not fit."""
    column = names.find_column(measure.table, measure.name)
    first, *second = [names.find_column(table, name) for table, name in measure.factors]
    fits = True

    def product(term: Term) -> Term:
        nonlocal fits
        if not any(part.column == column for part in term.parts):
            return term
        fits = fits and (not second or term.right is None) and term.aggregate != "COUNT"
        if not second:
            return replace(term, column=first if term.column == column else term.column)
        return replace(term, column=first, operator="*", right=Term(second[0]))

    changed = map_scopes(tree, lambda scope: _with_terms(scope, product))
    left = any(term.column == column for term in terms_in(changed))
    return changed if fits and not left else None


def _with_terms(scope: Query, change: Callable[[Term], Term]) -> Query:
    """Return a scope with its selected, compared and ordering terms changed."""
    return replace(
        scope,
        items=tuple(map(change, scope.items)),
        where=tuple(replace(one, term=change(one.term)) for one in scope.where),
        having=tuple(replace(one, term=change(one.term)) for one in scope.having),
        order=tuple(replace(one, term=change(one.term)) for one in scope.order),
    )
