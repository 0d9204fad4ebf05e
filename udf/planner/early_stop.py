"""Early stops: SELECTs in a statement of which a few rows decide: EXISTS, a count that is compared, a LIMIT inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .limit_batches import integer_value, limit_clause
from .parse_statement import ModelQuery
from .predicates import contains_call
from .standalone import dropped_parameters, standalone
from .statement_tree import Node, constant, is_function, modifier, selects, walk

COMPARISONS = frozenset({
    "COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_LESSTHAN", "COMPARE_GREATERTHAN", "COMPARE_LESSTHANOREQUALTO",
    "COMPARE_GREATERTHANOREQUALTO",
})  # fmt: skip
DECIDED_AT_NUMBER = frozenset({
    ("left", "COMPARE_GREATERTHANOREQUALTO"), ("left", "COMPARE_LESSTHAN"),
    ("right", "COMPARE_LESSTHANOREQUALTO"), ("right", "COMPARE_GREATERTHAN"),
})  # fmt: skip
"""Where the count stands, and the comparisons that as many rows as the number decide; others need one row more."""


def early_stops(reading: ModelQuery, arguments: Any) -> list[tuple[int, Node]]:
    """Return the SELECTs of which a few rows decide, each after those inside of it.

    Args:
        reading: the statement.
        arguments: its parameters' values.

    Returns:
        the number of each among the SELECTs that `standalone` yields, and the SELECT, with a LIMIT, of the rows that
        decide, as a statement of its own; it may read columns of a query around it, and then it cannot be run.
    """
    found, limits = [], dict(_limits(reading.tree, arguments))
    for place, (select, ctes) in enumerate(standalone(reading.tree)):
        is_inside = select is not reading.tree
        if (limit := limits.get(id(select)) or (is_inside and modifier(select, "LIMIT"))) and contains_call(
            [select["where_clause"], select["from_table"], ctes], reading.is_call
        ):
            rows = {**select, "cte_map": {"map": list(ctes)}}
            if limit not in select["modifiers"]:
                rows |= {"select_list": [constant(1)], "modifiers": [limit]}
            rows["select_list"] = [*rows["select_list"], *dropped_parameters(reading.tree, rows)]
            found.append((place, rows))
    return sorted(found, key=lambda each: len(selects(each[1])))


def _limits(tree: Node, arguments: Any) -> Iterator[tuple[int, Node]]:
    """Yield the identity of each SELECT that EXISTS or a comparison reads, and the LIMIT that decides it."""
    for node in walk(tree):
        if node.get("subquery_type") == "EXISTS" and not node["subquery"]["node"]["modifiers"]:
            yield id(node["subquery"]["node"]), limit_clause(1)
        for count, rows in _compared(node, arguments):
            query = count["subquery"]["node"] if count.get("subquery_type") == "SCALAR" else None
            if query and query["type"] == "SELECT_NODE" and not query["modifiers"] and _counts(query["select_list"]):
                yield id(query), limit_clause(rows)
    if tree["type"] == "SELECT_NODE" and not tree["modifiers"] and len(tree["select_list"]) == 1:
        for count, rows in _compared(tree["select_list"][0], arguments):
            if _counts([count]):
                yield id(tree), limit_clause(rows)


def _compared(node: Node, arguments: Any) -> Iterator[tuple[Node, int]]:
    """Yield what a comparison compares with a number, and how many rows decide it if it is a count."""
    if node.get("type") in COMPARISONS:
        for side, other in (("left", "right"), ("right", "left")):
            if (number := integer_value(node[other], arguments)) is not None:
                yield node[side], number + ((side, node["type"]) not in DECIDED_AT_NUMBER)


def _counts(items: Sequence[Node]) -> bool:
    """Whether the list of a SELECT is `count(*)`."""
    return (
        len(items) == 1
        and is_function(items[0])
        and items[0]["function_name"] == "count_star"
        and not items[0]["filter"]
    )
