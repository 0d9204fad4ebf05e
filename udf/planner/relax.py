"""A relaxed SELECT, for the estimate: every row passes what models decide, so that all that may be called is seen."""

from __future__ import annotations

from collections.abc import Sequence

from .guards import find_joins
from .parse_statement import ModelQuery
from .predicates import call_aliases, conjunction, contains_call, split_predicates
from .pushdown import push_all_down
from .statement_tree import Node, case_when, comparison, constant, copy_tree, function, is_function, selects, walk

IMPOSSIBLE_HASH = 1234567
"""A hash that no value has; DuckDB does not know that, and evaluates the value."""


def relax_predicates(reading: ModelQuery) -> Node:
    """Return the query in which what calls a model is evaluated on the rows that the other predicates leave."""
    rewritten = copy_tree(reading.tree)
    names = call_aliases(rewritten, reading.is_call)
    for node in reversed(list(walk(rewritten))):
        if branches := [branch for branch in find_branches(node) if _hangs_on_answer(branch, reading)]:
            whole = copy_tree(node)
            node.clear()
            node.update(case_when(conjunction([_evaluated(_reached(*branch, reading)) for branch in branches]), whole))
            node["alias"], whole["alias"] = whole["alias"], ""
    push_all_down(rewritten, reading)
    for select in reversed(selects(rewritten)):
        for join in find_joins(select["from_table"]):
            if contains_call(join["condition"], reading.is_call):
                join["condition"] = _relaxed(*split_predicates(join["condition"], frozenset(), reading.is_call))
        for clause in ("where_clause", "having"):
            native, calling = split_predicates(select[clause], names, reading.is_call)
            if calling:
                select[clause] = _relaxed(native, calling)
    return rewritten


def find_branches(node: Node) -> list[tuple[list[Node], Node]]:
    """Return what CASE, COALESCE, `if` and OR evaluate for some rows only, each with what must be true of the row."""
    if node.get("type") == "OPERATOR_COALESCE":
        absent = [{**node, "type": "OPERATOR_IS_NULL", "children": [child]} for child in node["children"]]
        return [(absent[:index], child) for index, child in enumerate(node["children"])]
    if node.get("type") == "CONJUNCTION_OR":
        return [([_untrue(each) for each in node["children"][:index]], child)
                for index, child in enumerate(node["children"])]  # fmt: skip
    if node.get("class") == "CASE":
        checks = [(check["when_expr"], check["then_expr"]) for check in node["case_checks"]]
        return _cases(checks, node["else_expr"])
    if is_function(node) and node["function_name"].lower() == "if" and len(node["arguments"]) == 3:
        condition, yes, no = (argument["expression"] for argument in node["arguments"])
        return _cases([(condition, yes)], no)
    return []


def _cases(checks: Sequence[tuple[Node, Node]], last: Node) -> list[tuple[list[Node], Node]]:
    branches: list[tuple[list[Node], Node]] = []
    passed: list[Node] = []
    for condition, result in checks:
        branches += [(list(passed), condition), ([*passed, condition], result)]
        passed.append(_untrue(condition))
    return [*branches, (passed, last)]


def _untrue(condition: Node) -> Node:
    """Return whether the condition is false or NULL."""
    return case_when(conjunction([condition]), constant(False)) | {"else_expr": constant(True)}


def _hangs_on_answer(branch: tuple[list[Node], Node], reading: ModelQuery) -> bool:
    conditions, part = branch
    return contains_call(part, reading.is_call) and contains_call(conditions, reading.is_call)


def _reached(conditions: Sequence[Node], part: Node, reading: ModelQuery) -> Node:
    """Return the part, evaluated where the conditions that call no model are true."""
    native = [condition for condition in conditions if not contains_call(condition, reading.is_call)]
    return case_when(conjunction(native), part) if native else part


def _relaxed(native: Sequence[Node], calling: Sequence[Node]) -> Node:
    evaluated = [_evaluated(case_when(conjunction(native), part) if native else part) for part in calling]
    return conjunction([*native, *evaluated])


def _evaluated(part: Node) -> Node:
    """Return a predicate that is true of every row, once DuckDB has evaluated the part."""
    return comparison("NOTEQUAL", function("hash", copy_tree(part)), constant(IMPOSSIBLE_HASH))
