"""LIMIT batches: under a LIMIT, a condition that calls a model is evaluated for the first rows, then for more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .guards import find_joins, guard_where_and_joins
from .parse_statement import ModelQuery
from .predicates import call_aliases, conjunction, conjuncts, contains_call, references_any
from .standalone import dropped_parameters
from .statement_tree import Node, case_when, comparison, constant, copy_tree, is_function, modifier, row_number, walk

FIRST = 8
"""Rows of the smallest first batch."""
GROWTH = 4
"""A batch is at most so many times as large as the one before it."""
PASSED_COLUMN = "quackllm_passed"
CHANGES_ROWS = ("group_expressions", "group_sets", "having", "qualify", "sample")
PLAIN_ITEMS = ("COLUMN_REF", "CONSTANT", "STAR", "PARAMETER")
NULL_TOLERANT_TYPES = frozenset({
    "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_COALESCE", "CASE_EXPR", "COMPARE_DISTINCT_FROM",
    "COMPARE_NOT_DISTINCT_FROM", "SUBQUERY", "ARRAY_CONSTRUCTOR",
})  # fmt: skip
NULL_TOLERANT_FUNCTIONS = frozenset({
    "if", "ifnull", "nvl", "concat", "concat_ws", "list_value", "list_pack", "struct_pack", "row", "map", "hash",
    "format", "printf", "greatest", "least", "array_value", "to_json", "json_object", "json_array", "llm_stack",
    "quackllm_stack", "llm_param", "quackllm_param",
})  # fmt: skip
"""What may be true of a row whose answer is NULL because no model was called for it."""


@dataclass
class LimitBatches:
    """The waves of one statement. `passed` rows of the first `size` satisfy its conditions, as far as is known.

    Args:
        row_limit: how many rows its LIMIT and OFFSET reach.
        model_condition, native: the conditions that call a model, and the SELECT with only the others.
        is_distinct: whether it counts rows that are not equal.
    """

    row_limit: int
    model_condition: Node
    native: Node
    size: int
    is_distinct: bool = False

    def batch(self) -> Node:
        """Return a SELECT that calls the model for the first rows."""
        batch, passed = copy_tree(self.native), copy_tree(self.model_condition)
        if order := modifier(batch, "ORDER"):  # DuckDB would call the model for all rows, and then sort them.
            passed = case_when(comparison("LESSTHANOREQUALTO", row_number(order), constant(self.size)), passed)
        batch["modifiers"] = [each for each in batch["modifiers"] if each["type"] == "ORDER_MODIFIER"]
        batch["modifiers"].append(limit_clause(self.size))
        batch["select_list"].append({**passed, "alias": PASSED_COLUMN})
        return batch

    def without_computed_columns(self) -> bool:
        """Drop the columns that may be an error for rows which the statement drops; whether it can do without them."""
        plain = [item for item in self.native["select_list"] if item["class"] in PLAIN_ITEMS]
        if self.is_distinct and len(plain) < len(self.native["select_list"]):
            return False
        self.native["select_list"] = plain
        return True

    def count_passed(self, batch_sql: str) -> str:
        """Return a SELECT of how many rows a batch has, and how many of them pass."""
        if self.is_distinct:
            passed = f"FROM (SELECT DISTINCT * FROM ({batch_sql}) WHERE {PASSED_COLUMN})"
            return f"SELECT (SELECT count(*) FROM ({batch_sql})), (SELECT count(*) {passed})"
        return f"SELECT count(*), count(*) FILTER (WHERE {PASSED_COLUMN}) FROM ({batch_sql})"

    def is_satisfied(self, rows: int, passed: int) -> bool:
        """Return whether the wave reached far enough; if not, the next is larger."""
        if passed >= self.row_limit or rows < self.size:
            return True
        needed = -(-self.size * self.row_limit // max(passed, 1))
        self.size = max(self.size + FIRST, min(needed, GROWTH * self.size))
        return False


def limit_batches(reading: ModelQuery, arguments: Any) -> LimitBatches | None:
    """Return the batches of `SELECT … WHERE model(…) ORDER BY native LIMIT n`; None for a statement of another form.

    Args:
        reading: the statement.
        arguments: its parameters' values: LIMIT may be one.
    """
    select = reading.tree
    if select["type"] != "SELECT_NODE" or any(select[name] for name in CHANGES_ROWS):
        return None
    distinct = modifier(select, "DISTINCT")
    row_limit = _row_limit(modifier(select, "LIMIT"), arguments)
    named = call_aliases(select, reading.is_call)
    if not row_limit or not select["where_clause"] or not _in_native_order(select, reading, named):
        return None
    if not reading.is_row_by_row(select["select_list"]):
        return None
    # A missing answer would be a NULL in the result, one value more than there is.
    if distinct and (
        distinct["distinct_on_targets"] or not all(_is_native(item, reading, named) for item in select["select_list"])
    ):
        return None
    native = copy_tree(select)
    guard_where_and_joins(native, named, reading)
    parts = conjuncts(native["where_clause"])
    model_conditions = [part for part in parts if contains_call(part, reading.is_call)]
    if not model_conditions or references_any(select["where_clause"], named) or _takes_null(select, reading):
        return None
    native_conditions = [part for part in parts if part not in model_conditions]
    native["where_clause"] = conjunction(native_conditions) if native_conditions else None
    native["select_list"] = [item for item in native["select_list"] if _is_native(item, reading, named)]
    native["select_list"] += dropped_parameters(select, [{**native, "modifiers": []}, model_conditions])
    return LimitBatches(row_limit, conjunction(model_conditions), native, max(FIRST, 2 * row_limit), bool(distinct))


def _is_native(part: Any, reading: ModelQuery, named: frozenset[str]) -> bool:
    return not contains_call(part, reading.is_call) and not references_any(part, named)


def _row_limit(limit: Node | None, arguments: Any) -> int | None:
    """Return how many rows LIMIT and OFFSET reach; None where that is no plain number."""
    if limit is None or limit["limit_type"] != "ROW_COUNT":
        return None
    count, offset = (integer_value(limit[part], arguments) if limit[part] else 0 for part in ("limit", "offset"))
    return None if count is None or offset is None else count and count + offset


def limit_clause(rows: int) -> Node:
    """Return LIMIT."""
    limit = {"limit": constant(rows), "offset": None, "limit_type": "ROW_COUNT"}
    return {"type": "LIMIT_MODIFIER", **limit}


def integer_value(clause: Node, arguments: Any) -> int | None:
    """Return the number that a clause is, or the parameter in it; None where that is no plain number."""
    if clause["class"] == "PARAMETER":
        value = _argument(clause["identifier"], arguments)
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
    is_number = clause["class"] == "CONSTANT" and clause["literal"]["kind"] == "INTEGER"
    return int(clause["literal"]["text"]) if is_number else None


def _argument(name: str, arguments: Any) -> Any:
    if isinstance(arguments, Mapping):
        return arguments.get(name)
    if isinstance(arguments, Sequence) and name.isdecimal() and 0 < int(name) <= len(arguments):
        return arguments[int(name) - 1]
    return None


def _in_native_order(select: Node, reading: ModelQuery, named: frozenset[str]) -> bool:
    order = modifier(select, "ORDER")
    terms = [each["expression"] for each in order["orders"]] if order else []
    return all(term["class"] != "CONSTANT" and _is_native(term, reading, named) for term in terms)


def _takes_null(select: Node, reading: ModelQuery) -> bool:
    clauses = [select["where_clause"], *(join["condition"] for join in find_joins(select["from_table"]))]
    parts = [part for clause in clauses for part in conjuncts(clause) if contains_call(part, reading.is_call)]
    return any(takes_null(node) and contains_call(node, reading.is_call) for part in parts for node in walk(part))


def takes_null(node: Node) -> bool:
    """Whether the node may be something else than NULL where an answer inside it is NULL."""
    if is_function(node):
        return node["function_name"].lower() in NULL_TOLERANT_FUNCTIONS
    return "class" in node and node["type"] in NULL_TOLERANT_TYPES  # A subquery in FROM has no class.
