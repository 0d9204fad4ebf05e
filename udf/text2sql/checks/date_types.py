"""Finds the expressions of a query that are dates and times, from its text and its columns' types."""

from __future__ import annotations

from sqlglot import expressions as exp

TIMESTAMPS = ("TIMESTAMP", "DATETIME")
NOW = ("now", "get_current_timestamp", "transaction_timestamp")
OF_THEIR_ARGUMENT = (
    exp.Paren, exp.Min, exp.Max, exp.AnyValue, exp.IgnoreNulls, exp.First, exp.Last, exp.Coalesce, exp.Alias,
    exp.Window, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.TimestampTrunc, exp.DateTrunc, exp.Filter,
)  # fmt: skip


def infer_date_type(node: exp.Expr) -> str:
    """Return 'DATE', 'TIMESTAMP', the declared type of a column, or '' if the type is unknown."""
    if "type" in node.meta:
        return _plain(str(node.meta["type"]))
    if isinstance(node, exp.Cast):
        return _plain(str(node.to.this.name))
    if isinstance(node, exp.CurrentDate | exp.DateFromParts | exp.LastDay | exp.Date):
        return "DATE"
    if isinstance(node, exp.CurrentTimestamp | exp.Localtimestamp):
        return "TIMESTAMP"
    if isinstance(node, exp.Anonymous):
        return "TIMESTAMP" if node.name.lower() in NOW else ""
    if isinstance(node, OF_THEIR_ARGUMENT):
        return infer_date_type(node.this)
    query = node.this if isinstance(node, exp.Subquery) else None
    return infer_date_type(query.selects[0]) if isinstance(query, exp.Select) and len(query.selects) == 1 else ""


def _plain(name: str) -> str:
    return "TIMESTAMP" if name.startswith(TIMESTAMPS) else name
