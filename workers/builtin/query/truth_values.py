"""Truth values in a query: "not returned" is false in a column of truth values, where the network may write IS NULL."""

from __future__ import annotations

import re
from dataclasses import replace

from ..schema.schema_index import SchemaIndex, column_kind
from .implied_tables import map_scopes
from .query_tree import LiteralValue, Predicate, Query, Term

NEGATION = re.compile(
    r"\b(not|no|never|yet to|without|isn't|aren't|wasn't|weren't|hasn't|haven't)\b|没|未|不|尚|无", re.I
)
UNKNOWN = re.compile(r"\b(null|missing|unknown|empty|blank|unset|no value)\b|空值?|缺|未知|为空", re.I)


def with_truth_values(tree: Query, names: SchemaIndex, question: str) -> Query:
    """Return the query with `= true` and `= false` for NULL tests of columns of truth values, and for counts of them.

    A question that says "missing" or the like means NULL. "How many are returned?" counts rows, not truth values.

    Args:
        tree: the query.
        names: of the schema.
        question: whose negation decides between the two.
    """
    if UNKNOWN.search(question):
        return tree
    value = LiteralValue("0" if NEGATION.search(question) else "1", number=True)

    def valued(predicate: Predicate) -> Predicate:
        term = predicate.term
        if predicate.operator not in ("IS_NULL", "NOT_NULL") or term.column is None or term.aggregate:
            return predicate
        if column_kind(names.columns[term.column]) == "boolean":
            return replace(predicate, operator="=", operands=(value,))
        return predicate

    def counted(scope: Query) -> Query:
        scope = replace(scope, where=tuple(map(valued, scope.where)))
        item = scope.items[0]
        if len(scope.items) > 1 or item.aggregate != "COUNT" or item.column is None or scope.group or scope.right:
            return scope
        if column_kind(names.columns[item.column]) != "boolean":
            return scope
        test = Predicate(Term(item.column), "=", (value,))
        return replace(
            scope, items=(Term(table=names.table_of[item.column], aggregate="COUNT"),), where=(*scope.where, test)
        )

    return map_scopes(tree, counted)
