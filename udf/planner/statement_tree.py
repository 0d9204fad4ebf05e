"""DuckDB's own tree of a SELECT, as `json_serialize_sql` gives it, and the nodes that the planner adds to it."""

from __future__ import annotations

import json
import marshal
from collections.abc import Iterator
from typing import Any, TypeAlias, TypeVar

import duckdb
import msgspec

from ..raw_sql import execute_raw

Node: TypeAlias = dict[str, Any]
_T = TypeVar("_T")

QUERY_TYPES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})

VALUES_ALIAS = "valueslist"
"""DuckDB's own alias of VALUES."""
ALL_COLUMNS: Node = {
    **{"type": "SELECT_NODE", "modifiers": [], "cte_map": {"map": []}, "from_table": None, "where_clause": None},
    **{"group_expressions": [], "group_sets": [], "aggregate_handling": "STANDARD_HANDLING", "having": None},
    **{"sample": None, "qualify": None},
    "select_list": [{
        **{"class": "STAR", "type": "STAR", "alias": "", "relation_name": "", "exclude_list": [], "replace_list": []},
        **{"columns": False, "expr": None, "qualified_exclude_list": [], "rename_list": []},
    }],
}  # fmt: skip
"""`SELECT *` without its FROM and without locations."""


MAX_REMEMBERED, MAX_CHARACTERS = 256, 10_000
_SERIALIZED: dict[str, str] = {}
"""Trees by the text of their SELECT: an application runs the same statements again and again."""
_WRITTEN_AS_READ: dict[str, bool] = {}


def parse_tree(connection: duckdb.DuckDBPyConnection, sql: str) -> Node | None:
    """Return the query of a SELECT; None where the text is no SELECT, or one that DuckDB cannot serialize (PIVOT)."""
    if (text := _SERIALIZED.get(sql)) is None:
        ((text,),) = execute_raw(connection, "SELECT json_serialize_sql($1::VARCHAR)", [sql])
        _remember(_SERIALIZED, sql, text)
    tree = msgspec.json.decode(text)
    if tree["error"] or len(tree["statements"]) != 1:
        return None
    query: Node = tree["statements"][0]["node"]
    return query


def tree_sql(connection: duckdb.DuckDBPyConnection, query: Node) -> str:
    """Return the tree as SQL; a `?` becomes `$1`, `$2` and so on.

    Raises:
        duckdb.Error: DuckDB cannot write it.
    """
    tree = {"error": False, "statements": [{"node": query, "named_param_map": []}]}
    ((sql,),) = execute_raw(connection, "SELECT json_deserialize_sql($1::JSON)", [json.dumps(tree)])
    return str(sql)


def is_faithful(connection: duckdb.DuckDBPyConnection, query: Node, sql: str) -> bool:
    """Whether DuckDB reads the SQL that it writes for a tree as the same tree.

    Args:
        connection: whose DuckDB.
        query: the tree.
        sql: what it was read from.
    """
    if (found := _WRITTEN_AS_READ.get(sql)) is None:
        again = parse_tree(connection, tree_sql(connection, query))
        found = bool(_with_bare_values(without_locations(again)) == _with_bare_values(without_locations(query)))
        _remember(_WRITTEN_AS_READ, sql, found)
    return found


def _remember(memory: dict[str, Any], sql: str, value: Any) -> None:
    if len(sql) <= MAX_CHARACTERS:
        if len(memory) >= MAX_REMEMBERED:
            memory.clear()
        memory[sql] = value


def copy_tree(tree: _T) -> _T:
    """Return a deep copy, ten times as fast as `copy.deepcopy`: a tree is made of dicts, lists and plain values."""
    plain: Any = tree
    copy: _T = marshal.loads(marshal.dumps(plain))
    return copy


def _with_bare_values(tree: Any) -> Any:
    """Return the tree with VALUES in place of `(SELECT * FROM (VALUES …))`: DuckDB writes it with one SELECT more."""
    if isinstance(tree, list):
        return [_with_bare_values(part) for part in tree]
    if not isinstance(tree, dict):
        return tree
    if tree.get("type") == "SUBQUERY" and tree.get("alias") == VALUES_ALIAS and not tree["column_name_alias"]:
        query = tree["subquery"]["node"]
        if query["from_table"]["type"] == "EXPRESSION_LIST" and {**query, "from_table": None} == ALL_COLUMNS:
            return query["from_table"]
    return {key: _with_bare_values(value) for key, value in tree.items()}


def without_locations(tree: Any) -> Any:
    """Return the tree without where in the text each part of it stands."""
    if isinstance(tree, dict):
        return {key: without_locations(value) for key, value in tree.items() if not key.startswith("query_location")}
    return [without_locations(part) for part in tree] if isinstance(tree, list) else tree


def walk(tree: Any) -> Iterator[Node]:
    """Yield every node, each before those inside of it."""
    stack = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            yield part
            stack.extend([value for value in reversed(part.values()) if isinstance(value, (dict, list))])
        elif isinstance(part, list):
            stack.extend(reversed(part))


def selects(tree: Any) -> list[Node]:
    """Return every SELECT in the tree, the outermost first."""
    return [node for node in walk(tree) if node.get("type") == "SELECT_NODE"]


def nodes_named(tree: Any, names: frozenset[str]) -> Iterator[Node]:
    """Yield the tables and the calls of functions that have one of these names; a CTE hides a table."""
    ctes = {cte["key"].lower() for node in walk(tree) for cte in node.get("cte_map", {}).get("map", ())}
    for node in walk(tree):
        name = node.get("function_name") if is_function(node) else node.get("table_name")
        if name and name.lower() in (names if is_function(node) else names - ctes):
            yield node


def contains_query(tree: Any) -> bool:
    """Whether there is a subquery in it."""
    return any(node.get("type") in QUERY_TYPES for node in walk(tree))


def is_recursive(tree: Any) -> bool:
    """Whether there is a recursive CTE in it."""
    return any(node.get("type") == "RECURSIVE_CTE_NODE" for node in walk(tree))


def is_function(node: Node) -> bool:
    """Whether the node calls a function."""
    return node.get("class") == "FUNCTION"


def modifier(select: Node, modifier_type: str) -> Node | None:
    """Return the LIMIT, ORDER or DISTINCT of a query; None where it has none."""
    return next((found for found in select["modifiers"] if found["type"] == f"{modifier_type}_MODIFIER"), None)


def column(*path: str) -> Node:
    """Return a reference to a column."""
    return {"class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "", "column_names": list(path)}


def constant(value: str | int | bool | None) -> Node:
    """Return a literal."""
    literal_types = {str: "STRING", int: "INTEGER", bool: "BOOLEAN", type(None): "NULL_LITERAL"}
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    literal = {"kind": literal_types[type(value)], "text": text}
    return {"class": "CONSTANT", "type": "VALUE_CONSTANT", "alias": "", "literal": literal}


def function(name: str, *arguments: Node, alias: str = "") -> Node:
    """Return a call of a function."""
    return {
        **{"class": "FUNCTION", "type": "FUNCTION", "alias": alias, "function_name": name, "schema": "", "catalog": ""},
        **{"filter": None, "order_bys": {"type": "ORDER_MODIFIER", "orders": []}, "distinct": False},
        **{"is_operator": False, "export_state": False, "qualified_name": {"path": [name]}},
        "arguments": [{"name": "", "expression": argument} for argument in arguments],
    }


def comparison(operator: str, left: Node, right: Node) -> Node:
    """Return a comparison, `EQUAL` or `NOTEQUAL`."""
    return {"class": "COMPARISON", "type": f"COMPARE_{operator}", "alias": "", "left": left, "right": right}


def case_when(condition: Node, result: Node) -> Node:
    """Return `CASE WHEN condition THEN result END`."""
    checks = [{"when_expr": condition, "then_expr": result}]
    return {"class": "CASE", "type": "CASE_EXPR", "alias": "", "case_checks": checks, "else_expr": constant(None)}


def row_number(order: Node) -> Node:
    """Return `row_number() OVER (ORDER BY …)`, with the terms of an ORDER modifier."""
    return {
        **{"class": "WINDOW", "type": "WINDOW_ROW_NUMBER", "alias": "", "function_name": "row_number", "schema": ""},
        **{"catalog": "", "partitions": [], "orders": order["orders"], "start": "UNBOUNDED_PRECEDING"},
        **{"end": "CURRENT_ROW_RANGE", "start_expr": None, "end_expr": None, "offset_expr": None},
        **{"default_expr": None, "ignore_nulls": False, "filter_expr": None, "exclude_clause": "NO_OTHER"},
        **{"distinct": False, "arg_orders": [], "has_ignore_nulls": False, "arguments": []},
        "qualified_name": {"path": ["row_number"]},
    }
