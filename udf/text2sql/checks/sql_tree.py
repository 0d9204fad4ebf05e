"""SQL as DuckDB's own tree: its statements serialized to JSON, walked, and written as SQL again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ....workers.sandbox.locked_duckdb import query

Tree = dict[str, Any]
Scope = frozenset[str]


def serialize(sql: str) -> Tree:
    """Return DuckDB's tree of a SELECT: its `statements`, or `error` and the reason.

    Raises:
        RecursionError, duckdb.Error: it is nested too deeply.
    """
    tree: Tree = json.loads(str(query("SELECT json_serialize_sql($1::VARCHAR)", [sql])[0][0]))
    return tree


def to_sql(statement: Tree) -> str:
    """Return a statement of a tree as SQL.

    Raises:
        duckdb.Error: it is not a tree of DuckDB's.
    """
    tree = json.dumps({"error": False, "statements": [statement]})
    return str(query("SELECT json_deserialize_sql($1::VARCHAR::JSON)", [tree])[0][0])


def nodes(tree: Tree) -> Iterator[tuple[Tree, Scope]]:
    """Yield every node with the names that WITH defines there: a name is visible after its own query, not before it."""
    pending: list[tuple[Any, Scope]] = [(tree, frozenset())]
    while pending:
        value, scope = pending.pop()
        if isinstance(value, list):
            pending += [(item, scope) for item in value]
        elif isinstance(value, dict):
            yield value, scope
            if value.get("type") == "RECURSIVE_CTE_NODE":
                scope |= {str(value.get("cte_name", "")).lower()}
            for cte in (value.get("cte_map") or {"map": []})["map"]:
                pending.append((cte["value"], scope))
                scope |= {cte["key"].lower()}
            pending += [(child, scope) for key, child in value.items() if key != "cte_map"]


def arguments(function: Tree) -> list[Tree]:
    """Return the arguments of a function."""
    return [argument["expression"] for argument in function["arguments"]]
