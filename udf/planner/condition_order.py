"""The order of the conditions of a WHERE that call models: the cheap ones that drop most rows go first.

A condition's rank is `cost / (1 - selectivity)` (Hellerstein and Stonebraker, "Predicate Migration", SIGMOD 1993).
The cost is known before a call is made: the tokens of the distinct requests that are not cached. The selectivity is
not: so in a first wave some rows are evaluated in each order, and in later, larger waves in the best order so far.
A row belongs to a wave by the hash of what its conditions read: a wave is a random sample, and the same one in each
run. Every row is evaluated in one order only, so that no call is made which some order would not make too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from ...workers.deployments.spec import ModelSpec
from ...workers.messages import Request, Response
from ...workers.serving.retry import estimate_tokens
from ..session.answer_source import AnswerSource
from ..session.session import Session
from ..settings import StoreMode
from ..text2sql.result import QuestionKey, Text2SqlResult
from .call_sites import BRANCH, CallSites, number_call_sites, sites_within
from .guards import gathered
from .modes import CachedAnswers
from .parse_statement import ModelQuery
from .predicates import call_aliases, conjunction, conjuncts, contains_call, references_any
from .pushdown import push_all_down
from .runner import Runner
from .standalone import rows_of, standalone
from .statement_tree import (
    Node,
    case_when,
    column,
    comparison,
    constant,
    contains_query,
    copy_tree,
    function,
    modifier,
    selects,
    tree_sql,
    walk,
)

MAX_COUNTED_ROWS = 65_536
"""Rows of which the requests are counted; of more the counts are in proportion."""
FIRST_ROWS = 8
"""Rows of the first wave that are evaluated in each order."""
SMALLEST_PART = 8
"""An order is tried on at most one of so many rows."""
GROWTH = 4
SAMPLED_ROWS = 512
"""Rows after which the selectivities are known well enough."""
HASH_RANGE = 1 << 30
ANSWER_TOKENS, QUESTION_TOKENS = 100, 1_000
"""Taken for an answer without `max_tokens`, and for a question to `text2sql`."""
Order = tuple[int, ...]


class RequestCounter(AnswerSource):
    """Answers from the cache, and notes what a call site would cost."""

    def __init__(self, session: Session) -> None:
        self._cached = CachedAnswers(session)
        self._sites: dict[int, RequestCounter] = {}
        self._session = session
        self._tokens: dict[int, int] = {}
        self.has_stated_accuracy = False

    def at_site(self, site: int) -> RequestCounter:
        """Return the counter of one call site."""
        return self._sites.setdefault(site, RequestCounter(self._session))

    def responses(self, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode) -> Sequence[Response | None]:
        """Return the cached responses, and count the others."""
        found = self._cached.responses(spec, requests, mode)
        for request, response in zip(requests, found, strict=True):
            if response is None:
                tokens = estimate_tokens(request) + (request.options.max_tokens or ANSWER_TOKENS)
                self._tokens[hash((spec.name, request))] = tokens
        return found

    def stated(self, call: Any, spec: ModelSpec, rows: Mapping[Request, Any]) -> Sequence[Any]:
        """Return what is known: a stated accuracy is kept over all rows together, not over waves of them."""
        self.has_stated_accuracy = True
        return self._cached.stated(call, spec, rows)

    def sql_results(self, questions: Sequence[QuestionKey], mode: StoreMode) -> Sequence[Text2SqlResult | None]:
        """Return the cached SQL, and count the other questions."""
        found = self._cached.sql_results(questions, mode)
        missing = [question for question, result in zip(questions, found, strict=True) if result is None]
        self._tokens |= dict.fromkeys(map(hash, missing), QUESTION_TOKENS)
        return found

    @property
    def is_stated(self) -> bool:
        """Whether an accuracy is stated of a call."""
        return self.has_stated_accuracy or any(site.is_stated for site in self._sites.values())

    def costs(self, sites: CallSites) -> dict[int, SiteCost]:
        """Return the cost of each call site. One whose request holds an answer costs what the call before it does."""
        found = {site: self.at_site(site).cost for site in sites.upstream}
        for site, upstream in sites.upstream.items():
            if upstream:
                found[site] = max((found[each] for each in upstream), key=lambda cost: cost.tokens)
        return found

    @property
    def cost(self) -> SiteCost:
        """The cost of this call site."""
        return SiteCost(len(self._tokens), sum(self._tokens.values()))


@dataclass(frozen=True)
class SiteCost:
    """The distinct requests of a call site that are not cached, and their tokens."""

    requests: int
    tokens: int

    def for_rows(self, rows: float, all_rows: int) -> float:
        """Return the tokens for some of the rows: a request is needed if one of the rows that make it is left."""
        if not self.requests or not all_rows:
            return 0.0
        left = min(rows / all_rows, 1.0)
        return float(self.tokens * (1 - (1 - left) ** (all_rows / self.requests)))


@dataclass
class Condition:
    """One condition, and what the waves have shown of it."""

    node: Node
    sites: frozenset[int] = frozenset()
    evaluated: int = 0
    passed: int = 0

    @property
    def selectivity(self) -> float:
        """The part of the rows that pass; one half where none was evaluated (Laplace's rule of succession)."""
        return (self.passed + 1) / (self.evaluated + 2)


@dataclass
class OrderedWhere:
    """The conditions of one SELECT that call models, and the slices of its rows with the order of each.

    Args:
        select: the SELECT, in the statement's tree.
        alone: the same as a statement of its own, with the CTEs that it reads.
        native: its conditions that call no model.
        conditions: those that are ordered.
        others: those with a subquery, or which name an alias: they come after.
    """

    select: Node
    alone: ModelQuery
    native: list[Node]
    conditions: list[Condition]
    others: list[Node]
    slices: list[tuple[int, Order]] = field(default_factory=list)

    def rank(self, costs: Mapping[int, SiteCost], all_rows: int) -> Order:
        """Return the order in which the remaining rows are evaluated best."""
        left, rows, done = list(range(len(self.conditions))), float(all_rows), frozenset[int]()
        order: list[int] = []
        while left:

            def rank(index: int, rows: float = rows, done: frozenset[int] = done) -> float:
                condition = self.conditions[index]
                cost = sum(costs[site].for_rows(rows, all_rows) for site in condition.sites - done)
                return cost / (1 - condition.selectivity)

            best = min(left, key=rank)
            order.append(best)
            left.remove(best)
            done |= self.conditions[best].sites
            rows *= self.conditions[best].selectivity
        return tuple(order)

    def first_orders(self, costs: Mapping[int, SiteCost], all_rows: int) -> list[Order]:
        """Return the orders of the first wave: each condition comes first once, after those that cost next to nothing.

        A condition costs next to nothing if its requests for all rows cost no more than a sample of another one.
        """
        whole = [sum(costs[site].tokens for site in each.sites) for each in self.conditions]
        first = [index for index in self.rank(costs, all_rows) if whole[index] * all_rows <= max(whole) * FIRST_ROWS]
        rest = [index for index in range(len(self.conditions)) if index not in first]
        return [(*first, *rest[place:], *rest[:place]) for place in range(max(len(rest), 1))]

    def note(self, order: Order, counts: Sequence[int]) -> None:
        """Note how many rows of a wave came, passed the first condition of its order, the second, and so on."""
        for position, index in enumerate(order):
            self.conditions[index].evaluated += counts[position]
            self.conditions[index].passed += counts[position + 1]

    def wave(self, start: int) -> ModelQuery:
        """Return a SELECT of the rows in the slices from `start`: the slice, and what each condition in turn says."""
        fresh = [(low, high, number) for low, high, number in self._bounds() if number >= start]
        slice_number = _by_slice(self._hash(), [(high, constant(number)) for _, high, number in fresh])
        steps: list[Node] = []
        for position in range(len(self.conditions)):
            step = _by_slice(self._hash(), [(high, self._branch(number, position)) for _, high, number in fresh])
            before = column(f"quackllm_{position - 1}")
            steps.append({**(case_when(before, step) if position else step), "alias": f"quackllm_{position}"})
        low, high = fresh[0][0], fresh[-1][1]
        rows = [comparison("LESSTHAN", self._hash(), constant(high)),
                comparison("GREATERTHANOREQUALTO", self._hash(), constant(low))]  # fmt: skip
        return self._reading([{**slice_number, "alias": "quackllm_slice"}, *steps], [*self.native, *rows])

    def all_conditions(self) -> ModelQuery:
        """Return a SELECT of all conditions, for the first rows."""
        steps = [{**copy_tree(each.node), "alias": f"quackllm_{place}"} for place, each in enumerate(self.conditions)]
        found = self._reading(steps, self.native)
        limit = {"limit": constant(MAX_COUNTED_ROWS), "offset": None, "limit_type": "ROW_COUNT"}
        found.tree["modifiers"] = [{"type": "LIMIT_MODIFIER", **limit}]
        return found

    def native_rows(self) -> ModelQuery:
        """Return a SELECT that counts the rows which pass the other conditions."""
        return self._reading([function("count_star")], self.native)

    def apply(self, last: Order) -> None:
        """Write the orders into the statement's WHERE; `last` is that of the rows in no wave."""
        chains = [(high, self._chain(number)) for _, high, number in self._bounds()]
        self.slices.append((HASH_RANGE, last))
        rest = self._chain(len(self.slices) - 1)
        whole = _by_slice(self._hash(), chains, rest) if chains else rest
        self.select["where_clause"] = conjunction([*self.native, whole, *self.others])

    def _bounds(self) -> list[tuple[int, int, int]]:
        bounds, low = [], 0
        for number, (high, _) in enumerate(self.slices):
            bounds.append((low, high, number))
            low = high
        return bounds

    def _branch(self, number: int, position: int) -> Node:
        """Return a condition for one slice; its calls are call sites of their own, since they wait for others."""
        node = copy_tree(self.conditions[self.slices[number][1][position]].node)
        for call in [each for each in walk(node) if self.alone.is_call(each)]:
            call[BRANCH] = number
        return node

    def _chain(self, number: int) -> Node:
        steps = [self._branch(number, position) for position in range(len(self.conditions))]
        return reduce(lambda later, step: case_when(step, later), reversed(steps[:-1]), steps[-1])

    def _hash(self) -> Node:
        """Return the hash of what the conditions read."""
        columns = {tuple(each["column_names"]): each for each in map(copy_tree, _columns(self._nodes()))}
        bits = function("hash", *(columns[path] for path in sorted(columns)))
        return function("mod", bits, constant(HASH_RANGE))

    def _nodes(self) -> list[Node]:
        return [each.node for each in self.conditions]

    def _reading(self, items: Sequence[Node], where: Sequence[Node]) -> ModelQuery:
        tree = copy_tree(self.alone.tree)
        tree["select_list"] = [*items, *tree["select_list"]]
        tree["where_clause"] = conjunction(where) if where else None
        return replace(self.alone, tree=tree)


def orderable(reading: ModelQuery, runner: Runner) -> tuple[ModelQuery, list[OrderedWhere]]:
    """Return the statement, and those of its SELECTs whose conditions may be put in order.

    Such a SELECT reads no answers of a model, and nothing of a query around it. A statement with a LIMIT is none: it
    may need few of its rows.

    Args:
        reading: the statement.
        runner: tries whether DuckDB can run a SELECT by itself: no transaction may be open.
    """
    if any(modifier(node, "LIMIT") for node in walk(reading.tree) if "modifiers" in node):
        return reading, []
    names = call_aliases(reading.tree, reading.is_call)
    if all(len(_fit(gathered(each, reading), names, reading)) < 2 for each in selects(reading.tree)):
        return reading, []
    prepared = replace(reading, tree=copy_tree(reading.tree))
    push_all_down(prepared.tree, reading)
    for select in reversed(selects(prepared.tree)):
        select.update(gathered(select, reading))
    found = [
        ordered
        for select, ctes in standalone(prepared.tree)
        if len(fit := _fit(select, names, reading)) > 1
        and _columns(fit)
        and not contains_call([ctes, select["from_table"]], reading.is_call)
        and runner.binds((ordered := _ordered(select, ctes, names, prepared)).all_conditions())
    ]
    return (prepared, found) if found else (reading, [])


def _ordered(select: Node, ctes: Sequence[Node], names: frozenset[str], reading: ModelQuery) -> OrderedWhere:
    parts, fit = conjuncts(select["where_clause"]), _fit(select, names, reading)
    calling = [each for each in parts if contains_call(each, reading.is_call) or references_any(each, names)]
    native, others = [each for each in parts if each not in calling], [each for each in calling if each not in fit]
    alone = replace(reading, tree=rows_of(select, ctes, reading.tree))
    return OrderedWhere(select, alone, native, [Condition(each) for each in fit], others)


def _fit(select: Node, names: frozenset[str], reading: ModelQuery) -> list[Node]:
    """Return the conditions that can be ordered: they call a model, for values of their own row only."""
    return [
        part
        for part in conjuncts(select["where_clause"])
        if contains_call(part, reading.is_call) and not contains_query(part) and not references_any(part, names)
    ]


def order_conditions(ordered: OrderedWhere, runner: Runner) -> None:
    """Find the best order of the conditions, call by call, and write it into the statement's tree."""
    rows, costs = _count(ordered, runner)
    if not rows or not any(cost.tokens for cost in costs.values()):
        return
    orders = ordered.first_orders(costs, rows)
    if len(orders) == 1:
        ordered.apply(orders[0])
        return
    part = min(FIRST_ROWS / rows, 1 / SMALLEST_PART / len(orders))
    ordered.slices = [(round((place + 1) * part * HASH_RANGE), order) for place, order in enumerate(orders)]
    start = 0
    while True:
        _run_wave(ordered, start, runner)
        start, best = len(ordered.slices), ordered.rank(costs, rows)
        reached = ordered.slices[-1][0] / HASH_RANGE
        if reached * rows >= SAMPLED_ROWS or reached * GROWTH > 1 / 2:
            ordered.apply(best)
            return
        ordered.slices.append((round(reached * GROWTH * HASH_RANGE), best))


def _count(ordered: OrderedWhere, runner: Runner) -> tuple[int, dict[int, SiteCost]]:
    """Return how many rows there are, and what each call site of the conditions would cost for all of them."""
    counter, reading = RequestCounter(runner.session), ordered.all_conditions()
    for condition in ordered.conditions:
        condition.sites = sites_within(condition.node, reading)
    tree, sites = number_call_sites(reading, runner.session.number)
    counted = runner.run_with(tree_sql(runner.connection, tree), counter)
    if counter.is_stated:
        return 0, {}
    costs = counter.costs(sites)
    if counted < MAX_COUNTED_ROWS:
        return counted, costs
    ((rows, *_),) = runner.rows(tree_sql(runner.connection, ordered.native_rows().tree))
    share = rows / counted
    return rows, {site: SiteCost(round(c.requests * share), round(c.tokens * share)) for site, c in costs.items()}


def _run_wave(ordered: OrderedWhere, start: int, runner: Runner) -> None:
    sql, _ = runner.dry_run_guarded(ordered.wave(start))
    passed = ", ".join(f"count(*) FILTER (WHERE quackllm_{place})" for place in range(len(ordered.conditions)))
    for number, *counts in runner.rows(f"SELECT quackllm_slice, count(*), {passed} FROM ({sql}) GROUP BY 1"):
        ordered.note(ordered.slices[number][1], counts)


def _by_slice(slice_hash: Node, branches: Sequence[tuple[int, Node]], last: Node | None = None) -> Node:
    """Return CASE WHEN the hash is below each bound THEN its branch ELSE the last one END."""
    checks = [{"when_expr": comparison("LESSTHAN", slice_hash, constant(high)), "then_expr": branch}
              for high, branch in branches]  # fmt: skip
    whole = {"class": "CASE", "type": "CASE_EXPR", "alias": "", "case_checks": checks}
    return {**whole, "else_expr": last or constant(None)}


def _columns(parts: Any) -> list[Node]:
    """Return the columns that a condition reads, without a lambda's parameters."""
    if isinstance(parts, list):
        return [found for part in parts for found in _columns(part)]
    if not isinstance(parts, dict) or parts.get("class") == "LAMBDA":
        return []
    if parts.get("class") == "COLUMN_REF":
        return [parts]
    return [found for value in parts.values() for found in _columns(value)]
