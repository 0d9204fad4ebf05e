"""DuckDB's dates in SQLite, which has no type for them: it holds texts like 2024-01-31 and has functions of those.

SQLite's functions: https://www.sqlite.org/lang_datefunc.html. Nothing here needs a SQLite newer than 3.31.
"""

from __future__ import annotations

import calendar
import functools
import re
from collections.abc import Callable

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import SqlglotError

from .date_types import NOW, type_of

THURSDAY = "DATE(:x, '-3 days', 'weekday 4')"
"""Of the ISO week: its year is the week's, and the weeks are counted by them."""
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
PART_ALIASES = {
    **{"dow": "dayofweek", "weekday": "dayofweek", "doy": "dayofyear", "weekofyear": "week", "dayofmonth": "day"},
    **{f"{unit}s": unit for unit in ("year", "month", "day", "hour", "minute", "second", "week", "quarter", "decade")},
}
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
    "hour": "(STRFTIME('%s', :y) / 3600 - STRFTIME('%s', :x) / 3600)",
    "minute": "(STRFTIME('%s', :y) / 60 - STRFTIME('%s', :x) / 60)",
    "second": "(STRFTIME('%s', :y) - STRFTIME('%s', :x))",
}
MONTHS_A_UNIT = {"month": 1, "quarter": 3, "year": 12, "decade": 120}
DAYS_A_UNIT = {"day": 1, "week": 7}
SECONDS_A_UNIT = {"second": 1, "minute": 60, "hour": 3600}
FORMATS = frozenset("dfHjmMsSwWY%")
"""What STRFTIME knows; of anything else it makes NULL."""
AMOUNT = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)
NODES: dict[type[exp.Expr], str] = {
    exp.Year: "year", exp.Quarter: "quarter", exp.Month: "month", exp.Week: "week", exp.Day: "day",
    exp.DayOfMonth: "day", exp.DayOfWeek: "dayofweek", exp.DayOfWeekIso: "isodow", exp.DayOfYear: "dayofyear",
    exp.WeekOfYear: "week", exp.Hour: "hour", exp.Minute: "minute", exp.Second: "second", exp.TimeToUnix: "epoch",
}  # fmt: skip


def with_sqlite_dates(query: exp.Query) -> exp.Query:
    """Return DuckDB's query with SQLite's functions of dates; the types of its columns are in their `meta`.

    Raises:
        SqlglotError: SQLite has nothing like a part of it.
    """
    for node in reversed(list(query.dfs())):  # What stands inside first.
        if (rewrite := REWRITES.get(type(node))) and (written := rewrite(node)) is not node:
            node.replace(written)
    if query.find(exp.Interval):
        raise SqlglotError("SQLite has no intervals")
    return query


def _template(sql: str, kind: str = "", **values: exp.Expr) -> exp.Expr:
    """Return SQLite's SQL with values for its placeholders, and of which type DuckDB has it."""
    written: exp.Expr = sqlglot.parse_one(sql, read="sqlite")
    for placeholder in list(written.find_all(exp.Placeholder)):
        placeholder.replace(values[placeholder.name].copy())
    written.meta["type"] = kind
    return written


def _unit(name: str) -> str:
    lower = name.lower()
    return PART_ALIASES.get(lower, lower)


def _part(name: str, value: exp.Expr) -> exp.Expr:
    if _unit(name) not in PARTS:
        raise SqlglotError(f"SQLite has no {name} of a date")
    return _template(PARTS[_unit(name)], "BIGINT", x=value)


def _extract(node: exp.Expr) -> exp.Expr:
    return _part(node.this.name, node.expression)


def _named_part(node: exp.Expr) -> exp.Expr:
    return _part(NODES[type(node)], node.this)


def _anonymous(node: exp.Expr) -> exp.Expr:
    name, given = node.name.lower(), node.expressions
    if name in NOW:
        return exp.CurrentTimestamp()
    if name in ("date_part", "datepart") and len(given) == 2 and isinstance(given[0], exp.Literal):
        return _part(given[0].name, given[1])
    return _part(name, given[0]) if len(given) == 1 and _unit(name) in PARTS else node


def _truncated(node: exp.Expr) -> exp.Expr:
    unit, kind = _unit(node.args["unit"].name), type_of(node.this)
    if unit in TRUNCATED_TIMES:
        return _template(TRUNCATED_TIMES[unit], "TIMESTAMP", x=node.this)
    if unit not in TRUNCATED_DATES:
        raise SqlglotError(f"SQLite cannot cut a date to its {unit}")
    date = _template(TRUNCATED_DATES[unit], "DATE", x=node.this)
    return _template("DATETIME(:x)", "TIMESTAMP", x=date) if kind == "TIMESTAMP" else date


def _difference(node: exp.Expr) -> exp.Expr:
    """Write `date_diff`, which counts the borders of months or hours between two dates, and whole weeks."""
    unit, start, end = _unit(node.args["unit"].name), node.expression, node.this
    if unit in DIFFERENCES:
        return _template(DIFFERENCES[unit], "BIGINT", x=start, y=end)
    if unit not in MONTHS_A_UNIT:
        raise SqlglotError(f"SQLite cannot count the {unit}s between dates")
    months = "(CAST(STRFTIME('%Y', {0}) AS INTEGER) * 12 + CAST(STRFTIME('%m', {0}) AS INTEGER) - 1) / {1}"
    size = MONTHS_A_UNIT[unit]
    return _template(f"({months.format(':y', size)} - {months.format(':x', size)})", "BIGINT", x=start, y=end)


def _sum(node: exp.Expr) -> exp.Expr:
    """Write `date ± interval`, `date ± days` and `date - date`."""
    left, right, sign = node.this, node.expression, -1 if isinstance(node, exp.Sub) else 1
    if isinstance(node, exp.Add) and (_is_interval(left) or type_of(right) == "DATE"):
        left, right = right, left
    kind, other = type_of(left), type_of(right)
    if _is_interval(right):
        return _shifted(left, right, sign)
    if isinstance(node, exp.Sub) and kind == other == "DATE":
        return _template("CAST(JULIANDAY(:y) - JULIANDAY(:x) AS INTEGER)", "BIGINT", x=right, y=left)
    if isinstance(node, exp.Sub) and {kind, other} <= {"DATE", "TIMESTAMP"}:
        raise SqlglotError("SQLite has no intervals: the difference of two times is none")
    return _days_later(left, right, sign) if kind == "DATE" else node


def _days_later(date: exp.Expr, days: exp.Expr, sign: int) -> exp.Expr:
    return _template("DATE(:x, :m)", "DATE", x=date, m=_modifier(days, sign, "days"))


def _is_interval(node: exp.Expr) -> bool:
    node = node.unnest()
    if isinstance(node, exp.Mul):
        return _is_interval(node.this) or _is_interval(node.expression)
    return isinstance(node, (exp.Interval, *UNIT_FUNCTIONS))


def _shifted(date: exp.Expr, interval: exp.Expr, sign: int) -> exp.Expr:
    """Write a date that an interval is added to.

    SQLite makes the 31st of January plus a month the 2nd of March, DuckDB the last of February: the earlier of the two.
    """
    for amount, unit in _amounts(interval):
        kind = "TIMESTAMP" if type_of(date) == "TIMESTAMP" or unit in SECONDS_A_UNIT else "DATE"
        if unit in MONTHS_A_UNIT:
            month = _modifier(amount, sign * MONTHS_A_UNIT[unit], "months")
            later = "MIN(DATE(:x, :m), DATE(:x, 'start of month', :m, '+1 month', '-1 day'))"
            sql = later if kind == "DATE" else f"({later} || SUBSTR(DATETIME(:x), 11))"
            date = _template(sql, kind, x=date, m=month)
        else:
            size, name = (DAYS_A_UNIT[unit], "days") if unit in DAYS_A_UNIT else (SECONDS_A_UNIT[unit], "seconds")
            function = "DATE" if kind == "DATE" else "DATETIME"
            date = _template(f"{function}(:x, :m)", kind, x=date, m=_modifier(amount, sign * size, name))
    return date


def _amounts(interval: exp.Expr) -> list[tuple[exp.Expr, str]]:
    """Return how many of which units an interval is.

    Raises:
        SqlglotError: it has a unit that is not known here.
    """
    interval = interval.unnest()
    if isinstance(interval, exp.Mul):
        times, inner = interval.this, interval.expression
        times, inner = (inner, times) if _is_interval(times) else (times, inner)
        return [(exp.Mul(this=amount.copy(), expression=times.copy()), unit) for amount, unit in _amounts(inner)]
    if isinstance(interval, UNIT_FUNCTIONS):
        found = [(interval.this, UNITS_OF[type(interval)])]
    elif unit := interval.args.get("unit"):
        amount = interval.this.unnest()
        found = [(exp.Literal.number(amount.name) if isinstance(amount, exp.Literal) else amount, _unit(unit.name))]
    else:
        found = [(exp.Literal.number(amount), _unit(name)) for amount, name in AMOUNT.findall(interval.this.name)]
    unknown = [unit for _, unit in found if unit not in MONTHS_A_UNIT | DAYS_A_UNIT | SECONDS_A_UNIT]
    if unknown or not found:
        raise SqlglotError(f"SQLite cannot add {interval.sql('duckdb')}")
    return found


def _modifier(amount: exp.Expr, size: int, unit: str) -> exp.Expr:
    """Return what SQLite's functions add: '-30 days'."""
    try:
        number = float(amount.sql("duckdb"))
    except ValueError:
        return _template(f"(:a * {size}) || ' {unit}'", a=exp.paren(amount))
    return exp.Literal.string(f"{number * size:+.10g} {unit}")


def _format(node: exp.Expr) -> exp.Expr:
    """Write `strftime(date, format)`, which DuckDB takes in either order."""
    date, text = node.this, node.args["format"]
    if isinstance(date, exp.Literal) and not isinstance(text, exp.Literal):
        date, text = text, date
    unknown = set(re.findall(r"%(-?.)", text.name)) - FORMATS
    if unknown or not isinstance(text, exp.Literal):
        raise SqlglotError(f"SQLite's strftime does not know %{min(unknown, default='')}")
    return _template("STRFTIME(:f, :x)", "VARCHAR", f=text, x=date)


def _name(names: list[str], part: str) -> Callable[[exp.Expr], exp.Expr]:
    """Return what writes a day's or month's English name."""
    cases = " ".join(f"WHEN {number} THEN '{name}'" for number, name in enumerate(names) if name)
    return lambda node: _template(f"CASE {PARTS[part]} {cases} END", "VARCHAR", x=node.this)


def _joined(node: exp.Expr) -> exp.Expr:
    """Write `concat`, which leaves NULLs out and which only new SQLites have."""
    parts = [_template("COALESCE(:x, '')", "VARCHAR", x=part) for part in node.expressions]
    return exp.paren(functools.reduce(lambda left, right: exp.DPipe(this=left, expression=right), parts))


def _refused_format(_: exp.Expr) -> exp.Expr:
    raise SqlglotError("SQLite's format has other places for its values than {}")


def _gathered(node: exp.Expr) -> exp.Expr:
    """Leave out the comma of `string_agg(DISTINCT …, ',')`: SQLite takes no separator there, and has that one."""
    separator = node.args.get("separator")
    if isinstance(node.this, exp.Distinct) and isinstance(separator, exp.Literal) and separator.name == ",":
        node.set("separator", None)
    return node


def _cast(node: exp.Expr) -> exp.Expr:
    functions = {"DATE": "DATE(:x)", "TIMESTAMP": "DATETIME(:x)", "TIME": "TIME(:x)"}
    kind = type_of(node) or str(node.args["to"].this.name)
    return _template(functions[kind], kind, x=node.this) if kind in functions else node


def _made(node: exp.Expr) -> exp.Expr:
    parts = {name: node.args[part] for name, part in (("y", "year"), ("m", "month"), ("d", "day"))}
    return _template("PRINTF('%04d-%02d-%02d', :y, :m, :d)", "DATE", **parts)


def _last_day(node: exp.Expr) -> exp.Expr:
    return _template("DATE(:x, 'start of month', '+1 month', '-1 day')", "DATE", x=node.this)


UNITS_OF: dict[type[exp.Expr], str] = {exp.ToDays: "day"}
UNIT_FUNCTIONS = tuple(UNITS_OF)
SUNDAY_FIRST = [*calendar.day_name[6:], *calendar.day_name[:6]]
REWRITES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
    **dict.fromkeys(NODES, _named_part),
    exp.Extract: _extract,
    exp.Anonymous: _anonymous,
    exp.TimestampTrunc: _truncated,
    exp.DateTrunc: _truncated,
    exp.DateDiff: _difference,
    exp.Add: _sum,
    exp.Sub: _sum,
    exp.DateAdd: lambda node: _shifted(node.this, node.expression, 1),
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
