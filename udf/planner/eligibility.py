"""Eligibility: why a statement may not be run ahead, because a second run of it might see other rows."""

from __future__ import annotations

import json
import re
from typing import Any

import duckdb

from ..raw_sql import execute_raw
from .parse import ModelQuery

SELF_CHANGING = frozenset({"llm_calls", "llm_usage", "llm_models", "llm_forget"})
"""Ours whose rows another run of the same statement would change."""

VOLATILE = (
    "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability = 'VOLATILE' OR function_name = 'error'"
)
DEFINED = (
    "SELECT lower(view_name), sql FROM duckdb_views() WHERE NOT internal UNION ALL "
    "SELECT lower(function_name), macro_definition FROM duckdb_functions() "
    "WHERE NOT internal AND macro_definition IS NOT NULL AND macro_definition NOT LIKE '%quackllm_%'"
)
NAMED = (
    "SELECT 1 FROM (SELECT table_name AS name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views()) "
    "WHERE lower(name) = lower($1) LIMIT 1"
)
SAMPLED = re.compile(r"\b(using\s+sample|tablesample)\b")
PIPES = ("/dev/stdin", "/dev/fd/")
READ_ONCE = "ARROW"
"""In the names of DuckDB's operators: an Arrow reader's rows are gone when they were read."""
WORD, CALLED = re.compile(r"\w+"), re.compile(r"(\w+)\s*\(")


def ineligible_reason(connection: duckdb.DuckDBPyConnection, reading: ModelQuery) -> str | None:
    """Return why the statement may not be run ahead; None where it may."""
    text = _with_definitions(connection, reading.text.lower())
    volatile = {name for (name,) in execute_raw(connection, VOLATILE)}
    if found := volatile.union(SELF_CHANGING).intersection(CALLED.findall(text)):
        return f"{min(found)} gives something else each time"
    if SAMPLED.search(text):
        return "a sample has other rows each time"
    if any(pipe in reading.text for pipe in PIPES):
        return "a pipe can be read once"
    if reading.target and _exists(connection, reading.target):
        return f"{reading.target} exists"
    return None


def has_single_pass_source(connection: duckdb.DuckDBPyConnection, sql: str, values: Any) -> bool:
    """Whether the SELECT reads something whose rows can be read once only."""
    plans = [json.loads(text) for _, text in execute_raw(connection, f"EXPLAIN (FORMAT json) {sql}", values)]
    return any(READ_ONCE in name for operators in plans for plan in operators for name in _operators(plan))


def _operators(plan: dict[str, Any]) -> list[str]:
    return [plan["name"], *(name for child in plan["children"] for name in _operators(child))]


def _with_definitions(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    """Return the statement with the SQL of the views and macros that it names, and that these name."""
    defined = {name: sql.lower() for name, sql in execute_raw(connection, DEFINED)}
    while named := defined.keys() & set(WORD.findall(text)):
        text = "\n".join([text, *(defined.pop(name) for name in named)])
    return text


def _exists(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    return bool(execute_raw(connection, NAMED, [name]))
