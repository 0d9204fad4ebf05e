"""Reductions: a subquery that calls models is evaluated only for rows that the rest of its query can match.

`x IN (SELECT y FROM t WHERE model)` becomes `x IN (SELECT y FROM t WHERE y IN (SELECT x …) AND model)`: a semi-join
reduction (Bernstein and Chiu, "Using Semi-Joins to Solve Relational Queries", JACM 1981). A subquery that is joined is
reduced in the same way by the other side of the join; the second one also by what models say of the first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .guards import find_joins, source_name
from .parse_statement import ModelQuery
from .predicates import conjunction, conjuncts, contains_call
from .pushdown import keeps_rows, own_column
from .runner import Runner
from .standalone import dropped_parameters
from .statement_tree import ALL_COLUMNS, Node, column, constant, contains_query, copy_tree, selects, walk

MATCHES_BOTH = ("INNER", "SEMI")


def reduce_subqueries(reading: ModelQuery, runner: Runner) -> ModelQuery:
    """Return the statement with such conditions in its subqueries; it gives the same rows.

    Args:
        reading: the statement.
        runner: knows which columns a source has.
    """
    tree = copy_tree(reading.tree)
    for select in selects(tree):
        for condition in conjuncts(select["where_clause"]):
            if condition.get("subquery_type") == "ANY" and condition["comparison_type"] == "COMPARE_EQUAL":
                _reduce_in(condition, select, reading)
        for join in find_joins(select["from_table"]):
            for key in _keys(join):
                _reduce_join(join, "right", "left", key, select, reading, runner)
                _reduce_join(join, "left", "right", key, select, reading, runner)
    return replace(reading, tree=tree)


def _reduce_in(condition: Node, select: Node, reading: ModelQuery) -> None:
    """Let `x IN (SELECT y …)` call models only for a y that is an x of the rows which the other conditions leave."""
    inner, sought = condition["subquery"]["node"], condition["child"]
    if contains_call([select["from_table"], sought], reading.is_call) or contains_query(sought):
        return
    if not _is_reducible(inner, reading) or len(inner["select_list"]) != 1:
        return
    native = [
        part
        for part in conjuncts(select["where_clause"])
        if not contains_call(part, reading.is_call) and not contains_query(part)
    ]
    item = inner["select_list"][0]
    if item["class"] != "STAR" and not contains_call(item, reading.is_call):
        _add(inner, item, _values(sought, select["from_table"], native))


def _reduce_join(
    join: Node, side: str, other: str, key: str, select: Node, reading: ModelQuery, runner: Runner
) -> None:
    """Let the subquery on one side of a join call models only for the keys of the other side."""
    source, matched = join[side], copy_tree(join[other])
    inner = source["subquery"]["node"] if source["type"] == "SUBQUERY" and not source["column_name_alias"] else None
    if inner is None or not _is_reducible(inner, reading) or matched["type"] == "JOIN":
        return
    own = own_column(key, inner)
    if own is None or contains_query(own) or contains_call(own, reading.is_call):
        return
    if side == "right":  # It goes first: what models say of the left side is not known yet.
        for query in selects(matched):
            kept = [part for part in conjuncts(query["where_clause"]) if not contains_call(part, reading.is_call)]
            query["where_clause"] = conjunction(kept) if kept else None
        if contains_call(matched, reading.is_call):
            return
    native = [part for part in conjuncts(select["where_clause"]) if _reads_only(part, matched, reading, runner)]
    _add(inner, own, _values(column(key), matched, native))


def _keys(join: Node) -> list[str]:
    """Return the columns that both sides of a join have, and in which they must be equal."""
    is_plain = join["ref_type"] == "REGULAR" and join["join_type"] in MATCHES_BOTH
    names = list(join["using_columns"]) if is_plain else []
    for part in conjuncts(join["condition"]) if is_plain else []:
        if part["type"] == "COMPARE_EQUAL":
            paths = [part[side].get("column_names", []) for side in ("left", "right")]
            if all(len(path) == 2 for path in paths) and paths[0][1].lower() == paths[1][1].lower():
                sides = {path[0].lower() for path in paths}
                if sides == {source_name(join["left"]).lower(), source_name(join["right"]).lower()}:
                    names.append(paths[0][1])
    return names[:1]


def _is_reducible(inner: Node, reading: ModelQuery) -> bool:
    """Whether a subquery calls models, and may give fewer rows without giving others."""
    is_plain = inner["type"] == "SELECT_NODE" and not inner["modifiers"]
    return is_plain and contains_call(inner, reading.is_call) and keeps_rows(inner, reading)


def _reads_only(part: Node, source: Node, reading: ModelQuery, runner: Runner) -> bool:
    """Whether a condition reads columns of this source only: it says so, or DuckDB finds no other that it needs."""
    paths = [node["column_names"] for node in walk(part) if node.get("class") == "COLUMN_REF"]
    if not paths or contains_call(part, reading.is_call) or contains_query(part):
        return False
    if all(len(path) == 2 and path[0].lower() == source_name(source).lower() for path in paths):
        return True
    # A column that the other side had too would be ambiguous in the statement.
    alone = _values(constant(True), source, [part])
    alone["select_list"] += dropped_parameters(reading.tree, alone)
    return runner.binds(replace(reading, tree=alone))


def _values(value: Node, source: Node, native: list[Node]) -> Node:
    """Return `SELECT value FROM source WHERE native`."""
    where = conjunction(native) if native else None
    return copy_tree({**ALL_COLUMNS, "select_list": [value], "from_table": source, "where_clause": where})


def _add(inner: Node, value: Node, values: Node) -> None:
    """Add `value IN (values)` to the conditions of a subquery, before those that wait for it."""
    found: dict[str, Any] = {"node": values, "named_param_map": []}
    condition = {"class": "SUBQUERY", "type": "SUBQUERY", "alias": "", "subquery_type": "ANY", "subquery": found}
    condition |= {"child": {**copy_tree(value), "alias": ""}, "comparison_type": "COMPARE_EQUAL"}
    inner["where_clause"] = conjunction([condition, *conjuncts(inner["where_clause"])])
