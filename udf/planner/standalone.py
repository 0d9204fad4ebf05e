"""The SELECTs of a statement as statements of their own, with the CTEs that they read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .statement_tree import Node, copy_tree, walk

WHOLE_SELECT: Node = {
    "modifiers": [], "group_expressions": [], "group_sets": [], "aggregate_handling": "STANDARD_HANDLING",
    "having": None, "sample": None, "qualify": None,
}  # fmt: skip
"""What a SELECT has that gives every row which passes its WHERE."""


def standalone(tree: Any, ctes: Sequence[Node] = ()) -> Iterator[tuple[Node, list[Node]]]:
    """Yield every SELECT in the tree with the CTEs in its sight. Some read columns of a query around them."""
    if isinstance(tree, list):
        for part in tree:
            yield from standalone(part, ctes)
    if not isinstance(tree, dict) or tree.get("type") == "RECURSIVE_CTE_NODE":
        return
    if "cte_map" in tree:
        for cte in tree["cte_map"]["map"]:
            yield from standalone(cte["value"]["query_node"], ctes)
            ctes = [*ctes, cte]
    if tree.get("type") == "SELECT_NODE":
        yield tree, list(ctes)
    yield from standalone([value for key, value in tree.items() if key != "cte_map"], ctes)


def rows_of(select: Node, ctes: Sequence[Node], statement: Node) -> Node:
    """Return the rows that pass a SELECT's WHERE, as a statement; its list holds only what may not be missing.

    Args:
        select: one of the statement's.
        ctes: those in its sight.
        statement: the tree of the whole statement.
    """
    rows = copy_tree({**select, **WHOLE_SELECT, "select_list": [], "cte_map": {"map": list(ctes)}})
    rows["select_list"] = dropped_parameters(statement, rows)
    return rows


def dropped_parameters(whole: Any, remaining: Any) -> list[Node]:
    """Return the parameters that only the parts left out name: DuckDB takes no value for one that is not there."""
    names = {node["identifier"] for node in walk(remaining) if node.get("class") == "PARAMETER"}
    found = {node["identifier"]: node for node in walk(whole) if node.get("class") == "PARAMETER"}
    return [{**copy_tree(node), "alias": f"quackllm_given_{name}"} for name, node in found.items() if name not in names]
