"""Whether a SELECT gives the same rows when its input is split: one that looks at each row of it by itself does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import duckdb
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from ...workers.errors import RequestError

INPUT = "input"
OVER_ALL_ROWS = {
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
"""Parts of a SELECT that see all rows at once, by sqlglot's names for them."""
KEEPS_INPUT_LEFT = {"", "LEFT"}
KEEPS_INPUT_RIGHT = {"", "RIGHT"}
"""Sides of a join that give no row but for a row of the input, where it stands left or right of the join."""


def check_splittable(sql: str) -> None:
    """Refuse a SELECT over the table `input` whose rows over all blocks would not be those over the whole.

    Raises:
        RequestError: it is no SELECT, or a part of it needs all rows at once; the message names it.
    """
    try:
        tree = parse_one(sql, dialect="duckdb")
    except SqlglotError as error:
        raise RequestError(f"the statement cannot be read, so it cannot be split: {error}") from error
    if re.search(r"\bpositional\s+join\b", sql, re.IGNORECASE):  # To sqlglot the word is an alias.
        raise _refused("POSITIONAL JOIN")
    if not isinstance(tree, exp.Query):
        raise RequestError("only a SELECT can be split", hint="write --sql 'SELECT … FROM input'")
    reads = _reads(tree, INPUT)
    if len(reads) != 1:
        raise _refused("it does not read `input`" if not reads else "it joins `input` with itself")
    for reason in _reasons(reads[0]):
        raise _refused(reason)


def _refused(reason: str) -> RequestError:
    hint = "leave --blocks out; or split what asks the model, and do the rest with a second quackllm run on its output"
    return RequestError(f"the statement cannot be split into blocks: {reason}", hint=hint)


def _reads(tree: exp.Expr, name: str) -> list[exp.Table]:
    tables = tree.find_all(exp.Table)
    return [table for table in tables if table.name.lower() == name and not table.db and not table.args.get("joins")]


def _reasons(read: exp.Expr) -> Iterator[str]:
    """Walk from where the input is read to the whole statement, and yield what stands in the way."""
    node = read
    while (parent := node.parent) is not None:
        if isinstance(parent, exp.Select):
            yield from _in_select(parent)
        elif isinstance(parent, exp.SetOperation):
            yield f"{parent.key.upper()} of `input` and something else"
        elif isinstance(parent, exp.Join):
            yield from _in_join(parent)
        elif isinstance(parent, exp.From) and isinstance(parent.parent, exp.Select):
            yield from _beside(parent.parent)
        elif isinstance(parent, exp.CTE):
            yield from _in_cte(parent)
            return
        elif not isinstance(parent, exp.Subquery | exp.Table):
            yield f"`input` is read inside of {parent.key.upper()}"
            return
        node = parent


def _in_select(select: exp.Select) -> Iterator[str]:
    for part, words in OVER_ALL_ROWS.items():
        if select.args.get(part):
            yield words
    for function in select.find_all(exp.Func, exp.Window):
        nearest = function.find_ancestor(exp.Select)
        if nearest is select or (nearest and not nearest.find(exp.From)):
            if isinstance(function, exp.Window):
                yield "a window function"
            elif isinstance(function, exp.Func) and _is_aggregate(function):
                yield f"{_name(function)}(…) over many rows"


def _beside(select: exp.Select) -> Iterator[str]:
    for join in select.args.get("joins") or []:
        if join.side.upper() not in KEEPS_INPUT_LEFT:
            yield f"{join.side} JOIN gives rows that are not in `input`"


def _in_join(join: exp.Join) -> Iterator[str]:
    if join.kind.upper() in ("SEMI", "ANTI") or join.method.upper() == "ASOF":
        yield f"{join.method or join.kind} JOIN against `input`".upper().replace("INPUT", "input")
    elif join.side.upper() not in KEEPS_INPUT_RIGHT:
        yield f"{join.side} JOIN gives rows that are not in `input`"


def _in_cte(cte: exp.CTE) -> Iterator[str]:
    with_ = cte.parent
    assert isinstance(with_, exp.With)
    assert with_.parent is not None
    if with_.recursive:
        yield "WITH RECURSIVE"
        return
    reads = _reads(with_.parent, cte.alias.lower())
    if len(reads) != 1:
        yield f"`{cte.alias}`, which reads `input`, is read {len(reads)} times"
        return
    yield from _reasons(reads[0])


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
    names = {name for name, kind, _ in rows if kind == "aggregate"}
    macros = {name for name, kind, body in rows if kind == "macro" and body and _calls_any(body, names)}
    return frozenset(names | macros)


def _calls_any(body: str, names: set[str]) -> bool:
    try:
        functions = parse_one(body, dialect="duckdb").find_all(exp.Func)
    except SqlglotError:
        return False
    return any(isinstance(function, exp.AggFunc) or _name(function) in names for function in functions)
