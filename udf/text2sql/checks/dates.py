"""Translates DuckDB's date functions to SQLite, MySQL and PostgreSQL where sqlglot does not, or does it wrongly."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import SqlglotError

from .date_types import NOW, infer_date_type

Rewrite = Callable[[exp.Expr], exp.Expr]
PART_ALIASES = {
    **{"dow": "dayofweek", "weekday": "dayofweek", "doy": "dayofyear", "weekofyear": "week", "dayofmonth": "day"},
    **{f"{unit}s": unit for unit in ("year", "month", "day", "hour", "minute", "second", "week", "quarter", "decade")},
}
MONTHS_A_UNIT = {"month": 1, "quarter": 3, "year": 12, "decade": 120}
DAYS_A_UNIT = {"day": 1, "week": 7}
SECONDS_A_UNIT = {"second": 1, "minute": 60, "hour": 3600}
AMOUNT = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)
NODES: dict[type[exp.Expr], str] = {
    exp.Year: "year", exp.Quarter: "quarter", exp.Month: "month", exp.Week: "week", exp.Day: "day",
    exp.DayOfMonth: "day", exp.DayOfWeek: "dayofweek", exp.DayOfWeekIso: "isodow", exp.DayOfYear: "dayofyear",
    exp.WeekOfYear: "week", exp.Hour: "hour", exp.Minute: "minute", exp.Second: "second", exp.TimeToUnix: "epoch",
}  # fmt: skip


@dataclass(frozen=True)
class DateFunctions:
    """One database's SQL for DuckDB's date functions; `:x` and `:y` are placeholders.

    Args:
        dialect: sqlglot's name of its SQL dialect.
        parts: date parts, by DuckDB's names.
        truncated_dates: `date_trunc` to days and longer units, which returns a date.
        truncated_times: `date_trunc` to hours and shorter units.
        differences: `date_diff` from x to y by unit.
        days_between: `y - x` of two dates; None: the same as in DuckDB.
        shifted: writes the addition (1) or subtraction (-1) of an amount of a unit to a date.
        rewrites: all other rewrites.
    """

    dialect: str
    parts: Mapping[str, str]
    truncated_dates: Mapping[str, str]
    truncated_times: Mapping[str, str]
    differences: Mapping[str, str]
    days_between: str | None
    shifted: Callable[[exp.Expr, exp.Expr, str, int], exp.Expr]
    has_intervals: bool = True
    rewrites: Mapping[type[exp.Expr], Rewrite] = field(default_factory=dict)

    def rewrite(self, query: exp.Query) -> exp.Query:
        """Return DuckDB's query with the database's functions; the columns' types are in their `meta`.

        Raises:
            SqlglotError: the database has no equivalent for a part of it.
        """
        rewrites: dict[type[exp.Expr], Rewrite] = {
            **dict.fromkeys(NODES, lambda node: self._part(NODES[type(node)], node.this, node)),
            exp.Extract: lambda node: self._part(node.this.name, node.expression, node),
            exp.Anonymous: self._anonymous,
            exp.TimestampTrunc: self._truncated,
            exp.DateTrunc: self._truncated,
            exp.DateDiff: self._difference,
            exp.Add: self._sum,
            exp.Sub: self._sum,
            exp.DateAdd: lambda node: self._shifted(node.this, node.expression, 1),
            exp.TimeToStr: format_second,
            **self.rewrites,
        }
        for node in reversed(list(query.dfs())):  # Inner expressions first.
            if (rewrite := rewrites.get(type(node))) and (written := rewrite(node)) is not node:
                node.replace(written)
        if not self.has_intervals and query.find(exp.Interval):
            raise SqlglotError(f"{self.dialect} has no intervals")
        return query

    def _template(self, sql: str, date_type: str = "", **values: exp.Expr) -> exp.Expr:
        return template(self.dialect, sql, date_type, **values)

    def _part(self, name: str, value: exp.Expr, node: exp.Expr) -> exp.Expr:
        sql = self.parts.get(_unit(name))
        return self._template(sql, "BIGINT", x=value) if sql else node

    def _anonymous(self, node: exp.Expr) -> exp.Expr:
        name, given = node.name.lower(), node.expressions
        if name in NOW:
            return exp.CurrentTimestamp()
        if name in ("date_part", "datepart") and len(given) == 2 and isinstance(given[0], exp.Literal):
            return self._part(given[0].name, given[1], node)
        return self._part(name, given[0], node) if len(given) == 1 else node

    def _truncated(self, node: exp.Expr) -> exp.Expr:
        unit, date_type = _unit(node.args["unit"].name), infer_date_type(node.this)
        if sql := self.truncated_times.get(unit):
            return self._template(sql, "TIMESTAMP", x=node.this)
        if not (sql := self.truncated_dates.get(unit)):
            return node
        date = self._template(sql, "DATE", x=node.this)
        return self._template("CAST(:x AS DATETIME)", "TIMESTAMP", x=date) if date_type == "TIMESTAMP" else date

    def _difference(self, node: exp.Expr) -> exp.Expr:
        """Write `date_diff`, which counts the boundaries of months or hours between two dates, and full weeks."""
        unit = _unit(node.args["unit"].name)
        if unit not in self.differences:
            raise SqlglotError(f"the {unit}s between two dates are not counted in {self.dialect}")
        return self._template(self.differences[unit], "BIGINT", x=node.expression, y=node.this)

    def _sum(self, node: exp.Expr) -> exp.Expr:
        """Write `date ± interval`, `date ± days` and `date - date`."""
        left, right, sign = node.this, node.expression, -1 if isinstance(node, exp.Sub) else 1
        if isinstance(node, exp.Add) and (_is_interval(left) or infer_date_type(right) == "DATE"):
            left, right = right, left
        if _is_interval(right):
            return node if _is_interval(left) else self._shifted(left, right, sign)
        date_type, other = infer_date_type(left), infer_date_type(right)
        if self.days_between is None:
            return node
        if isinstance(node, exp.Sub) and date_type == other == "DATE":
            return self._template(self.days_between, "BIGINT", x=right, y=left)
        if isinstance(node, exp.Sub) and {date_type, other} <= {"DATE", "TIMESTAMP"}:
            raise SqlglotError(f"{self.dialect} has no intervals: the difference of two times is none")
        return self.shifted(left, right, "day", sign) if date_type == "DATE" else node

    def _shifted(self, date: exp.Expr, interval: exp.Expr, sign: int) -> exp.Expr:
        for amount, unit in _amounts(interval):
            date = self.shifted(date, amount, unit, sign)
        return date


def template(dialect: str, sql: str, date_type: str = "", **values: exp.Expr) -> exp.Expr:
    """Return a database's SQL with values for its placeholders, and its type in DuckDB."""
    written: exp.Expr = sqlglot.parse_one(sql, read=dialect)
    for placeholder in list(written.find_all(exp.Placeholder)):
        placeholder.replace(values[placeholder.name].copy())
    written.meta["type"] = date_type
    return written


def _unit(name: str) -> str:
    lower = name.lower()
    return PART_ALIASES.get(lower, lower)


def _is_interval(node: exp.Expr) -> bool:
    node = node.unnest()
    if isinstance(node, exp.Mul):
        return _is_interval(node.this) or _is_interval(node.expression)
    return isinstance(node, (exp.Interval, *UNIT_FUNCTIONS))


def _amounts(interval: exp.Expr) -> list[tuple[exp.Expr, str]]:
    """Return the amounts and units of an interval.

    Raises:
        SqlglotError: it has an unknown unit.
    """
    interval = interval.unnest()
    if isinstance(interval, exp.Mul):
        times, inner = interval.this, interval.expression
        times, inner = (inner, times) if _is_interval(times) else (times, inner)
        return [(exp.Mul(this=amount.copy(), expression=times.copy()), unit) for amount, unit in _amounts(inner)]
    if isinstance(interval, UNIT_FUNCTIONS):
        found = [(interval.this, EXTRACTED_UNITS[type(interval)])]
    elif unit := interval.args.get("unit"):
        amount = interval.this.unnest()
        found = [(exp.Literal.number(amount.name) if isinstance(amount, exp.Literal) else amount, _unit(unit.name))]
    else:
        found = _sums([(float(amount), _unit(name)) for amount, name in AMOUNT.findall(interval.this.name)])
    unknown = [unit for _, unit in found if unit not in MONTHS_A_UNIT | DAYS_A_UNIT | SECONDS_A_UNIT]
    if unknown or not found:
        raise SqlglotError(f"it cannot be added to a date: {interval.sql('duckdb')}")
    return found


def _sums(amounts: list[tuple[float, str]]) -> list[tuple[exp.Expr, str]]:
    """Return an interval's months, days and seconds, as DuckDB adds them; nothing if a unit is unknown."""
    found: list[tuple[exp.Expr, str]] = []
    for unit, sizes in (("month", MONTHS_A_UNIT), ("day", DAYS_A_UNIT), ("second", SECONDS_A_UNIT)):
        if total := sum(amount * sizes[name] for amount, name in amounts if name in sizes):
            found.append((exp.Literal.number(f"{total:.10g}"), unit))
    units = MONTHS_A_UNIT | DAYS_A_UNIT | SECONDS_A_UNIT
    return found if all(name in units for _, name in amounts) else []


def format_second(node: exp.Expr) -> exp.Expr:
    """Return `strftime` with its arguments in the order date, format; DuckDB accepts either order."""
    date, text = node.this, node.args["format"]
    if isinstance(date, exp.Literal) and not isinstance(text, exp.Literal):
        return exp.TimeToStr(this=text, format=date)
    return node


def add_interval(date: exp.Expr, amount: exp.Expr, unit: str, sign: int) -> exp.Expr:
    """Return a date with an interval added, as MySQL writes it."""
    date_type = "TIMESTAMP" if infer_date_type(date) == "TIMESTAMP" or unit in SECONDS_A_UNIT else "DATE"
    amount = amount if isinstance(amount, exp.Literal) else exp.paren(amount)
    operation = exp.Add if sign > 0 else exp.Sub
    shifted = operation(this=date.copy(), expression=exp.Interval(this=amount.copy(), unit=exp.var(unit.upper())))
    written = exp.paren(shifted, copy=False)
    written.meta["type"] = date_type
    return written


EXTRACTED_UNITS: dict[type[exp.Expr], str] = {exp.ToDays: "day"}
UNIT_FUNCTIONS = tuple(EXTRACTED_UNITS)
