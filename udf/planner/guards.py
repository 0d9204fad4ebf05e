"""Guards: a copy of a SELECT in which a model is called only for rows that pass the predicates that call none.

DuckDB keeps no order among predicates and pushes a model call below a join; out of `CASE WHEN native THEN calling END`
it moves nothing. A row whose guard is not true is dropped whatever the model would have said, so the copy
gives the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .parse_statement import ModelQuery
from .predicates import call_aliases, conjunction, conjuncts, contains_call, split_predicates
from .pushdown import push_all_down
from .statement_tree import (
    Node,
    case_when,
    column,
    comparison,
    constant,
    contains_query,
    copy_tree,
    is_function,
    selects,
    walk,
)


def add_guards(reading: ModelQuery) -> Node:
    """Return the query with guards around the predicates that call models; equal to the one given if it needs none."""
    rewritten = copy_tree(reading.tree)
    names = call_aliases(rewritten, reading.is_call)
    push_all_down(rewritten, reading)
    # A guard copies the subqueries inside of it: they must have theirs before.
    for select in reversed(selects(rewritten)):
        guard_where_and_joins(select, names, reading)
        _guard(select, "having", [], names, reading)
    for node in reversed(list(walk(rewritten))):
        if is_function(node) and node.get("filter"):
            _guard(node, "filter", [], names, reading)
    return rewritten


def guard_where_and_joins(select: Node, names: frozenset[str], reading: ModelQuery) -> None:
    """Guard the predicates of ON and WHERE; where all joins are inner, they are one list."""
    select.update(gathered(select, reading))
    joins = list(find_joins(select["from_table"]))
    native: list[Node] = []
    if all(_is_inner(join) for join in joins):
        native = [part for join in joins for part in _join_predicates(join, joins)]
    _guard(select, "where_clause", native, names, reading)


def find_joins(source: Node) -> Iterator[Node]:
    """Yield the joins of a FROM, without those of its subqueries."""
    if source["type"] == "JOIN":
        yield from find_joins(source["left"])
        yield from find_joins(source["right"])
        yield source


def source_name(source: Node) -> str:
    """Return the name by which a SELECT knows a source of its rows; none of a join."""
    return str(source["alias"] or source.get("table_name", ""))


def gathered(select: Node, reading: ModelQuery) -> Node:
    """Return the SELECT with the predicates of its joins that call models in its WHERE, if all joins are inner."""
    select = copy_tree(select)
    joins = list(find_joins(select["from_table"]))
    for join in joins if all(_is_inner(join) for join in joins) else []:
        parts = conjuncts(join["condition"])
        if calling := [part for part in parts if contains_call(part, reading.is_call)]:
            join["condition"] = conjunction([part for part in parts if part not in calling] or [constant(True)])
            select["where_clause"] = conjunction([*conjuncts(select["where_clause"]), *calling])
    return select


def _guard(holder: Node, clause: str, before: Sequence[Node], names: frozenset[str], reading: ModelQuery) -> None:
    """Let each predicate that calls a model wait for the others, and for those that call one before it."""
    if holder[clause] is None:
        return
    native, calling = split_predicates(holder[clause], names, reading.is_call)
    guard, done = [*before, *native], list(native)
    for part in calling:
        guarded = case_when(conjunction(guard), part) if guard and not contains_query(part) else part
        done.append(guarded)
        guard.append(guarded)
    if calling:
        holder[clause] = conjunction(done)


def _is_inner(join: Node) -> bool:
    """Whether a row of the join is a pair of rows that satisfies its condition, and nothing else."""
    return join["join_type"] == "INNER" and join["ref_type"] in ("REGULAR", "CROSS")


def _join_predicates(join: Node, joins: Sequence[Node]) -> list[Node]:
    """Return the predicates of a join; those of USING where it is plain whose columns they are."""
    left, right = source_name(join["left"]), source_name(join["right"])
    plain = len(joins) == 1 and left and right
    using = join["using_columns"] if plain else []
    return conjuncts(join["condition"]) + [
        comparison("EQUAL", column(left, name), column(right, name)) for name in using
    ]
