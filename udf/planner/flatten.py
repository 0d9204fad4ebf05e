"""Flattening: a SELECT over one subquery or CTE that only computes columns becomes one SELECT, for LIMIT batches."""

from __future__ import annotations

from dataclasses import replace

from .parse_statement import ModelQuery
from .predicates import conjunction, conjuncts
from .pushdown import keeps_rows, only_reader, rewrite_columns
from .statement_tree import Node, contains_query, copy_tree


def flatten(reading: ModelQuery) -> ModelQuery:
    """Return the statement with what its outermost SELECT reads put into it, as far as that means the same."""
    while (flat := _one_level(reading)) is not None:
        reading = replace(reading, tree=flat)
    return reading


def _one_level(reading: ModelQuery) -> Node | None:
    select = copy_tree(reading.tree)
    if select["type"] != "SELECT_NODE" or select["qualify"] or select["having"]:
        return None
    source = select["from_table"]
    inner = only_reader(source, select)
    if inner is None or inner["modifiers"] or inner["cte_map"]["map"] or not keeps_rows(inner, reading):
        return None
    parts = [select["select_list"], select["where_clause"], select["group_expressions"], select["modifiers"]]
    for item in select["select_list"]:
        if item["class"] == "COLUMN_REF":
            item["alias"] = item["alias"] or item["column_names"][-1]
    if contains_query(parts) or not rewrite_columns(parts, source["alias"] or source.get("table_name", ""), inner):
        return None
    where = [*conjuncts(inner["where_clause"]), *conjuncts(select["where_clause"])]
    select["where_clause"] = conjunction(where) if where else None
    select["from_table"] = inner["from_table"]
    return select
