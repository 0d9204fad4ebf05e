"""Finds queries that bind but make no sense."""

from __future__ import annotations

from .query_tree import Predicate, Query


def is_degenerate(query: Query) -> bool:
    """Whether a part has no effect: a set operation of equal halves, (NOT) IN all of the same column, a double test."""
    if query.right is not None and query.without_right() == query.right:
        return True
    predicates = [*query.where, *query.having]
    tests = {(one.term, one.operator, one.operands) for one in predicates}
    return len(tests) < len(predicates) or any(_is_empty(one) for one in predicates)


def _is_empty(predicate: Predicate) -> bool:
    queries = [operand for operand in predicate.operands if isinstance(operand, Query)]
    if any(is_degenerate(query) for query in queries):
        return True
    return predicate.operator in ("IN", "NOT_IN") and any(_covers(query, predicate.term.column) for query in queries)


def _covers(query: Query, column: int | None) -> bool:
    """Whether a query returns every value of a column."""
    bare = not (query.where or query.having or query.right or query.limit or query.using)
    return bare and query.items[0].column == column
