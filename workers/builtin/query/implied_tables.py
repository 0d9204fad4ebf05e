"""Drops tables from a query's `using` that its other parts already imply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..schema.schema_index import SchemaIndex, join_tree
from .query_tree import Operand, Predicate, Query, Term, terms_in


def drop_implied_tables(tree: Query, names: SchemaIndex) -> Query:
    """Return the query with only the tables named that its joins need, in every scope."""
    return map_scopes(tree, lambda scope: _short_scope(scope, names))


def map_scopes(tree: Query, change: Callable[[Query], Query]) -> Query:
    """Return the query with `change` applied to it, to its subqueries and to the other side of its set operation."""

    def inside(predicates: tuple[Predicate, ...]) -> tuple[Predicate, ...]:
        return tuple(replace(one, operands=tuple(_mapped(operand) for operand in one.operands)) for one in predicates)

    def _mapped(operand: Operand) -> Operand:
        return map_scopes(operand, change) if isinstance(operand, Query) else operand

    changed = change(replace(tree, where=inside(tree.where), having=inside(tree.having)))
    return replace(changed, right=map_scopes(tree.right, change)) if tree.right else changed


def _short_scope(scope: Query, names: SchemaIndex) -> Query:
    every = [term.table for term in scope.using if term.table is not None]
    kept: tuple[Term, ...] = tuple(term for term in scope.using if term.column is not None)
    through = [term.column for term in kept if term.column is not None]
    while True:
        short = replace(scope, using=kept)
        needed = [table_for(term, names) for term in terms_in(short)]
        tree = join_tree(names, needed, through) if needed else []
        reached = {table for table, _ in tree or []}
        missing = [table for table in every if table not in reached]
        if tree is None or not missing:
            return short if tree is not None else scope
        kept += (Term(table=missing[0]),)


def table_for(term: Term, names: SchemaIndex) -> int:
    """Return the number of the table that a term reads."""
    if term.column is not None:
        return names.table_of[term.column]
    assert term.table is not None
    return term.table
