"""Pushing down: a native condition on a subquery's rows becomes a condition inside the subquery."""

from __future__ import annotations

from sqlglot import exp

from .predicates import IsCall, conjuncts, contains_call

BLOCKS_PUSHDOWN = ("group", "having", "distinct", "limit", "offset", "qualify", "windows", "sample", "laterals", "into")
"""What a subquery may not have: with it, fewer rows inside would mean other rows outside."""


def push_down(select: exp.Select, query: exp.Query, is_call: IsCall) -> None:
    """Copy the native conditions of WHERE into the subquery or CTE that the SELECT reads, where they mean the same."""
    source = select.args.get("from_")
    where = select.args.get("where")
    if source is None or where is None or select.args.get("joins") or select.args.get("laterals"):
        return
    inner = _inner(source.this, query)
    if inner is None or not contains_call(inner, is_call) or not _keeps_rows(inner):
        return
    for part in conjuncts(where.this):
        if not contains_call(part, is_call) and not part.find(exp.Query):
            moved = _rewrite_columns(part, source.this.alias_or_name, inner, is_call)
            if moved is not None:
                inner.where(moved, copy=False)


def _inner(source: exp.Expr, query: exp.Query) -> exp.Select | None:
    """Return the SELECT that is read, if nobody else reads it."""
    if isinstance(source, exp.Subquery) and not source.args.get("pivots"):
        return source.this if isinstance(source.this, exp.Select) and not _renames(source) else None
    if not isinstance(source, exp.Table) or source.db or source.args.get("pivots"):
        return None
    named = [cte for cte in query.find_all(exp.CTE) if cte.alias.lower() == source.name.lower()]
    read = [table for table in query.find_all(exp.Table) if table.name.lower() == source.name.lower()]
    recursive = any(clause.args.get("recursive") for clause in query.find_all(exp.With))
    if len(named) != 1 or len(read) != 1 or recursive or _renames(named[0]) or _renames(source):
        return None
    return named[0].this if isinstance(named[0].this, exp.Select) else None


def _renames(source: exp.Expr) -> bool:
    alias = source.args.get("alias")
    return isinstance(alias, exp.TableAlias) and bool(alias.args.get("columns"))


def _keeps_rows(inner: exp.Select) -> bool:
    if any(inner.args.get(name) for name in BLOCKS_PUSHDOWN):
        return False
    shown = inner.expressions
    return not any(item.find(exp.AggFunc, exp.Window, exp.Unnest, exp.Explode, exp.Columns) for item in shown)


def _rewrite_columns(part: exp.Expr, alias: str, inner: exp.Select, is_call: IsCall) -> exp.Expr | None:
    """Return the condition in the subquery's own columns; None where one of them is not plainly its own."""
    moved = exp.Paren(this=part.copy())
    for column in list(moved.find_all(exp.Column)):
        if column.table.lower() not in ("", alias.lower()) or isinstance(column.parent, exp.Dot):
            return None
        own = _own_column(column.name, inner)
        if own is None or contains_call(own, is_call) or own.find(exp.Query):
            return None
        column.replace(own)
    return moved


def _own_column(name: str, inner: exp.Select) -> exp.Expr | None:
    shown = [item for item in inner.expressions if item.alias_or_name.lower() == name.lower() and not item.is_star]
    stars = [item for item in inner.expressions if item.is_star]
    if shown and not stars and len(shown) == 1:
        return exp.paren(shown[0].unalias().copy())
    if stars and not shown and all(_is_plain(star) for star in stars) and len(stars) == 1:
        return exp.column(name, quoted=True)
    return None


def _is_plain(star: exp.Expr) -> bool:
    return isinstance(star, exp.Star) and not any(
        star.args.get(name) for name in ("except_", "except", "replace", "rename")
    )
