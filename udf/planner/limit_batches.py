"""Waves: a LIMIT over what a model decides asks about the first rows, then about more, never about the whole table."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from .guards import guard_where_and_joins
from .parse import ModelQuery
from .predicates import call_aliases, conjunction, conjuncts, contains_call, references_any

FIRST = 16
"""Rows of the smallest first wave."""
GROWTH = 4
"""A wave is at most so many times as large as the one before it."""
PASSED_COLUMN = "quackllm_passed"
CHANGES_ROWS = ("distinct", "group", "having", "qualify", "windows", "sample", "into", "pivots")
NULL_TOLERANT = (exp.Is, exp.Coalesce, exp.Case, exp.If, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Query)
"""What may be true of a row that was not asked about."""


@dataclass
class LimitBatches:
    """The waves of one statement. `passed` rows of the first `size` satisfy its conditions, as far as is known.

    Args:
        wanted: how many rows its LIMIT and OFFSET reach.
        asking, native: the conditions that ask, and the SELECT with only the others.
    """

    wanted: int
    asking: exp.Expr
    native: exp.Select
    size: int

    def sql(self) -> str:
        """Return a SELECT of the first rows that asks about them."""
        wave = self.native.copy().limit(self.size, copy=False)
        wave.set("expressions", [*wave.expressions, self.asking.copy().as_(PASSED_COLUMN)])
        return wave.sql(dialect="duckdb")

    def counting(self) -> str:
        """Return a SELECT of how many rows the wave has, and how many of them pass."""
        return f"SELECT count(*), count(*) FILTER (WHERE {PASSED_COLUMN}) FROM ({self.sql()})"

    def is_satisfied(self, rows: int, passed: int) -> bool:
        """Return whether the wave reached far enough; if not, the next is larger."""
        if passed >= self.wanted or rows < self.size:
            return True
        needed = self.size * self.wanted // max(passed, 1) * 5 // 4
        self.size = max(2 * self.size, min(needed, GROWTH * self.size))
        return False


def limit_batches(reading: ModelQuery) -> LimitBatches | None:
    """Return the waves of `SELECT … WHERE asking ORDER BY native LIMIT n`; None for a statement of another form."""
    select = reading.tree
    if not isinstance(select, exp.Select) or any(select.args.get(name) for name in CHANGES_ROWS):
        return None
    limit, offset = _number(select.args.get("limit")), _number(select.args.get("offset"))
    named = call_aliases(select, reading.is_call)
    if not limit or offset is None or not select.args.get("where") or not _in_native_order(select, reading, named):
        return None
    if any(item.find(exp.AggFunc, exp.Window, exp.Unnest, exp.Explode) for item in select.expressions):
        return None
    native = select.copy()
    guard_where_and_joins(native, reading.is_call)
    parts = conjuncts(native.args["where"].this)
    asking = [part for part in parts if contains_call(part, reading.is_call)]
    if not asking or references_any(select.args["where"], named) or _takes_null(select, reading):
        return None
    kept = [part for part in parts if part not in asking]
    native.set("where", exp.Where(this=conjunction(kept)) if kept else None)
    native.set("expressions", [item for item in native.expressions if not contains_call(item, reading.is_call)])
    native.set("offset", None)
    return LimitBatches(limit + offset, conjunction(asking), native, max(FIRST, 2 * (limit + offset)))


def _number(clause: exp.Expr | None) -> int | None:
    """Return the number of LIMIT or OFFSET, 0 where there is none; None where it is no plain number."""
    if clause is None:
        return 0
    number = clause.expression
    return int(number.name) if isinstance(number, exp.Literal) and number.is_int else None


def _in_native_order(select: exp.Select, reading: ModelQuery, named: frozenset[str]) -> bool:
    terms = [term.this for order in [select.args.get("order")] if order for term in order.expressions]
    return not any(
        isinstance(term, exp.Literal) or contains_call(term, reading.is_call) or references_any(term, named)
        for term in terms
    )


def _takes_null(select: exp.Select, reading: ModelQuery) -> bool:
    clauses = [select.args["where"].this, *(join.args.get("on") for join in select.args.get("joins") or [])]
    parts = [part for clause in clauses for part in conjuncts(clause) if contains_call(part, reading.is_call)]
    return any(part.find(*NULL_TOLERANT) for part in parts)
