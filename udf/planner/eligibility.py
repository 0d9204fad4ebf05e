"""Eligibility: why a statement may not be run ahead, because a second run of it might see other rows."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import duckdb

from ..raw_sql import execute_raw
from ..session.definitions import Definitions
from ..session.session import Session
from .builtin_functions import builtin_functions
from .parse_statement import ModelQuery
from .predicates import contains_call, references_any
from .python_sources import count_repeatable
from .statement_tree import Node, constant, is_function, modifier, tree_sql, walk

SELF_CHANGING = frozenset({
    "llm_calls", "llm_usage", "llm_models", "llm_forget", "ai_accuracy", "current_query", "current_query_id", "error",
})  # fmt: skip
"""Those whose value another run of the same statement, or of a rewritten one, would change; and what only fails."""

NAMED = (
    "SELECT 1 FROM (SELECT table_name AS name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views()) "
    "WHERE lower(name) = lower($1) LIMIT 1"
)
SAMPLED = re.compile(r"\b(using\s+sample|tablesample)\b")
PIPES = ("/dev/stdin", "/dev/fd/")
READ_ONCE = "ARROW"
"""In the names of the operators that read Arrow readers, tables and datasets alike."""
CALLED = re.compile(r"(\w+)\s*\(")


def ineligible_reason(
    connection: duckdb.DuckDBPyConnection, reading: ModelQuery, definitions: Definitions
) -> str | None:
    """Return why the statement may not be run ahead; None where it may."""
    volatile = definitions.volatile | builtin_functions(connection).volatile | SELF_CHANGING
    text = definitions.included(reading.text)
    if found := volatile.intersection(CALLED.findall(text)):
        return f"{min(found)}() gives another value each time"
    if SAMPLED.search(text):
        return "a sample has other rows each time"
    if any(pipe in reading.text for pipe in PIPES):
        return "a pipe can be read once"
    if reading.target and _exists(connection, reading.target):
        return f"{reading.target} exists"
    return None


def without_volatile_items(connection: duckdb.DuckDBPyConnection, reading: ModelQuery) -> ModelQuery:
    """Return the statement without those of its result's columns that are another value each time, such as random().

    Only a column that nothing else in the statement reads, and that calls no model.
    """
    volatile, select = builtin_functions(connection).volatile, reading.tree
    if volatile.isdisjoint(CALLED.findall(reading.text.lower())) or not _has_free_items(select):
        return reading
    others = {key: value for key, value in select.items() if key != "select_list"}
    items = []
    for item in select["select_list"]:
        rest = [others, *(each for each in select["select_list"] if each is not item)]
        is_free = (
            any(is_function(node) and node["function_name"].lower() in volatile for node in walk(item))
            and reading.is_row_by_row(item)
            and not contains_call(item, reading.is_call)
            and not any(node.get("class") in ("PARAMETER", "SUBQUERY") for node in walk(item))
            and not references_any(rest, frozenset({item["alias"].lower()}))
        )
        items.append({**constant(None), "alias": item["alias"]} if is_free else item)
    tree = {**select, "select_list": items}
    return reading if items == select["select_list"] else replace(reading, tree=tree, text=tree_sql(connection, tree))


def _has_free_items(select: Node) -> bool:
    """Whether no row of a SELECT depends on the values of its list, unless by name."""
    if select["type"] != "SELECT_NODE" or modifier(select, "DISTINCT") or select["group_expressions"]:
        return False
    order = modifier(select, "ORDER")
    return all(each["expression"]["class"] not in ("CONSTANT", "STAR") for each in (order["orders"] if order else []))


def unrepeatable_source(
    connection: duckdb.DuckDBPyConnection, reading: ModelQuery, values: Any, session: Session
) -> str | None:
    """Return what in DuckDB's plan of the SELECT gives other rows in a second run; None where nothing does."""
    sql = reading.text
    plans = [json.loads(text) for _, text in execute_raw(connection, f"EXPLAIN (FORMAT json) {sql}", values)]
    operators = [operator for plan in plans for part in plan for operator in _operators(part)]
    arrow = sum(READ_ONCE in operator["name"] for operator in operators)
    stored = {operator.get("extra_info", {}).get("Table", "").rpartition(".")[2].lower() for operator in operators}
    if arrow and arrow > count_repeatable(reading.tree, stored, session):
        return "it reads a source that can be read once only"
    # A macro of the user's may have the name of a function of DuckDB's: the plan says what it is.
    called = CALLED.findall(json.dumps([operator.get("extra_info") for operator in operators]))
    found = builtin_functions(connection).volatile.intersection(called)
    return f"{min(found)}() gives another value each time" if found else None


def _operators(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(operator for child in plan["children"] for operator in _operators(child))]


def _exists(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    return bool(execute_raw(connection, NAMED, [name]))
