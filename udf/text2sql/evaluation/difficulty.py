"""The difficulty of a query, by Spider's rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import sqlglot
from sqlglot import expressions as exp

Difficulty = Literal["easy", "medium", "hard", "extra"]
DIFFICULTIES: tuple[Difficulty, ...] = ("easy", "medium", "hard", "extra")
AGGREGATES = (exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max)
CLAUSES = ("where", "having")


def spider_difficulty(sql: str) -> Difficulty | None:
    """Return a query's difficulty; None if it cannot be parsed.

    Source: Spider (Yu et al. 2018), `evaluation.py` (github.com/taoyds/spider). It counts the clauses of a query, its
    nested queries, and what it has more than one of. Of a set operation, the first query is counted, and
    the second counts as nested. ANY_VALUE, which DuckDB requires and SQLite does not, does not count as an aggregate.
    """
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
    except sqlglot.errors.SqlglotError:
        return None
    query, nested = tree, 0
    while isinstance(query, exp.SetOperation):
        query, nested = query.this, 1
    query = query.unnest()
    if not isinstance(query, exp.Select):
        return None
    return _grade(_parts(query), nested + _nested(query), _several(query))


def _grade(parts: int, nested: int, several: int) -> Difficulty:
    if nested:
        return "hard" if parts <= 1 and several == 0 and nested == 1 else "extra"
    if parts <= 1 and several == 0:
        return "easy"
    if (several <= 2 and parts <= 1) or (parts <= 2 and several < 2):
        return "medium"
    if (several > 2 and parts <= 2) or (parts == 3 and several <= 2):
        return "hard"
    return "extra"


def _parts(query: exp.Select) -> int:
    """Count WHERE, GROUP BY, ORDER BY, LIMIT, each JOIN, each OR and each LIKE."""
    clauses = sum(query.args.get(name) is not None for name in ("where", "group", "order", "limit"))
    words = sum(isinstance(node, exp.Or | exp.Like | exp.ILike) for node in _conditions(query))
    return clauses + len(query.args.get("joins") or ()) + words


def _nested(query: exp.Select) -> int:
    """Count the queries that are directly inside the conditions."""
    return sum(isinstance(node, exp.Select | exp.SetOperation) for node in _conditions(query))


def _several(query: exp.Select) -> int:
    """Count which of these occur more than once: aggregates, selected columns, WHERE conditions, GROUP BY keys."""
    where, group = query.args.get("where"), query.args.get("group")
    conditions = sum(isinstance(node, exp.And | exp.Or) for node in _own(where)) + 1 if where else 0
    aggregates = sum(
        isinstance(node, AGGREGATES)
        for part in (*query.expressions, *(query.args.get(name) for name in ("where", "group", "having", "order")))
        for node in _own(part)
    )
    keys = len(group.expressions) if group else 0
    return sum(count > 1 for count in (aggregates, len(query.expressions), conditions, keys))


def _conditions(query: exp.Select) -> Iterator[exp.Expr]:
    """Yield every node of ON, WHERE and HAVING, without the nodes of subqueries."""
    for join in query.args.get("joins") or ():
        yield from _own(join.args.get("on"))
    for name in CLAUSES:
        yield from _own(query.args.get(name))


def _own(part: exp.Expr | None) -> Iterator[exp.Expr]:
    if part is not None:
        yield from part.walk(prune=lambda node: isinstance(node, exp.Select | exp.SetOperation))
