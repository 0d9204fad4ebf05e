"""DuckDB's dates in SQLite, which has no date type: it stores text like 2024-01-31 and has functions for such text.

SQLite's functions: https://www.sqlite.org/lang_datefunc.html. Nothing here needs a SQLite newer than 3.31.
"""

from __future__ import annotations

import calendar
import functools
import re

from sqlglot import expressions as exp
from sqlglot.errors import SqlglotError

from .date_types import infer_date_type
from .dates import DAYS_A_UNIT, MONTHS_A_UNIT, SECONDS_A_UNIT, DateFunctions, Rewrite, format_second, template

_template = functools.partial(template, "sqlite")

THURSDAY = "DATE(:x, '-3 days', 'weekday 4')"  # Of the ISO week: its year is the week's, and weeks are counted by it.
PARTS = {
    "year": "CAST(STRFTIME('%Y', :x) AS INTEGER)",
    "month": "CAST(STRFTIME('%m', :x) AS INTEGER)",
    "day": "CAST(STRFTIME('%d', :x) AS INTEGER)",
    "hour": "CAST(STRFTIME('%H', :x) AS INTEGER)",
    "minute": "CAST(STRFTIME('%M', :x) AS INTEGER)",
    "second": "CAST(STRFTIME('%S', :x) AS INTEGER)",
    "dayofweek": "CAST(STRFTIME('%w', :x) AS INTEGER)",
    "isodow": "((CAST(STRFTIME('%w', :x) AS INTEGER) + 6) % 7 + 1)",
    "dayofyear": "CAST(STRFTIME('%j', :x) AS INTEGER)",
    "quarter": "((CAST(STRFTIME('%m', :x) AS INTEGER) + 2) / 3)",
    "week": f"((CAST(STRFTIME('%j', {THURSDAY}) AS INTEGER) - 1) / 7 + 1)",
    "isoyear": f"CAST(STRFTIME('%Y', {THURSDAY}) AS INTEGER)",
    "decade": "(CAST(STRFTIME('%Y', :x) AS INTEGER) / 10)",
    "epoch": "CAST(STRFTIME('%s', :x) AS INTEGER)",
}
PARTS["yearweek"] = f"({PARTS['isoyear']} * 100 + {PARTS['week']})"
TRUNCATED_DATES = {
    "year": "DATE(:x, 'start of year')",
    "quarter": "DATE(:x, 'start of month', '-' || ((CAST(STRFTIME('%m', :x) AS INTEGER) - 1) % 3) || ' months')",
    "month": "DATE(:x, 'start of month')",
    "week": "DATE(:x, '-6 days', 'weekday 1')",
    "day": "DATE(:x)",
}
TRUNCATED_TIMES = {
    "hour": "STRFTIME('%Y-%m-%d %H:00:00', :x)",
    "minute": "STRFTIME('%Y-%m-%d %H:%M:00', :x)",
    "second": "DATETIME(:x)",
}
DIFFERENCES = {
    "day": "CAST(JULIANDAY(DATE(:y)) - JULIANDAY(DATE(:x)) AS INTEGER)",
    "week": "(CAST(JULIANDAY(DATE(:y)) - JULIANDAY(DATE(:x)) AS INTEGER) / 7)",
    "second": "(STRFTIME('%s', :y) - STRFTIME('%s', :x))",
}
MONTHS = "(CAST(STRFTIME('%Y', {0}) AS INTEGER) * 12 + CAST(STRFTIME('%m', {0}) AS INTEGER) - 1) / {1}"
BORDERS = "(STRFTIME('%s', {0}) - STRFTIME('%s', {1})) / {2}"
DIFFERENCES |= {
    unit: f"({BORDERS.format(*(TRUNCATED_TIMES[unit].replace(':x', x) for x in (':y', ':x')), SECONDS_A_UNIT[unit])})"
    for unit in ("hour", "minute")
}
DIFFERENCES |= {
    unit: f"({MONTHS.format(':y', size)} - {MONTHS.format(':x', size)})" for unit, size in MONTHS_A_UNIT.items()
}
FORMATS = frozenset("dfHjmMsSwWY%")  # The format letters that STRFTIME supports; for any other it returns NULL.


def _shift(date: exp.Expr, amount: exp.Expr, unit: str, sign: int) -> exp.Expr:
    """Write the addition of an interval to a date.

    January 31 plus a month is March 2 in SQLite and the last of February in DuckDB: take the earlier of both.
    """
    date_type = "TIMESTAMP" if infer_date_type(date) == "TIMESTAMP" or unit in SECONDS_A_UNIT else "DATE"
    if unit in MONTHS_A_UNIT:
        month = _modifier(amount, sign * MONTHS_A_UNIT[unit], "months")
        later = "MIN(DATE(:x, :m), DATE(:x, 'start of month', :m, '+1 month', '-1 day'))"
        sql = later if date_type == "DATE" else f"({later} || SUBSTR(DATETIME(:x), 11))"
        return _template(sql, date_type, x=date, m=month)
    size, name = (DAYS_A_UNIT[unit], "days") if unit in DAYS_A_UNIT else (SECONDS_A_UNIT[unit], "seconds")
    function = "DATE" if date_type == "DATE" else "DATETIME"
    return _template(f"{function}(:x, :m)", date_type, x=date, m=_modifier(amount, sign * size, name))


def _modifier(amount: exp.Expr, size: int, unit: str) -> exp.Expr:
    """Return SQLite's date modifier: '-30 days'."""
    try:
        number = float(amount.sql("duckdb"))
    except ValueError:
        return _template(f"(:a * {size}) || ' {unit}'", a=exp.paren(amount))
    return exp.Literal.string(f"{number * size:+.10g} {unit}")


def _format(node: exp.Expr) -> exp.Expr:
    """Write `strftime(date, format)`, whose arguments DuckDB accepts in either order."""
    node = format_second(node)
    date, text = node.this, node.args["format"]
    unknown = set(re.findall(r"%(-?.)", text.name)) - FORMATS
    if unknown or not isinstance(text, exp.Literal):
        raise SqlglotError(f"SQLite's strftime does not know %{min(unknown, default='')}")
    return _template("STRFTIME(:f, :x)", "VARCHAR", f=text, x=date)


def _name(names: list[str], part: str) -> Rewrite:
    """Return SQL for the English name of a day or month."""
    cases = " ".join(f"WHEN {number} THEN '{name}'" for number, name in enumerate(names) if name)
    return lambda node: _template(f"CASE {PARTS[part]} {cases} END", "VARCHAR", x=node.this)


def _joined(node: exp.Expr) -> exp.Expr:
    """Write `concat`, which skips NULLs and exists only in new versions of SQLite."""
    parts = [_template("COALESCE(:x, '')", "VARCHAR", x=part) for part in node.expressions]
    return exp.paren(functools.reduce(lambda left, right: exp.DPipe(this=left, expression=right), parts))


def _refused_format(_: exp.Expr) -> exp.Expr:
    raise SqlglotError("SQLite's format has placeholders other than {}")


def _gathered(node: exp.Expr) -> exp.Expr:
    """Drop the comma of `string_agg(DISTINCT …, ',')`: SQLite accepts no separator there; its default is a comma."""
    separator = node.args.get("separator")
    if isinstance(node.this, exp.Distinct) and isinstance(separator, exp.Literal) and separator.name == ",":
        node.set("separator", None)
    return node


def _cast(node: exp.Expr) -> exp.Expr:
    functions = {"DATE": "DATE(:x)", "TIMESTAMP": "DATETIME(:x)", "TIME": "TIME(:x)"}
    date_type = infer_date_type(node) or str(node.args["to"].this.name)
    return _template(functions[date_type], date_type, x=node.this) if date_type in functions else node


def _made(node: exp.Expr) -> exp.Expr:
    parts = {name: node.args[part] for name, part in (("y", "year"), ("m", "month"), ("d", "day"))}
    return _template("PRINTF('%04d-%02d-%02d', :y, :m, :d)", "DATE", **parts)


def _last_day(node: exp.Expr) -> exp.Expr:
    return _template("DATE(:x, 'start of month', '+1 month', '-1 day')", "DATE", x=node.this)


SUNDAY_FIRST = [*calendar.day_name[6:], *calendar.day_name[:6]]
REWRITES: dict[type[exp.Expr], Rewrite] = {
    exp.TimeToStr: _format,
    exp.Dayname: _name(SUNDAY_FIRST, "dayofweek"),
    exp.Monthname: _name(list(calendar.month_name), "month"),
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.DateFromParts: _made,
    exp.LastDay: _last_day,
    exp.Concat: _joined,
    exp.Format: _refused_format,
    exp.GroupConcat: _gathered,
    exp.Localtimestamp: lambda _: exp.CurrentTimestamp(),
    exp.Left: lambda node: _template("SUBSTR(:x, 1, :n)", "VARCHAR", x=node.this, n=node.expression),
    exp.Right: lambda node: _template("SUBSTR(:x, -(:n))", "VARCHAR", x=node.this, n=node.expression),
    exp.Contains: lambda node: _template("(INSTR(:x, :y) > 0)", x=node.this, y=node.expression),
    exp.StartsWith: lambda node: _template("(SUBSTR(:x, 1, LENGTH(:y)) = :y)", x=node.this, y=node.expression),
}
SQLITE = DateFunctions(
    "sqlite", PARTS, TRUNCATED_DATES, TRUNCATED_TIMES, DIFFERENCES,
    days_between="CAST(JULIANDAY(:y) - JULIANDAY(:x) AS INTEGER)", shifted=_shift, has_intervals=False,
    rewrites=REWRITES,
)  # fmt: skip
