"""Guards: a copy of a SELECT in which a model is asked only about rows that the native conditions leave.

DuckDB keeps no order among conditions and pushes a model call below a join; out of `CASE WHEN native THEN asking END`
it moves nothing. A row whose guard is not true is dropped whatever the model would have said, so the copy
gives the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from .predicates import IsCall, conjunction, conjuncts, contains_call, has_positional_parameter, split_predicates
from .pushdown import push_down


def add_guards(query: exp.Query, is_call: IsCall) -> exp.Query:
    """Return the query with guards around the conditions that ask; equal to the one given where it needs none."""
    rewritten = query.copy()
    if has_positional_parameter(rewritten):
        return rewritten
    for select in list(rewritten.find_all(exp.Select)):
        push_down(select, rewritten, is_call)
        guard_where_and_joins(select, is_call)
        _guard(select, "having", [], is_call)
    return rewritten


def guard_where_and_joins(select: exp.Select, is_call: IsCall) -> None:
    """Guard the conditions of ON and WHERE; where all joins are inner, they are one list."""
    joins = select.args.get("joins") or []
    native: list[exp.Expr] = []
    if all(_is_inner(join) for join in joins):
        for join in joins:
            native += [part for part in _join_predicates(select, join, joins) if not contains_call(part, is_call)]
            _move_to_where(select, join, is_call)
    _guard(select, "where", native, is_call)


def _move_to_where(select: exp.Select, join: exp.Join, is_call: IsCall) -> None:
    parts = conjuncts(join.args.get("on"))
    if asking := [part for part in parts if contains_call(part, is_call)]:
        join.set("on", conjunction([part for part in parts if part not in asking] or [exp.true()]))
        select.where(*(part.copy() for part in asking), copy=False)


def _guard(select: exp.Select, clause: str, before: Sequence[exp.Expr], is_call: IsCall) -> None:
    """Let each condition that asks wait for the native ones, and for those that ask before it."""
    if (found := select.args.get(clause)) is None:
        return
    native, asking = split_predicates(select, clause, is_call)
    guard, done = [*before, *native], list(native)
    for part in asking:
        held = exp.Case().when(conjunction(guard), part.copy()) if guard and not part.find(exp.Query) else part
        done.append(held)
        guard.append(held)
    found.set("this", conjunction(done))


def _is_inner(join: exp.Join) -> bool:
    """Whether a row of the join is a pair of rows that satisfies its condition, and nothing else."""
    named = not join.args.get("side") and not join.args.get("method")
    kind = (join.args.get("kind") or "").upper()
    return named and kind in ("", "INNER", "CROSS") and isinstance(join.this, exp.Table | exp.Subquery)


def _join_predicates(select: exp.Select, join: exp.Join, joins: Sequence[exp.Join]) -> list[exp.Expr]:
    """Return the conditions of a join; those of USING where it is plain whose columns they are."""
    using = join.args.get("using") or []
    left, right = select.args["from_"].this.alias_or_name, join.this.alias_or_name
    if using and (len(joins) > 1 or not left or not right):
        return []
    same = [exp.column(name.copy(), table=left).eq(exp.column(name.copy(), table=right)) for name in using]
    return conjuncts(join.args.get("on")) + same
