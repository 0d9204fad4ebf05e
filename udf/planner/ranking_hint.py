"""The hint on `ORDER BY ai_score(…) LIMIT k`: every row is scored, where a ranking of the list needs fewer calls."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from .statement_tree import Node, is_function, modifier, selects, walk, without_locations

TOP_HINT = "every row is scored; ai_top(list(input), k, criteria) finds the best k in fewer calls"


def ranking_hint(tree: Node, call: Node | None) -> str | None:
    """Return what to type in place of a score by which the rows are only ranked; None for any other call.

    Args:
        tree: the statement.
        call: one of its calls; None where the statement does not name it.
    """
    if call is None or call["function_name"].lower() != "ai_score":
        return None
    ranks = chain.from_iterable(map(_ranks, selects(tree)))
    return TOP_HINT if any(_is_alike(call, node) for rank in ranks for node in walk(rank)) else None


def _ranks(select: Node) -> Iterator[Node]:
    """Yield the expressions by which a SELECT ranks its rows to return some of them."""
    windows = [node for node in walk(select["qualify"]) if node.get("class") == "WINDOW"]
    ordered = [modifier(select, "ORDER")] if modifier(select, "LIMIT") else []
    for part in filter(None, [*windows, *ordered]):
        for order in part["orders"]:
            yield _selected(order["expression"], select["select_list"])


def _selected(expression: Node, items: list[Node]) -> Node:
    """Return the item of the select list that an ORDER BY names, by its alias or its number; else the expression."""
    if expression["class"] == "COLUMN_REF":
        name = expression["column_names"][-1].lower()
        return next((item for item in items if item["alias"].lower() == name), expression)
    number = expression["literal"]["text"] if expression["class"] == "CONSTANT" else ""
    return items[int(number) - 1] if number.isdecimal() and 0 < int(number) <= len(items) else expression


def _is_alike(call: Node, node: Node) -> bool:
    return is_function(node) and {**without_locations(call), "alias": ""} == {**without_locations(node), "alias": ""}
