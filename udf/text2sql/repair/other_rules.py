"""Repairs of grouping, of types and of other databases' dialects."""

from __future__ import annotations

import re
from collections.abc import Iterator

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import SqlglotError

from .faulty_sql import MAX_CHARACTERS, FaultySql

NOT_GROUPED = re.compile(r'column "(?P<name>.+?)" must appear in the GROUP BY clause')
NOT_COMPARED = re.compile(r"Cannot compare values of type (?P<one>[\w ]+) and type (?P<other>[\w ]+) - an explicit")
NO_FUNCTION = re.compile(
    r"(?:argument types '|function call \")(?P<name>[\w~!]+)\((?P<types>.*?)\)[.\"']", re.IGNORECASE
)
# Dialects that models write instead of DuckDB's, the most frequent first.
DIALECTS = ("sqlite", "mysql", "postgres", "tsql", "bigquery", "snowflake", "oracle")
# The type that the first argument of a function is cast to, by the function.
NUMBERS = ("sum", "avg", "median", "stddev", "round", "abs", "floor", "ceil")
TEXTS = ("~~", "~~*", "!~~", "!~~*", "length", "lower", "upper", "substring", "substr", "instr", "strpos", "trim")
TIMES = ("year", "month", "day", "quarter", "week", "dayofweek", "monthname", "date_trunc", "strftime", "date_part")
COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In)
OPERATORS = {"~~": exp.Like, "~~*": exp.ILike, "!~~": exp.Like, "!~~*": exp.ILike}


def grouped(faulty: FaultySql) -> str | None:
    """Make a column of the list a group or a value of its group, as SQLite and MySQL read it."""
    found = NOT_GROUPED.search(faulty.message)
    if found is None:
        return None
    for select in faulty.selects():
        bare = [column for column in _bare_columns(select) if column.name.lower() == found["name"].lower()]
        if not bare or not (select.args.get("group") or _has_aggregate(select)):
            continue
        if select.args.get("group"):
            for column in bare:
                _replace(column, exp.AnyValue(this=column.copy()))
            return f"of {found['name']} any value of its group is taken"
        return _without_group(select, bare)
    return None


def _without_group(select: exp.Select, bare: list[exp.Column]) -> str | None:
    """Repair a SELECT with aggregates and no GROUP BY: the row with the extreme, or one group for each value."""
    extremes = [node for item in select.selects for node in item.find_all(exp.Max, exp.Min)]
    if len(extremes) == 1 and len(list(select.find_all(exp.AggFunc))) == 1:
        kind = exp.ArgMax if isinstance(extremes[0], exp.Max) else exp.ArgMin
        for column in bare:
            _replace(column, kind(this=column.copy(), expression=extremes[0].this.copy()))
        return f"{bare[0].name} is taken from the row with the extreme"
    items = [item.unalias() for item in select.selects if not item.find(exp.AggFunc)]
    if not items:
        return None
    select.group_by(*(item.copy() for item in items), copy=False)
    return "a GROUP BY was missing"


def _replace(column: exp.Column, value: exp.Expr) -> None:
    """Put a value in the place of a column; in the list it keeps the column's name."""
    is_item = isinstance(column.parent, exp.Select) and column.arg_key == "expressions"
    column.replace(exp.alias_(value, column.name, quoted=column.this.args.get("quoted")) if is_item else value)


def _bare_columns(select: exp.Select) -> Iterator[exp.Column]:
    """Yield the columns outside of aggregates in the list, HAVING and ORDER BY."""
    order, having = select.args.get("order"), select.args.get("having")
    for part in [*select.selects, *([having] if having else []), *([order] if order else [])]:
        for node in part.walk(prune=lambda node: isinstance(node, exp.AggFunc | exp.Query)):
            if isinstance(node, exp.Column):
                yield node


def _has_aggregate(select: exp.Select) -> bool:
    parts = [*select.selects, *filter(None, [select.args.get("order"), select.args.get("having")])]
    return any(
        isinstance(node, exp.AggFunc)
        for part in parts
        for node in part.walk(prune=lambda node: isinstance(node, exp.Query))
    )


def compared_types(faulty: FaultySql) -> str | None:
    """Cast a column of text that is compared with a number, and take the year of a date that is."""
    found = NOT_COMPARED.search(faulty.message)
    if found is None or faulty.tree is None:
        return None
    kinds = {found["one"].split("_")[0], found["other"].split("_")[0]}
    changed = False
    for node in faulty.tree.find_all(*COMPARED):
        sides = [node.this, *(node.args.get(key) for key in ("expression", "low", "high")), *node.expressions]
        if not any(isinstance(side, exp.Literal) and not side.is_string for side in sides):
            continue
        for side in sides:
            if isinstance(side, exp.Column) and _type(faulty, side) in ("VARCHAR", "DATE", "TIMESTAMP"):
                is_date = _type(faulty, side) != "VARCHAR"
                if is_date or "VARCHAR" in kinds:
                    side.replace(exp.Year(this=side.copy()) if is_date else exp.TryCast(this=side.copy(), to=DOUBLE))
                    changed = True
    return "a column of another type was cast for a comparison with a number" if changed else None


DOUBLE = exp.DataType.build("DOUBLE")
CASTS = {
    **dict.fromkeys(NUMBERS, "DOUBLE"),
    **dict.fromkeys(TEXTS, "VARCHAR"),
    **dict.fromkeys(TIMES, "TIMESTAMP"),
}


def cast_argument(faulty: FaultySql) -> str | None:
    """Cast the argument of a function that DuckDB has for another type alone: `avg` of text, LIKE of numbers."""
    found = NO_FUNCTION.search(faulty.message)
    name = found["name"].lower() if found else ""
    if faulty.tree is None or name not in CASTS:
        return None
    wanted, changed = exp.DataType.build(CASTS[name]), False
    for node in faulty.tree.find_all(OPERATORS.get(name, exp.Func)):
        if isinstance(node, exp.Func) and name.upper() not in (*node.sql_names(), node.sql_name()):
            continue
        column = node.find(exp.Column)
        if column is not None and not isinstance(column.parent, exp.Cast | exp.TryCast):
            column.replace(exp.TryCast(this=column.copy(), to=wanted.copy()))
            changed = True
    return f"an argument of {name} was cast" if changed else None


def _type(faulty: FaultySql, column: exp.Column) -> str:
    """Return the type of a column without its brackets; '' if its table is not clear."""
    select = column.find_ancestor(exp.Select)
    kinds = {
        other.type.split("(")[0].upper()
        for source in (faulty.sources(select) if select else ())
        if source.table and (not column.table or column.table.lower() == source.alias.lower())
        for other in source.table.columns
        if other.name.lower() == column.name.lower()
    }
    return kinds.pop() if len(kinds) == 1 else ""


def other_dialects(faulty: FaultySql) -> Iterator[tuple[str, str]]:
    """Yield the SQL in DuckDB's dialect, read as each of the other dialects, and a note."""
    if len(faulty.sql) > MAX_CHARACTERS:
        return
    for dialect in DIALECTS:
        try:
            (written,) = sqlglot.transpile(faulty.sql, read=dialect, write="duckdb")
        except (SqlglotError, RecursionError, ValueError):
            continue
        if written != faulty.sql:
            yield written, f"read as {dialect}'s SQL"
