"""The constants of a statement: expressions that DuckDB computes while it plans, without any memory limit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import duckdb

from ....workers.sandbox.locked_duckdb import query
from .sql_tree import Tree, arguments, nodes, serialize, to_sql

CONSTANT_CLASSES = frozenset(
    {
        *("BETWEEN", "CASE", "CAST", "COLLATE", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION"),
        *("LAMBDA", "OPERATOR", "TYPE"),
    }
)


def constant_expressions(statement: Tree) -> list[Tree]:
    """Return the largest expressions of a statement that call a function and depend on no row."""
    return [node for node in _largest(statement) if _calls(node)]


def compute(cursor: duckdb.DuckDBPyConnection, statement: Tree) -> None:
    """Compute the constants of a statement, as DuckDB will.

    Raises:
        duckdb.OutOfMemoryException, duckdb.InterruptException, MemoryError: they exceed the limits.
    """
    # Selects their hashes, because a value itself would be converted to Python.
    _select(cursor, "hash(1)", constant_expressions(statement))


def largest_constant(cursor: duckdb.DuckDBPyConnection, statement: Tree) -> int:
    """Return the text length of a statement's longest constant; those that `unnest` turns into rows do not count.

    Raises:
        duckdb.OutOfMemoryException, duckdb.InterruptException, MemoryError: as `compute`.
    """
    rows = {id(node) for call in _unnested(statement) for node in arguments(call)}
    repeated = [node for node in constant_expressions(statement) if id(node) not in rows]
    return max((int(size or 0) for size in _select(cursor, "strlen(CAST(1 AS VARCHAR))", repeated)), default=0)


def _select(cursor: duckdb.DuckDBPyConnection, around: str, expressions: list[Tree]) -> tuple[Any, ...]:
    """Return a function's result for each expression; nothing if DuckDB cannot compute one of them."""
    if not expressions:
        return ()
    statement: Tree = _template(around)
    call = statement["node"]["select_list"][0]
    calls = [_around(call, expression | {"alias": ""}) for expression in expressions]
    try:
        sql = to_sql(statement | {"node": statement["node"] | {"select_list": calls}})
        return tuple(cursor.execute(sql).fetchall()[0])
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise
    except duckdb.Error:
        return ()  # E.g. a cast that fails, perhaps in a branch that never runs: the query itself will report it.


@lru_cache(maxsize=4)
def _template(around: str) -> Tree:
    statement: Tree = serialize(f"SELECT {around}")["statements"][0]
    return statement


def _around(value: Any, expression: Tree) -> Any:
    """Return a tree in which the expression replaces the number 1."""
    if isinstance(value, list):
        return [_around(item, expression) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class") == "CONSTANT":
        return expression
    return {key: _around(child, expression) for key, child in value.items()}


def _unnested(statement: Tree) -> Iterator[Tree]:
    for node, _ in nodes(statement):
        if node.get("class") == "FUNCTION" and node["function_name"].lower() == "unnest":
            yield node


def is_constant(node: Tree, parameters: frozenset[str] = frozenset()) -> bool:
    """Whether an expression depends on no row; `parameters` of the enclosing lambda do not count."""
    if node["class"] == "COLUMN_REF":
        return len(node["column_names"]) == 1 and node["column_names"][0].lower() in parameters
    if node["class"] not in CONSTANT_CLASSES or _depends_on_rows(node):
        return False
    if node["class"] == "LAMBDA":
        parameters |= lambda_parameters(node)
    return all(is_constant(child, parameters) for child in _children(node))


def _largest(value: Any) -> Iterator[Tree]:
    if isinstance(value, list):
        for item in value:
            yield from _largest(item)
    elif isinstance(value, dict):
        if value.get("type") == "TABLE_FUNCTION":  # It returns rows: DuckDB computes only its arguments while planning.
            yield from _largest(value["function"].get("arguments"))
        elif "class" in value and value["class"] != "LAMBDA" and is_constant(value):
            yield value
        else:
            for child in value.values():
                yield from _largest(child)


def _children(node: Tree) -> Iterator[Tree]:
    """Yield the child expressions."""
    pending: list[Any] = list(node.values())
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            if "class" in value:
                yield value
            else:
                pending += value.values()


def lambda_parameters(node: Tree) -> frozenset[str]:
    """Return the names of a lambda's parameters."""
    left = node["lhs"]
    return frozenset(name.lower() for part in (left, *_children(left)) for name in part.get("column_names", ()))


def _calls(node: Tree) -> bool:
    is_call = node["class"] == "FUNCTION" and not node["is_operator"]
    return is_call or any(_calls(child) for child in _children(node))


def _depends_on_rows(node: Tree) -> bool:
    """Whether a function depends on rows: volatile functions, aggregates, and methods of a column."""
    name = str(node.get("function_name", "")).lower()
    return node["class"] == "FUNCTION" and (bool(node.get("schema")) or name in per_row_functions())


@lru_cache(maxsize=1)
def per_row_functions() -> frozenset[str]:
    """Return the functions that are not constant even with constant arguments: volatile ones, aggregates, unnest."""
    rows = query(
        "SELECT DISTINCT function_name FROM duckdb_functions() "
        "WHERE function_type IN ('aggregate', 'window') OR stability = 'VOLATILE'"
    )
    return frozenset({str(name).lower() for (name,) in rows} | {"unnest", "unpivot_list"})
