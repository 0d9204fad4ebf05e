"""Whether a SELECT returns the same rows when its input is split into blocks: it must read each row by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import duckdb
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from ...workers.errors import RequestError

# Parts of a SELECT or a table that need all rows at once, by sqlglot's names for them.
NEEDS_ALL_ROWS = {
    "distinct": "DISTINCT",
    "group": "GROUP BY",
    "having": "HAVING",
    "qualify": "QUALIFY",
    "windows": "WINDOW",
    "order": "ORDER BY",
    "limit": "LIMIT",
    "offset": "OFFSET",
    "sample": "USING SAMPLE",
    "pivots": "PIVOT",
}


def check_splittable(sql: str) -> None:
    """Refuse a statement whose rows over all blocks of the table `input` could differ from those over the whole.

    Raises:
        RequestError: it is not a SELECT from `input`, or a part of it needs all rows at once; the message names it.
    """
    try:
        tree = parse_one(sql, dialect="duckdb")
    except SqlglotError as error:
        raise RequestError(f"the statement cannot be parsed, so it cannot be split: {error}") from error
    if not isinstance(tree, exp.Query):
        raise RequestError("only a SELECT can be split", hint="write --sql 'SELECT … FROM input'")
    for reason in _reasons(tree, sql):
        hint = "leave --blocks out; or split the part that calls the model, and run a second quackllm run on its output"
        raise RequestError(f"the statement cannot be split into blocks: {reason}", hint=hint)


def _reasons(tree: exp.Query, sql: str) -> Iterator[str]:
    if re.search(r"\bpositional\s+join\b", sql, re.IGNORECASE):  # sqlglot reads the word as an alias.
        yield "POSITIONAL JOIN"
    if not isinstance(tree, exp.Select):
        yield f"{tree.key.upper()} of several SELECTs"
        return
    reads = [table for table in tree.find_all(exp.Table) if table.name.lower() == "input" and not table.db]
    if len(reads) != 1:
        yield "it does not read `input`" if not reads else "it reads `input` more than once"
        return
    source = reads[0].parent
    if not isinstance(source, exp.From | exp.Join) or source.parent is not tree or "input" in _names_of_ctes(tree):
        yield "it reads `input` in a subquery or WITH"
    yield from (reason for part, reason in NEEDS_ALL_ROWS.items() if tree.args.get(part) or reads[0].args.get(part))
    yield from _functions(tree)
    yield from _joins(tree, source)


def _names_of_ctes(tree: exp.Select) -> set[str]:
    return {cte.alias.lower() for cte in tree.find_all(exp.CTE)}


def _functions(select: exp.Select) -> Iterator[str]:
    """Yield window functions and aggregates of the SELECT, those in subqueries that have no FROM included."""
    for function in select.find_all(exp.Func, exp.Window):
        scope = function.find_ancestor(exp.Select)
        if scope is select or (scope and not scope.find(exp.From)):
            if isinstance(function, exp.Window):
                yield "a window function"
            elif isinstance(function, exp.Func) and _is_aggregate(function):
                yield f"{_name(function)}(…) over many rows"


def _joins(select: exp.Select, source: exp.Expr | None) -> Iterator[str]:
    """Yield the joins that can return rows which are not in `input`, or depend on all rows of it."""
    joins = select.args.get("joins") or []
    own = joins.index(source) if source in joins else -1
    for join in joins[max(own, 0) :]:
        is_right = join is source
        if is_right and (join.kind.upper() in ("SEMI", "ANTI") or join.method.upper() == "ASOF"):
            yield f"{(join.method or join.kind).upper()} JOIN against `input`"
        elif join.side.upper() not in ("", "RIGHT" if is_right else "LEFT"):
            yield f"{join.side.upper()} JOIN gives rows that are not in `input`"


def _name(function: exp.Func) -> str:
    return function.name.lower() if isinstance(function, exp.Anonymous) else function.sql_name().lower()


def _is_aggregate(function: exp.Func) -> bool:
    return isinstance(function, exp.AggFunc) or _name(function) in _aggregates()


@cache
def _aggregates() -> frozenset[str]:
    """Return DuckDB's own aggregates, and its macros over them."""
    with duckdb.connect() as plain:
        rows = plain.execute(
            "SELECT function_name, function_type, macro_definition FROM duckdb_functions() "
            "WHERE function_type IN ('aggregate', 'macro')"
        ).fetchall()
    names = {name for name, function_type, _ in rows if function_type == "aggregate"}
    macros = {
        name for name, function_type, body in rows if function_type == "macro" and body and _calls_any(body, names)
    }
    return frozenset(names | macros)


def _calls_any(body: str, names: set[str]) -> bool:
    try:
        functions = parse_one(body, dialect="duckdb").find_all(exp.Func)
    except SqlglotError:
        return False
    return any(isinstance(function, exp.AggFunc) or _name(function) in names for function in functions)
