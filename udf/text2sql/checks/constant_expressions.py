"""The constants of a statement: expressions that DuckDB computes while it plans, whatever its memory limit says."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import duckdb

from ....workers.sandbox.locked_duckdb import query
from .sql_tree import Tree, serialize, to_sql

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
        duckdb.OutOfMemoryException, duckdb.InterruptException, MemoryError: they take more than may be taken.
    """
    if not (expressions := constant_expressions(statement)):
        return
    try:
        cursor.execute(_hashes(expressions)).fetchall()
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise
    except duckdb.Error:
        return  # A cast that fails, perhaps in a branch that is never taken: for the query itself to say.


def is_constant(node: Tree, parameters: frozenset[str] = frozenset()) -> bool:
    """Whether an expression depends on no row, `parameters` of the lambda around it aside."""
    if node["class"] == "COLUMN_REF":
        return len(node["column_names"]) == 1 and node["column_names"][0].lower() in parameters
    if node["class"] not in CONSTANT_CLASSES or _depends_on_rows(node):
        return False
    if node["class"] == "LAMBDA":
        parameters |= {name.lower() for name in _names(node["lhs"])}
    return all(is_constant(child, parameters) for child in _children(node))


def _largest(value: Any) -> Iterator[Tree]:
    if isinstance(value, list):
        for item in value:
            yield from _largest(item)
    elif isinstance(value, dict):
        if value.get("type") == "TABLE_FUNCTION":  # It makes rows: of it only the arguments are computed ahead.
            yield from _largest(value["function"].get("arguments"))
        elif "class" in value and value["class"] != "LAMBDA" and is_constant(value):
            yield value
        else:
            for child in value.values():
                yield from _largest(child)


def _children(node: Tree) -> Iterator[Tree]:
    """Yield the expressions right below one."""
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


def _names(lambda_parameters: Any) -> Iterator[str]:
    for child in (lambda_parameters, *_children(lambda_parameters)):
        yield from child.get("column_names", ())


def _calls(node: Tree) -> bool:
    is_call = node["class"] == "FUNCTION" and not node["is_operator"]
    return is_call or any(_calls(child) for child in _children(node))


def _depends_on_rows(node: Tree) -> bool:
    """Whether a function is computed for each row or over several; one that a column stands before is, too."""
    name = str(node.get("function_name", "")).lower()
    return node["class"] == "FUNCTION" and (bool(node.get("schema")) or name in per_row_functions())


@lru_cache(maxsize=1)
def per_row_functions() -> frozenset[str]:
    """Return the names of functions that are no constant even of constants: volatile ones, aggregates, unnest."""
    rows = query(
        "SELECT DISTINCT function_name FROM duckdb_functions() "
        "WHERE function_type IN ('aggregate', 'window') OR stability = 'VOLATILE'"
    )
    return frozenset({str(name).lower() for (name,) in rows} | {"unnest", "unpivot_list"})


def _hashes(expressions: list[Tree]) -> str:
    """Return a SELECT of the expressions' hashes: the values themselves would become Python's."""
    statement = _hash_of_one()
    function = statement["node"]["select_list"][0]
    argument = function["arguments"][0]
    calls = [
        function | {"arguments": [argument | {"expression": expression | {"alias": ""}}]} for expression in expressions
    ]
    return to_sql(statement | {"node": statement["node"] | {"select_list": calls}})


@lru_cache(maxsize=1)
def _hash_of_one() -> Tree:
    statement: Tree = serialize("SELECT hash(1)")["statements"][0]
    return statement
