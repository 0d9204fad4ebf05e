"""Pushing down: a predicate on a subquery's rows that calls no model becomes a predicate inside the subquery."""

from __future__ import annotations

from typing import Any

from .parse_statement import ModelQuery
from .predicates import conjunction, conjuncts, contains_call
from .statement_tree import Node, column, contains_query, copy_tree, is_recursive, modifier, walk

BLOCKS_PUSHDOWN = ("group_expressions", "group_sets", "having", "qualify", "sample")
"""What a subquery may not have: with it, fewer rows inside would mean other rows outside."""
PLAIN_STAR = {"relation_name": "", "exclude_list": [], "replace_list": [], "columns": False, "expr": None}


def push_all_down(query: Node, reading: ModelQuery) -> None:
    """Push predicates down in every SELECT of a query, from the outermost on."""
    for node in walk(query):  # It goes on into what a SELECT has become.
        if node.get("type") == "SELECT_NODE":
            push_down(node, query, reading)


def push_down(select: Node, query: Node, reading: ModelQuery) -> None:
    """Copy such predicates of WHERE into the subquery or CTE that the SELECT reads, where they mean the same."""
    source = select["from_table"]
    inner = only_reader(source, query)
    if inner is None or not contains_call(inner, reading.is_call) or not keeps_rows(inner, reading):
        return
    name = source["alias"] or source.get("table_name", "")
    for part in conjuncts(select["where_clause"]):
        if not contains_call(part, reading.is_call) and not contains_query(part):
            moved = copy_tree(part)
            if rewrite_columns(moved, name, inner) and not contains_call(moved, reading.is_call):
                inner["where_clause"] = conjunction([*conjuncts(inner["where_clause"]), moved])


def only_reader(source: Node, query: Node) -> Node | None:
    """Return the SELECT that a source of the query is, if nobody else reads it."""
    if source.get("sample") or source.get("column_name_alias"):
        return None
    if source["type"] == "SUBQUERY":
        return _select(source["subquery"]["node"])
    if source["type"] != "BASE_TABLE" or source["schema_name"] or is_recursive(query):
        return None
    name = source["table_name"].lower()
    ctes = [cte for node in walk(query) for cte in node.get("cte_map", {}).get("map", ()) if cte["key"].lower() == name]
    readers = [node for node in walk(query) if node.get("type") == "BASE_TABLE" and node["table_name"].lower() == name]
    if len(ctes) != 1 or len(readers) != 1 or ctes[0]["value"]["aliases"]:
        return None
    return _select(ctes[0]["value"]["query_node"])


def _select(node: Node) -> Node | None:
    return node if node["type"] == "SELECT_NODE" else None


def keeps_rows(inner: Node, reading: ModelQuery) -> bool:
    """Whether the SELECT gives one row for each that it reads and that passes its WHERE."""
    if any(inner[name] for name in BLOCKS_PUSHDOWN) or inner["aggregate_handling"] != "STANDARD_HANDLING":
        return False
    if modifier(inner, "DISTINCT") or modifier(inner, "LIMIT"):
        return False
    return reading.is_row_by_row(inner["select_list"])


def rewrite_columns(part: Any, alias: str, inner: Node) -> bool:
    """Put the subquery's own columns in place of those outside; whether each of them is plainly its own."""
    if isinstance(part, list):
        return all(rewrite_columns(each, alias, inner) for each in part)
    if not isinstance(part, dict):
        return True
    if part.get("class") in ("LAMBDA", "STAR", "POSITIONAL_REFERENCE"):
        return False
    if part.get("class") != "COLUMN_REF":
        return all(rewrite_columns(value, alias, inner) for value in part.values())
    *table, name = part["column_names"]
    if len(table) > 1 or (table and table[0].lower() != alias.lower()):
        return False
    own = own_column(name, inner)
    if own is None or contains_query(own):
        return False
    shown_as = part["alias"]
    part.clear()
    part.update(own, alias=shown_as)
    return True


def own_column(name: str, inner: Node) -> Node | None:
    """Return what a SELECT shows under a name; None where that is not plain."""
    stars = [item for item in inner["select_list"] if item["class"] == "STAR"]
    shown = [item for item in inner["select_list"] if item not in stars and _shown_name(item) == name.lower()]
    if shown and not stars and len(shown) == 1:
        return {**copy_tree(shown[0]), "alias": ""}
    if len(stars) == 1 and not shown and all(stars[0].get(key) == value for key, value in PLAIN_STAR.items()):
        return column(name)
    return None


def _shown_name(item: Node) -> str:
    names = item.get("column_names") or [""]
    return str(item["alias"] or names[-1]).lower()
