"""Call sites: the model calls of a SELECT, numbered, and on which others each of them depends.

While a statement runs ahead an answer that is missing is NULL. What SQL makes of that NULL (the second argument of
COALESCE, the ELSE of a CASE, a conversation without its first turn) says nothing about what the statement needs. So
no request of a call site is sent before every call site that it depends on has its answers. A site depends on another
one that stands in its arguments, in what its SELECT reads, in an earlier clause of its SELECT, or before it in AND,
OR, CASE, COALESCE. Too many dependencies cost a dry run more; a missing one costs calls.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..ai.macros import AI_FUNCTIONS
from ..value_text import PROMPT_VALUE
from .modes import CACHE_ONLY, SITE_MARK
from .parse_statement import ModelQuery
from .statement_tree import Node, constant, copy_tree, function, walk

Sites = frozenset[int]
NO_SITES: Sites = frozenset()
Likeness = tuple[int, str]
"""The number of a SELECT, and how a call in it is written."""
MODE_VARIABLE = "llm_store"
QUESTION_PARAMETERS = ("question", "schema", "model", "notes", "examples", "votes", "min_confidence")
FUNCTIONS = {
    "llm_chat": ("quackllm_chat", ("request",)),
    "llm_embed": ("quackllm_embed", ("model", "text")),
    "text2sql": ("quackllm_text2sql", QUESTION_PARAMETERS),
    "text2sql_detail": ("quackllm_text2sql_detail", QUESTION_PARAMETERS),
}
"""The function behind each of our macros that calls a model, and the macro's parameters."""
NUMBERED_FUNCTIONS = frozenset({*(name for name, _ in FUNCTIONS.values()), *AI_FUNCTIONS})
"""What a call is in the SELECT whose call sites are numbered."""


BRANCH = "quackllm_branch"
"""A key in the node of a call: calls that are written alike are one site only within one branch."""


class CallSites:
    """The numbered call sites of one SELECT.

    `upstream` are the sites on which each one depends; `loops` those that feed each other round by round (in a
    recursive CTE, in `list_reduce`), with the sites of the same loop.
    """

    def __init__(self) -> None:
        self.upstream: dict[int, Sites] = {}
        self.loops: dict[int, Sites] = {}

    def __len__(self) -> int:
        return len(self.upstream)


def number_call_sites(reading: ModelQuery, number: int) -> tuple[Node, CallSites]:
    """Return the SELECT with each call carrying the number of its site, and the sites.

    Calls of one SELECT that are written alike are one site: GROUP BY must find its expression in the list.

    Args:
        reading: the statement.
        number: the session's, which the functions behind the macros take.
    """
    rewritten = copy_tree(reading.tree)
    numbers: dict[Likeness, int] = {}
    for likeness, call in list(_likenesses(rewritten, reading)):
        call["quackllm_site"] = numbers.setdefault(likeness, len(numbers) + 1)
    sites = _Reader().read(rewritten, numbers.values())
    for call in [node for node in walk(rewritten) if "quackllm_site" in node]:
        if call["function_name"].lower() in AI_FUNCTIONS:  # It may make a second call, depending on its first answer.
            sites.loops.setdefault(call["quackllm_site"], NO_SITES)
    for call in reversed([node for node in walk(rewritten) if "quackllm_site" in node]):
        _number_call(call, number)
    return rewritten, sites


def site_calls(reading: ModelQuery) -> dict[int, Node]:
    """Return the call of each numbered site, as the statement has it."""
    alike: dict[Likeness, Node] = {}
    for likeness, call in _likenesses(reading.tree, reading):
        alike.setdefault(likeness, call)
    return dict(enumerate(alike.values(), 1))


def sites_within(part: Node, reading: ModelQuery) -> Sites:
    """Return the numbers of the call sites in a part of the statement."""
    calls = {_written_alike(call) for _, call in _likenesses(part, reading)}
    return frozenset(site for site, call in site_calls(reading).items() if _written_alike(call) in calls)


def restrict_to_cache(tree: Node, part: Node, reading: ModelQuery) -> Node:
    """Return the tree with the numbered calls of a part of it, wherever they stand, answering from the cache only."""
    restricted = copy_tree(tree)
    sites = {_mark(call)["literal"]["text"] for call in walk(part) if reading.is_call(call)}
    for mark in [_mark(call) for call in walk(restricted) if reading.is_call(call)]:
        if mark["literal"]["text"] in sites:
            mark.update(constant(f"{SITE_MARK}{CACHE_ONLY}"))
    return restricted


def _mark(call: Node) -> Node:
    """Return the constant that holds the number of a call's site."""
    index = -1 if call["function_name"].lower() in AI_FUNCTIONS else -2
    mark: Node = call["arguments"][index]["expression"]["arguments"][-1]["expression"]
    return mark


def _likenesses(tree: Any, reading: ModelQuery) -> Iterator[tuple[Likeness, Node]]:
    """Yield each call, each before those inside of it, with what calls of the same meaning in its SELECT share."""
    count = 0

    def calls(part: Any, select: int) -> Iterator[tuple[Likeness, Node]]:
        nonlocal count
        if isinstance(part, dict):
            if part.get("type") == "SELECT_NODE":
                count = select = count + 1
            if reading.is_call(part):
                yield (select, _written_alike(part)), part
        for inner in part.values() if isinstance(part, dict) else part:
            if isinstance(inner, (dict, list)):
                yield from calls(inner, select)

    yield from calls(tree, 0)


def _written_alike(call: Node) -> str:
    """Return a text that calls share which are written alike, whether or not they name the table of a column."""

    def plain(tree: Any) -> Any:
        if isinstance(tree, list):
            return [plain(part) for part in tree]
        if not isinstance(tree, dict):
            return tree
        normalized = {key: plain(value) for key, value in tree.items() if not key.startswith("query_location")}
        normalized.pop("quackllm_site", None)
        if "column_names" in normalized:
            normalized["column_names"] = [str(normalized["column_names"][-1]).lower()]
        return normalized

    return json.dumps({**plain(call), "alias": ""})


def _number_call(call: Node, number: int) -> None:
    """Put the function behind the macro in its place, with the number of its site in the argument for the mode."""
    name, site = call["function_name"].lower(), call.pop("quackllm_site")
    call.pop(BRANCH, None)
    if name in AI_FUNCTIONS:
        _number_typed_call(call, site)
        return
    if name in FUNCTIONS:
        behind, parameters = FUNCTIONS[name]
        given = _arguments(call, parameters)
        given = [constant(None), *given] if name == "llm_chat" and len(given) == 1 else given
    else:
        behind, given = "quackllm_chat", [constant(name), *_arguments(call, ("request",))]
    index = 0 if name in ("text2sql", "text2sql_detail") else -1
    given[index] = function(PROMPT_VALUE, given[index])
    mode = function("concat", function("getvariable", constant(MODE_VARIABLE)), constant(f"{SITE_MARK}{site}"))
    numbered = function(behind, *given, mode, constant(number), alias=call["alias"])
    call.clear()
    call.update(numbered)


def _number_typed_call(call: Node, site: int) -> None:
    """Leave a typed function's macro in its place, which has the type, and give the number to its `store`."""
    given = [each for each in call["arguments"] if each["name"].lower() == "store"]
    mode = given[0]["expression"] if given else function("getvariable", constant(MODE_VARIABLE))
    numbered = function("concat", mode, constant(f"{SITE_MARK}{site}"))
    others = [each for each in call["arguments"] if each not in given]
    call["arguments"] = [*others, {"name": "store", "expression": numbered}]


def _arguments(call: Node, parameters: tuple[str, ...]) -> list[Node]:
    """Return the arguments in the macro's order; NULL for what text2sql is not given."""
    plain = [each["expression"] for each in call["arguments"] if not each["name"]]
    named = {each["name"].lower(): each["expression"] for each in call["arguments"] if each["name"]}
    if len(parameters) < 3:
        return [*plain, *named.values()]
    rest = [named.get(name, constant(None)) for name in parameters[len(plain) :]]
    return [{**argument, "alias": ""} for argument in [*plain, *rest]]


class _Reader:
    """Walks a SELECT in the order in which its parts feed each other."""

    def __init__(self) -> None:
        self.sites = CallSites()
        self._upstream: defaultdict[int, set[int]] = defaultdict(set)
        self._ctes: dict[str, Sites] = {}
        self._aliases: dict[str, Sites] = {}
        self._by_type: dict[str, Callable[[Node, Sites], Sites]] = {
            **dict.fromkeys(("CONJUNCTION_AND", "CONJUNCTION_OR", "OPERATOR_COALESCE"), self._in_order),
            **{"SELECT_NODE": self._select, "SET_OPERATION_NODE": self._set_operation},
            **{"RECURSIVE_CTE_NODE": self._recursive, "JOIN": self._join, "CASE_EXPR": self._case},
            **{"BASE_TABLE": self._table, "COLUMN_REF": self._column, "FUNCTION": self._function},
        }

    def read(self, query: Node, numbers: Iterable[int]) -> CallSites:
        self._visit(query, NO_SITES)
        for site in numbers:
            self.sites.upstream[site] = self._all_upstream(site) - self.sites.loops.get(site, {site})
        return self.sites

    def _all_upstream(self, site: int) -> Sites:
        """Return the sites upstream of one, and those upstream of them: an alias names only the nearest."""
        found, new = NO_SITES, frozenset(self._upstream[site])
        while new:
            found |= new
            new = NO_SITES.union(*(self._upstream[each] for each in new)) - found
        return found

    def _visit(self, tree: Any, before: Sites) -> Sites:
        """Return the sites that the value of this part depends on."""
        if isinstance(tree, list):
            return NO_SITES.union(*(self._visit(part, before) for part in tree))
        if not isinstance(tree, dict):
            return NO_SITES
        if "quackllm_site" in tree:
            found = self._visit(tree["arguments"], before)
            self._upstream[tree["quackllm_site"]] |= before | found
            return found | {tree["quackllm_site"]}
        visit = self._by_type.get(tree.get("type", ""))
        return visit(tree, before) if visit else self._visit(list(tree.values()), before)

    def _chain(self, parts: Iterable[Any], before: Sites) -> Sites:
        """Visit parts each of which depends on those before it."""
        found = NO_SITES
        for part in parts:
            found |= self._visit(part, before | found)
        return found

    def _in_order(self, node: Node, before: Sites) -> Sites:
        return self._chain(node["children"], before)

    def _case(self, node: Node, before: Sites) -> Sites:
        conditions = self._chain([check["when_expr"] for check in node["case_checks"]], before)
        results = [*(check["then_expr"] for check in node["case_checks"]), node["else_expr"]]
        return conditions | self._visit(results, before | conditions)

    def _function(self, node: Node, before: Sites) -> Sites:
        arguments = [each["expression"] for each in node["arguments"]]
        before = before | self._visit(node["filter"], before)
        first, rest = self._visit(arguments[:1], before), arguments[1:]
        over_elements = any(argument["type"] == "LAMBDA" for argument in arguments)
        chosen = before | first if over_elements or node["function_name"].lower() in ("if", "ifnull") else before
        found = first | self._visit(rest, chosen)
        if over_elements and "reduce" in node["function_name"].lower():
            self._loop(found - first)
        return found | self._visit([node["order_bys"], node["filter"]], before)

    def _loop(self, sites: Sites) -> None:
        for site in sites:
            self.sites.loops[site] = self.sites.loops.get(site, NO_SITES) | sites

    def _column(self, node: Node, before: Sites) -> Sites:
        return NO_SITES.union(*(self._aliases.get(name.lower(), NO_SITES) for name in node["column_names"]))

    def _table(self, node: Node, before: Sites) -> Sites:
        return self._ctes.get(node["table_name"].lower(), NO_SITES)

    def _join(self, node: Node, before: Sites) -> Sites:
        return self._chain([node["left"], node["right"], node["condition"]], before)

    def _with(self, node: Node, before: Sites) -> None:
        for cte in node["cte_map"]["map"]:
            self._ctes[cte["key"].lower()] = self._visit(cte["value"]["query_node"], before)

    def _set_operation(self, node: Node, before: Sites) -> Sites:
        self._with(node, before)
        found = self._visit([node["left"], node["right"], node.get("children")], before)
        return found | self._visit(node["modifiers"], before | found)

    def _recursive(self, node: Node, before: Sites) -> Sites:
        self._with(node, before)
        first = self._ctes[node["cte_name"].lower()] = self._visit(node["left"], before)
        again = self._visit(node["right"], before | first)
        self._loop(again - first - before)
        return first | again

    def _select(self, node: Node, before: Sites) -> Sites:
        self._with(node, before)
        outer, self._aliases = self._aliases, {}
        found = self._visit(node["from_table"], before)
        named = {item["alias"].lower(): _sites_in(item) for item in node["select_list"] if item["alias"]}
        self._aliases = dict(named)
        found |= self._chain([node["where_clause"], node["group_expressions"], node["having"]], before | found)
        self._aliases = {}
        shown = NO_SITES
        for item in node["select_list"]:
            shown |= self._visit(item, before | found)
            self._aliases |= {item["alias"].lower(): _sites_in(item)} if item["alias"] else {}
        self._aliases = named
        found |= shown | self._visit([node["qualify"], node["modifiers"]], before | found)
        self._aliases = outer
        return found


def _sites_in(tree: Any) -> Sites:
    return frozenset(node["quackllm_site"] for node in walk(tree) if "quackllm_site" in node)
