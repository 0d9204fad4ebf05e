"""Waves: a LIMIT over what a model decides asks about the first rows, then about more, never about the whole table."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from .guards import guard_rows
from .parse import Reading
from .predicates import all_of, asking_names, asks, conjuncts, names_one_of

FIRST = 16
"""Rows of the smallest first wave."""
GROWTH = 4
"""A wave is at most so many times as large as the one before it."""
PASSED = "quackllm_passed"
CHANGES_ROWS = ("distinct", "group", "having", "qualify", "windows", "sample", "into", "pivots")
TAKES_NULL = (exp.Is, exp.Coalesce, exp.Case, exp.If, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Query)
"""What may be true of a row that was not asked about."""


@dataclass
class Waves:
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
        wave.set("expressions", [*wave.expressions, self.asking.copy().as_(PASSED)])
        return wave.sql(dialect="duckdb")

    def counting(self) -> str:
        """Return a SELECT of how many rows the wave has, and how many of them pass."""
        return f"SELECT count(*), count(*) FILTER (WHERE {PASSED}) FROM ({self.sql()})"

    def enough(self, rows: int, passed: int) -> bool:
        """Return whether the wave reached far enough; if not, the next is larger."""
        if passed >= self.wanted or rows < self.size:
            return True
        needed = self.size * self.wanted // max(passed, 1) * 5 // 4
        self.size = max(2 * self.size, min(needed, GROWTH * self.size))
        return False


def waves_of(reading: Reading) -> Waves | None:
    """Return the waves of `SELECT … WHERE asking ORDER BY native LIMIT n`; None for a statement of another form."""
    select = reading.tree
    if not isinstance(select, exp.Select) or any(select.args.get(name) for name in CHANGES_ROWS):
        return None
    limit, offset = _number(select.args.get("limit")), _number(select.args.get("offset"))
    named = asking_names(select, reading.is_call)
    if not limit or offset is None or not select.args.get("where") or not _in_native_order(select, reading, named):
        return None
    if any(item.find(exp.AggFunc, exp.Window, exp.Unnest, exp.Explode) for item in select.expressions):
        return None
    native = select.copy()
    guard_rows(native, reading.is_call)
    parts = conjuncts(native.args["where"].this)
    asking = [part for part in parts if asks(part, reading.is_call)]
    if not asking or names_one_of(select.args["where"], named) or _takes_null(select, reading):
        return None
    kept = [part for part in parts if part not in asking]
    native.set("where", exp.Where(this=all_of(kept)) if kept else None)
    native.set("expressions", [item for item in native.expressions if not asks(item, reading.is_call)])
    native.set("offset", None)
    return Waves(limit + offset, all_of(asking), native, max(FIRST, 2 * (limit + offset)))


def _number(clause: exp.Expr | None) -> int | None:
    """Return the number of LIMIT or OFFSET, 0 where there is none; None where it is no plain number."""
    if clause is None:
        return 0
    number = clause.expression
    return int(number.name) if isinstance(number, exp.Literal) and number.is_int else None


def _in_native_order(select: exp.Select, reading: Reading, named: frozenset[str]) -> bool:
    terms = [term.this for order in [select.args.get("order")] if order for term in order.expressions]
    return not any(
        isinstance(term, exp.Literal) or asks(term, reading.is_call) or names_one_of(term, named) for term in terms
    )


def _takes_null(select: exp.Select, reading: Reading) -> bool:
    clauses = [select.args["where"].this, *(join.args.get("on") for join in select.args.get("joins") or [])]
    parts = [part for clause in clauses for part in conjuncts(clause) if asks(part, reading.is_call)]
    return any(part.find(*TAKES_NULL) for part in parts)
