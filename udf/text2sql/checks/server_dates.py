"""DuckDB's dates in MySQL and MariaDB, and in PostgreSQL.

MySQL's functions: https://mariadb.com/docs/server/reference/sql-functions/date-time-functions.
PostgreSQL's: https://www.postgresql.org/docs/current/functions-datetime.html.
"""

from __future__ import annotations

from sqlglot import expressions as exp

from .date_types import infer_date_type
from .dates import DateFunctions, add_interval, template

SECONDS = "TIMESTAMPDIFF(SECOND, '0001-01-01', {0})"
MYSQL = DateFunctions(
    "mysql",
    parts={
        "dayofweek": "(DAYOFWEEK(:x) - 1)",
        "isodow": "(WEEKDAY(:x) + 1)",
        "dayofyear": "DAYOFYEAR(:x)",
        "week": "WEEK(:x, 3)",
        "isoyear": "(YEARWEEK(:x, 3) DIV 100)",
        "yearweek": "YEARWEEK(:x, 3)",
        "decade": "(YEAR(:x) DIV 10)",
        "epoch": "TIMESTAMPDIFF(SECOND, '1970-01-01', :x)",
        **{unit: f"{unit.upper()}(:x)" for unit in ("year", "quarter", "month", "day", "hour", "minute", "second")},
    },
    truncated_dates={"week": "DATE(:x - INTERVAL WEEKDAY(:x) DAY)", "day": "DATE(:x)"},
    truncated_times={},
    differences={
        "year": "(YEAR(:y) - YEAR(:x))",
        "quarter": "((YEAR(:y) * 4 + QUARTER(:y)) - (YEAR(:x) * 4 + QUARTER(:x)))",
        "month": "((YEAR(:y) * 12 + MONTH(:y)) - (YEAR(:x) * 12 + MONTH(:x)))",
        "week": "(DATEDIFF(:y, :x) DIV 7)",
        "day": "DATEDIFF(:y, :x)",
        "hour": f"({SECONDS.format(':y')} DIV 3600 - {SECONDS.format(':x')} DIV 3600)",
        "minute": f"({SECONDS.format(':y')} DIV 60 - {SECONDS.format(':x')} DIV 60)",
        "second": "TIMESTAMPDIFF(SECOND, :x, :y)",
    },
    days_between="DATEDIFF(:y, :x)",
    shifted=add_interval,
    rewrites={
        exp.DateFromParts: lambda node: template(
            "mysql", "DATE(CONCAT_WS('-', :y, :m, :d))", "DATE", **_date_parts(node)
        ),
        exp.Contains: lambda node: template("mysql", "(LOCATE(:y, :x) > 0)", x=node.this, y=node.expression),
        exp.StartsWith: lambda node: template(
            "mysql", "(LEFT(:x, CHAR_LENGTH(:y)) = :y)", x=node.this, y=node.expression
        ),
    },
)


def _date_parts(node: exp.Expr) -> dict[str, exp.Expr]:
    return {name: node.args[part] for name, part in (("y", "year"), ("m", "month"), ("d", "day"))}


def _as_date(node: exp.Expr) -> exp.Expr:
    """Write `date_trunc` of a date as a date: PostgreSQL would return a timestamp in the server's time zone."""
    if infer_date_type(node.this) != "DATE" or isinstance(node.parent, exp.Cast):
        return node
    return exp.cast(node.copy(), "DATE")


def _add_in_postgres(date: exp.Expr, amount: exp.Expr, unit: str, sign: int) -> exp.Expr:
    """Write an interval as a number times one unit, unless the number is a literal."""
    if isinstance(amount, exp.Literal):
        return add_interval(date, exp.Literal.string(amount.name), unit, sign)
    times = exp.Mul(this=exp.paren(amount), expression=exp.Interval(this=exp.Literal.string("1"), unit=exp.var(unit)))
    written = exp.paren((exp.Add if sign > 0 else exp.Sub)(this=date.copy(), expression=times), copy=False)
    written.meta["type"] = infer_date_type(date)
    return written


FIELDS = {"dayofweek": "DOW", "dayofyear": "DOY"}
FULL_UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "isoyear", "isodow", "decade")
PART = {
    name: f"CAST(TRUNC(EXTRACT({FIELDS.get(name, name.upper())} FROM :x)) AS BIGINT)" for name in (*FULL_UNITS, *FIELDS)
}
MONTHS = "(EXTRACT(YEAR FROM {0}) * 12 + EXTRACT(MONTH FROM {0}) - 1)"
BORDERS = {
    "year": "EXTRACT(YEAR FROM {0})",
    "quarter": f"FLOOR({MONTHS} / 3)",
    "month": MONTHS,
    "hour": "FLOOR(EXTRACT(EPOCH FROM {0}) / 3600)",
    "minute": "FLOOR(EXTRACT(EPOCH FROM {0}) / 60)",
    "second": "FLOOR(EXTRACT(EPOCH FROM {0}))",
}
POSTGRES = DateFunctions(
    "postgres",
    parts=PART | {"yearweek": f"({PART['isoyear']} * 100 + {PART['week']})", "epoch": "EXTRACT(EPOCH FROM :x)"},
    truncated_dates={},
    truncated_times={},
    differences={
        **{unit: f"CAST({sql.format(':y')} - {sql.format(':x')} AS BIGINT)" for unit, sql in BORDERS.items()},
        "day": "(CAST(:y AS DATE) - CAST(:x AS DATE))",
        "week": "((CAST(:y AS DATE) - CAST(:x AS DATE)) / 7)",
    },
    days_between=None,
    shifted=_add_in_postgres,
    rewrites={
        exp.TimestampTrunc: _as_date,
        exp.DateFromParts: lambda node: template("postgres", "MAKE_DATE(:y, :m, :d)", "DATE", **_date_parts(node)),
        exp.Dayname: lambda node: exp.Anonymous(this="TO_CHAR", expressions=[node.this, exp.Literal.string("FMDay")]),
        exp.Monthname: lambda node: exp.Anonymous(
            this="TO_CHAR", expressions=[node.this, exp.Literal.string("FMMonth")]
        ),
        exp.Contains: lambda node: template("postgres", "(STRPOS(:x, :y) > 0)", x=node.this, y=node.expression),
    },
)
