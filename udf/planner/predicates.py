"""Predicates: the parts of WHERE, ON and HAVING, and which of them call a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .statement_tree import Node, copy_tree, selects, walk

IsCall = Callable[[Node], bool]
"""Whether a node of the tree is a model call."""


def conjuncts(condition: Node | None) -> list[Node]:
    """Return the predicates that AND holds together."""
    if condition is None:
        return []
    if condition["type"] != "CONJUNCTION_AND":
        return [condition]
    return [part for child in condition["children"] for part in conjuncts(child)]


def conjunction(parts: Sequence[Node]) -> Node:
    """Return the predicates held together by AND; there is at least one."""
    if len(parts) == 1:
        return copy_tree(parts[0])
    return {"class": "CONJUNCTION", "type": "CONJUNCTION_AND", "alias": "", "children": copy_tree(list(parts))}


def contains_call(part: Any, is_call: IsCall) -> bool:
    """Whether there is a model call in it, at any depth."""
    return any(is_call(node) for node in walk(part))


def split_predicates(condition: Node | None, names: frozenset[str], is_call: IsCall) -> tuple[list[Node], list[Node]]:
    """Return the predicates that call no model, and those that do, by themselves or by one of these aliases."""
    native: list[Node] = []
    calling: list[Node] = []
    for part in conjuncts(condition):
        (calling if contains_call(part, is_call) or references_any(part, names) else native).append(part)
    return native, calling


def call_aliases(tree: Node, is_call: IsCall) -> frozenset[str]:
    """Return the aliases of what calls a model, in all its SELECTs: WHERE knows those of its own SELECT too."""
    items = (item for select in selects(tree) for item in select["select_list"])
    return frozenset(item["alias"].lower() for item in items if item["alias"] and contains_call(item, is_call))


def references_any(part: Any, names: frozenset[str]) -> bool:
    """Whether there is a column of one of these names in it."""
    return any(not names.isdisjoint(map(str.lower, node.get("column_names", ()))) for node in walk(part))
