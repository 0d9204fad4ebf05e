"""Conditions: the parts of WHERE, ON and HAVING, and which of them ask a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from sqlglot import exp

IsCall = Callable[[exp.Expr], bool]
"""Whether a node of the tree is a model call."""


def conjuncts(condition: exp.Expr | None) -> list[exp.Expr]:
    """Return the conditions that AND holds together."""
    if condition is None:
        return []
    return list(condition.flatten()) if isinstance(condition, exp.And) else [condition]


def conjunction(parts: Sequence[exp.Expr]) -> exp.Expr:
    """Return the conditions held together by AND; there is at least one."""
    return reduce(lambda left, right: exp.And(this=left, expression=right), (_wrapped(part) for part in parts))


def contains_call(part: exp.Expr, is_call: IsCall) -> bool:
    """Whether there is a model call in it, at any depth."""
    return any(is_call(node) for node in part.walk())


def split_predicates(select: exp.Select, clause: str, is_call: IsCall) -> tuple[list[exp.Expr], list[exp.Expr]]:
    """Return the conditions of WHERE or HAVING that are native, and those that ask."""
    named = call_aliases(select, is_call)
    native: list[exp.Expr] = []
    asking: list[exp.Expr] = []
    for part in conjuncts(select.args[clause].this):
        (asking if contains_call(part, is_call) or references_any(part, named) else native).append(part)
    return native, asking


def call_aliases(tree: exp.Expr, is_call: IsCall) -> frozenset[str]:
    """Return the names that the whole statement gives to what asks a model: WHERE knows those of its own SELECT too."""
    items = (item for select in tree.root().find_all(exp.Select) for item in select.expressions)
    return frozenset(item.alias.lower() for item in items if item.alias and contains_call(item, is_call))


def references_any(part: exp.Expr, names: frozenset[str]) -> bool:
    """Whether the condition has a column of one of these names."""
    return any(column.name.lower() in names for column in part.find_all(exp.Column))


def has_positional_parameter(tree: exp.Expr) -> bool:
    """Whether there is a `?` among the parameters: one that stood twice would take two values."""
    return any(not holder.this for holder in tree.find_all(exp.Placeholder))


def _wrapped(part: exp.Expr) -> exp.Expr:
    return exp.Paren(this=part.copy()) if isinstance(part, exp.Or) else part.copy()
