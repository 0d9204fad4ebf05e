"""Bounds for SQL that `ask` runs in the user's own process: functions that no interrupt stops are limited.

DuckDB checks for an interrupt between two chunks of 2,048 rows. Before that, one function on one row can take all
memory, or minutes. (Constants are safe: the sandbox has computed them.) A function whose result size depends on
a column is wrapped in a CASE that raises an error if one row's value would be too large.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from math import inf
from typing import Any

from ....workers.errors import GuardError
from .constant_expressions import is_constant, lambda_parameters
from .sql_tree import Tree, arguments, nodes, serialize

# Bytes or elements that one function may produce for one row; a chunk of rows may have 2,048 times as much.
MAX_VALUE = 100_000
MAX_DEPTH = 3  # Maximum nesting of wrapped calls, because each condition repeats the arguments.

_TEXT = "greatest(strlen(CAST(__1 AS VARCHAR)), 1)"
_SPAN = f"__3 * {MAX_VALUE}"
_LOW, _HIGH = f"least(__1 + {_SPAN}, __1 - {_SPAN})", f"greatest(__1 + {_SPAN}, __1 - {_SPAN})"
_FOUND = "(strlen(__1) - strlen(replace(__1, __2, ''))) // greatest(strlen(__2), 1)"


def _sized(name: str, count: int, position: int) -> dict[tuple[str, int], tuple[str, str]]:
    """Return the bound of a function whose result size is given by the argument at a position."""
    given = [f"least(__{n}, {MAX_VALUE})" if n == position else f"__{n}" for n in range(1, count + 1)]
    return {(name, count): (f"__{position} > {MAX_VALUE}", f"{name}({', '.join(given)})")}


def _series(name: str) -> dict[tuple[str, int], tuple[str, str]]:
    near = f"least(greatest(__2, __1 - {MAX_VALUE}), __1 + {MAX_VALUE})"
    return {
        (name, 1): (f"abs(__1) > {MAX_VALUE}", f"{name}(least(__1, {MAX_VALUE}))"),
        (name, 2): (f"__2 NOT BETWEEN __1 - {MAX_VALUE} AND __1 + {MAX_VALUE}", f"{name}(__1, {near})"),
        (name, 3): (
            f"__2 NOT BETWEEN {_LOW} AND {_HIGH}",
            f"{name}(__1, least(greatest(__2, {_LOW}), {_HIGH}), __3)",
        ),
    }


def _distance(name: str, max_length: int) -> dict[tuple[str, int], tuple[str, str]]:
    return {
        (name, 2): (
            f"strlen(__1) * strlen(__2) > {max_length * max_length}",
            f"{name}(left(__1, {max_length}), left(__2, {max_length}))",
        )
    }


def _hashed(lists: int, *names: str) -> dict[tuple[str, int], tuple[str, str]]:
    """Return the bound of functions that hash each element of one or two lists."""
    length = " + ".join(f"coalesce(len(__{number}), 0)" for number in range(1, lists + 1))
    return {(name, lists): (f"{length} > {MAX_VALUE}", "__call") for name in names}


# Functions that hash the elements of lists: 2 to 30 µs for each element, and no interrupt until the last one.
HASHED = {
    **_hashed(1, "list_distinct", "array_distinct", "list_unique", "array_unique", "map_from_entries"),
    **_hashed(1, "list_mode", "list_entropy", "list_histogram"),
    **_hashed(2, "list_intersect", "array_intersect", "list_has_any", "array_has_any", "list_has_all"),
    **_hashed(2, "array_has_all", "&&", "@>", "<@", "map"),
    **{
        (name, 2): (f"__2 IN ('mode', 'entropy', 'histogram') AND len(__1) > {MAX_VALUE}", "__call")
        for name in ("list_aggregate", "list_aggr", "aggregate", "array_aggregate", "array_aggr")
    },
}
# By a function and the number of its arguments: the condition under which its result for one row is too large, and the
# call with a bound. Both are needed. The condition gives the user an error; the call is in a branch that DuckDB may
# compute while it plans.
BOUNDS: dict[tuple[str, int], tuple[str, str]] = {
    ("repeat", 2): (f"{_TEXT} * __2 > {MAX_VALUE}", f"repeat(__1, least(__2, {MAX_VALUE} // {_TEXT}))"),
    **_sized("lpad", 3, 2),
    **_sized("rpad", 3, 2),
    **_sized("bitstring", 2, 2),
    **_sized("list_resize", 2, 2),
    **_sized("list_resize", 3, 2),
    **_sized("array_resize", 2, 2),
    **_sized("array_resize", 3, 2),
    **_sized("bar", 4, 4),
    **_sized("to_base", 3, 3),
    **_series("range"),
    **_series("generate_series"),
    ("replace", 3): (f"{_FOUND} * strlen(__3) > 5 * {MAX_VALUE}", "replace(__1, __2, __3)"),
    **{
        ("regexp_replace", count): (f"len(regexp_extract_all(__1, __2)) * strlen(__3) > 5 * {MAX_VALUE}", "__call")
        for count in (3, 4)
    },
    **_distance("levenshtein", 500),
    **_distance("editdist3", 500),
    **_distance("damerau_levenshtein", 140),
    **HASHED,
}
# Functions whose result, or its parts, `HASHED` may read: 2,048 values of `MAX_VALUE` elements would take minutes.
MAKING_ELEMENTS = {
    (name, count)
    for name, count in BOUNDS
    if name in ("range", "generate_series", "list_resize", "array_resize", "repeat", "lpad", "rpad")
}
# Aggregates whose value grows with the rows of a window's frame; DuckDB makes one for each of a chunk's rows.
COLLECTING = frozenset(
    {
        *("list", "array_agg", "string_agg", "group_concat", "listagg", "histogram", "bitstring_agg", "lttb"),
        *("json_group_array", "json_group_object", "variant_group_array", "variant_group_object", "approx_top_k"),
    }
)
# Aggregates that DuckDB computes anew for each row if the frame moves; it does not look for an interrupt meanwhile.
RECOMPUTED = frozenset({"mode", "mad", "entropy", "approx_quantile", "reservoir_quantile"})
# Aggregates that collect at most N values, and the position of the argument N.
TOP_N = {
    **dict.fromkeys(("max", "min"), 2),
    **dict.fromkeys(("max_by", "min_by", "argmax", "argmin", "arg_max", "arg_min"), 3),
    **dict.fromkeys(("arg_max_nulls_last", "arg_min_nulls_last"), 3),
}
MAX_FRAME = 100  # Rows of a frame that these aggregates may read, and values that they may collect.
FORMATS = ("printf", "format")
FORMAT_WIDTH = re.compile(r"\d{5,}|\*|\{[^{}]*\{")
# Functions that collect what a lambda returns for each element.
TRANSFORMS = frozenset({"list_transform", "array_transform", "list_apply", "array_apply", "apply"})
NUMERIC_OPERATORS = frozenset({"+", "-", "*", "/", "//", "%"})
RANDOM = frozenset({"random", "uuid", "uuidv4", "uuidv7", "gen_random_uuid"})
FOLDS = ("list_reduce", "array_reduce", "reduce")
ARITHMETIC = frozenset({"+", "-", "*", "/", "//", "%", "greatest", "least", "abs", "coalesce", "round"})


def bounded(statement: Tree) -> tuple[Tree, bool]:
    """Return the statement with a bound for each row's values, and whether it was changed.

    Raises:
        GuardError: one of its functions cannot be bounded.
    """
    wrapper = _Wrapper()
    written = wrapper.wrap(statement, frozenset(), 0)
    hashing = sorted(wrapper.wrapped & HASHED.keys())
    if hashing and (making := sorted(wrapper.wrapped & MAKING_ELEMENTS)):
        raise GuardError(
            f"ask cannot run it: there is no limit on how many elements {making[0][0]} makes for {hashing[0][0]}"
        )
    return written, bool(wrapper.wrapped)


class _Wrapper:
    """Walks a tree and wraps its calls."""

    def __init__(self) -> None:
        self.wrapped: set[tuple[str, int]] = set()

    def wrap(self, value: Any, parameters: frozenset[str], depth: int) -> Any:
        """Return a part of the tree with its calls wrapped.

        Args:
            value: the part.
            parameters: parameters of the enclosing lambdas.
            depth: the number of enclosing wrapped calls.
        """
        if isinstance(value, list):
            return [self.wrap(item, parameters, depth) for item in value]
        if not isinstance(value, dict):
            return value
        if value.get("type") == "TABLE_FUNCTION":  # Rows come chunk by chunk.
            return value
        if value.get("class") == "WINDOW":
            _refuse_unbounded_window(value)
        if value.get("class") == "FUNCTION":
            return value if is_constant(value) else self._wrap_call(value, parameters, depth)
        if value.get("class") == "LAMBDA":
            parameters |= lambda_parameters(value)
            return value | {"expr": self.wrap(value["expr"], parameters, depth)}
        return {key: self.wrap(child, parameters, depth) for key, child in value.items()}

    def _wrap_call(self, call: Tree, parameters: frozenset[str], depth: int) -> Tree:
        name, given = call["function_name"].lower(), _all_arguments(call)
        _refuse_unbounded(name, given, parameters)
        bound, sizes = _bound(name, given)
        if bound:
            if where := _unreachable(given, parameters, depth):
                raise GuardError(f"ask cannot run it: there is no limit on what {name} returns {where}")
            inner = {key: self.wrap(child, parameters, depth + 1) for key, child in call.items()}
            self.wrapped.add((name, len(given)))
            return _case(*bound, name, [*_all_arguments(inner), *sizes], inner) | {"alias": call["alias"]}
        return {key: self.wrap(child, parameters, depth) for key, child in call.items()}


def _bound(name: str, given: list[Tree]) -> tuple[tuple[str, str] | None, list[Tree]]:
    """Return a call's bound, if it needs one, and the expressions that the bound reads beside the arguments."""
    if name in TRANSFORMS and len(given) == 2 and (columns := _captured(given[1])):
        lengths = " + ".join(f"strlen(CAST(__{number} AS VARCHAR))" for number, _ in enumerate(columns, 3))
        return (f"len(__1) * ({lengths}) > {MAX_VALUE}", "__call"), columns
    bound = BOUNDS.get((name, len(given)))
    return (None if bound and _is_small(name, given) else bound), []


def _captured(function: Tree) -> list[Tree]:
    """Return the columns of which a lambda may repeat the text for each element; none if it returns a number."""
    if function["class"] != "LAMBDA":
        return []
    body = function["expr"]
    is_number = body["class"] in ("COMPARISON", "CONJUNCTION", "BETWEEN") or (
        body.get("function_name") in NUMERIC_OPERATORS
    )
    parts = [] if is_number else [node for node, _ in nodes(function)]
    parameters = {name for part in parts if part.get("class") == "LAMBDA" for name in lambda_parameters(part)}
    columns = [part for part in parts if part.get("class") == "COLUMN_REF"]
    return [column for column in columns if column["column_names"][0].lower() not in parameters]


def _unreachable(given: list[Tree], parameters: frozenset[str], depth: int) -> str:
    """Return the reason why no condition can guard a call: the condition must see the same values as the call."""
    if parameters:
        return "in a lambda"
    if depth >= MAX_DEPTH:
        return "so deep in others' arguments"
    calls = {n["function_name"].lower() for node in given for n, _ in nodes(node) if n.get("class") == "FUNCTION"}
    return f"of {min(calls & RANDOM)}" if calls & RANDOM else ""


def _all_arguments(call: Tree) -> list[Tree]:
    """Return a function's arguments; in `column.repeat(5)` the column is the first."""
    column = call.get("schema")
    first = serialize(f'SELECT "{column}"')["statements"][0]["node"]["select_list"] if column else []
    return [*first, *arguments(call)]


def _is_small(name: str, given: list[Tree]) -> bool:
    """Whether the literals among the arguments show that no row's value is too large."""
    sizes = {"repeat": (), "bar": given[3:], "to_base": given[2:]}.get(name, given[1:2])
    if name in ("replace", "regexp_replace"):
        return len(str((given[2].get("literal") or {}).get("text", "x" * 99))) <= 10
    if name in ("lpad", "rpad", "bitstring", "list_resize", "array_resize", "bar", "to_base"):
        return all(_number(size) <= MAX_VALUE for size in sizes)
    return False


def _number(node: Tree) -> float:
    literal = node.get("literal") or {}
    is_number = node.get("class") == "CONSTANT" and literal.get("kind") in ("INTEGER", "NUMERIC")
    return float(literal["text"]) if is_number else inf


def _refuse_unbounded(name: str, given: list[Tree], parameters: frozenset[str]) -> None:
    if name in FORMATS:
        text = (given[0].get("literal") or {}).get("text") if given else None
        if text is None or FORMAT_WIDTH.search(str(text)):
            raise GuardError(f"ask cannot run it: there is no limit on the width that {name} writes")
    bodies = [node for node in given if node.get("class") == "LAMBDA"]
    for body in bodies:
        calls = {n["function_name"].lower() for n, _ in nodes(body["expr"]) if n.get("class") == "FUNCTION"}
        if name in FOLDS and not calls <= ARITHMETIC:
            raise GuardError(f"ask cannot run it: there is no limit on what {name} collects")
        if parameters and not _reads(given[0], parameters):
            raise GuardError(f"ask cannot run it: {name} goes through a whole list for each element of another")


def _refuse_unbounded_window(window: Tree) -> None:
    name = window["function_name"].lower()
    is_recomputed = name in RECOMPUTED and not _is_whole_partition(window)
    given = arguments(window)
    top = given[TOP_N.get(name, len(given) + 1) - 1 :]
    if (name in COLLECTING or is_recomputed or top) and min((_frame_rows(window), *map(_number, top))) > MAX_FRAME:
        raise GuardError(
            f"ask cannot run it: there is no limit on the rows that {name} reads for each row",
            hint=f"bound it, for example: {name}(…) OVER (… ROWS BETWEEN 99 PRECEDING AND CURRENT ROW)",
        )


def _is_whole_partition(window: Tree) -> bool:
    """Whether all rows of a partition have the same frame, so that DuckDB computes the aggregate once."""
    ends_at_last = window["end"] == "UNBOUNDED_FOLLOWING" or (
        window["end"] == "CURRENT_ROW_RANGE" and not window["orders"]
    )
    return window["start"] == "UNBOUNDED_PRECEDING" and ends_at_last


def _frame_rows(window: Tree) -> float:
    """Return the most rows that a frame may have."""
    return _distance_in_rows(window, "start") + _distance_in_rows(window, "end") + 1


def _distance_in_rows(window: Tree, end: str) -> float:
    """Return how far from the current row an end of the frame is; infinity if it is not given in rows."""
    if window[end] == "CURRENT_ROW_ROWS":
        return 0
    return _number(window[f"{end}_expr"]) if window[end] in ("EXPR_PRECEDING_ROWS", "EXPR_FOLLOWING_ROWS") else inf


def _reads(node: Tree, parameters: frozenset[str]) -> bool:
    names = (name for part, _ in nodes(node) for name in part.get("column_names") or ())
    return any(name.lower() in parameters for name in names)


def _case(condition: str, bounded_sql: str, name: str, given: list[Tree], call: Tree) -> Tree:
    values: dict[str, Tree] = {f"__{number}": node for number, node in enumerate(given, 1)}
    template = _template(condition, bounded_sql, f"ask stops: what {name} would make of one row is too large")
    filled: Tree = _fill(template, values | {"__call": call})
    return filled


@lru_cache(maxsize=64)
def _template(condition: str, bounded_sql: str, message: str) -> Tree:
    sql = f"SELECT CASE WHEN {condition} THEN error('{message}') ELSE {bounded_sql} END"
    expression: Tree = serialize(sql)["statements"][0]["node"]["select_list"][0]
    return expression


def _fill(value: Any, values: Mapping[str, Tree]) -> Any:
    if isinstance(value, list):
        return [_fill(item, values) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class") == "COLUMN_REF" and value["column_names"][0] in values:
        return values[value["column_names"][0]] | {"alias": ""}
    return {key: _fill(child, values) for key, child in value.items()}
