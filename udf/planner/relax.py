"""An opened SELECT: every row passes the conditions that ask, so that all that may be asked is seen."""

from __future__ import annotations

from sqlglot import exp

from .predicates import IsCall, conjunction, conjuncts, contains_call, has_positional_parameter, split_predicates
from .pushdown import push_down

IMPOSSIBLE_HASH = 1234567
"""A hash that no condition's value has; DuckDB does not know that, and evaluates the condition."""


def relax_predicates(query: exp.Query, is_call: IsCall) -> exp.Query:
    """Return the query in which what asks is evaluated on the rows that the native conditions leave, and passed."""
    rewritten = query.copy()
    repeated = not has_positional_parameter(rewritten)
    for select in list(rewritten.find_all(exp.Select)):
        if repeated:
            push_down(select, rewritten, is_call)
        for join in select.args.get("joins") or []:
            native = [part for part in conjuncts(join.args.get("on")) if not contains_call(part, is_call)]
            if len(native) < len(conjuncts(join.args.get("on"))):
                _open(join, "on", native, [part for part in conjuncts(join.args["on"]) if part not in native], repeated)
        for clause in ("where", "having"):
            if found := select.args.get(clause):
                _open(found, "this", *split_predicates(select, clause, is_call), repeated)
    return rewritten


def _open(holder: exp.Expr, place: str, native: list[exp.Expr], asking: list[exp.Expr], guard: bool) -> None:
    passed = [
        _passed(exp.Case().when(conjunction(native), part.copy()) if guard and native else part) for part in asking
    ]
    holder.set(place, conjunction([*native, *passed]))


def _passed(part: exp.Expr) -> exp.Expr:
    return exp.NEQ(
        this=exp.Anonymous(this="hash", expressions=[part.copy()]), expression=exp.Literal.number(IMPOSSIBLE_HASH)
    )
