"""The explanation: the calls of a statement one by one, in which order, how many, at what cost; nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import duckdb

from ...workers import event_loop
from ...workers.deployments.spec import ModelSpec
from ...workers.messages import Request, Response
from ..ai.shapes import YesOrNo
from ..calls.model_estimate import CallStep, ModelEstimate, PlannedRequest
from ..session.answer_source import AnswerSource
from ..session.session import Session
from ..settings import StoreMode
from ..text2sql.result import Text2SqlResult
from .call_sites import NUMBERED_FUNCTIONS, CallSites, number_call_sites, site_calls
from .estimate import (
    CostEstimator,
    answer_tokens,
    estimates_for_statement,
    is_nested,
    read_statement,
    run_without_calls,
    texts_given_to,
)
from .ranking_hint import ranking_hint
from .relax import relax_predicates
from .statement_tree import Node, is_faithful, parse_tree, tree_sql

CONDITIONS = frozenset({"ai_filter", "ai_match"})
ELSEWHERE = 0
"""Stands for the calls in views and macros, which have no number."""


class SiteEstimator(CostEstimator):
    """Counts the requests of one call site, and notes the first of them."""

    def __init__(self, session: Session, tokens: dict[str, float], most: int) -> None:
        super().__init__(session, tokens)
        self.requests: list[PlannedRequest] = []
        self.guarantee: Mapping[str, float | None] = {}
        self._most = most
        self._yes = self._no = 0

    def stated(self, call: Any, spec: ModelSpec, rows: Mapping[Request, Any]) -> Sequence[Response | None]:
        """Note what is stated, and count all requests."""
        self.guarantee = asdict(call.stated.guarantee)
        return super().stated(call, spec, rows)

    def _count(self, found: ModelEstimate, spec: ModelSpec, request: Request, response: Response | None) -> None:
        super()._count(found, spec, request, response)
        if len(self.requests) < self._most:
            self.requests.append(PlannedRequest(spec.name, request, response is not None))
        if response is not None and request.function in CONDITIONS:
            value = YesOrNo().read(response.output or "", ()).value
            self._yes, self._no = self._yes + (value is True), self._no + (value is not True)

    @property
    def selectivity(self) -> float | None:
        """The part of the cached answers that are yes."""
        return self._yes / (self._yes + self._no) if self._yes + self._no else None


class Explainer(AnswerSource):
    """Gives each call site an estimator of its own.

    Args:
        session: the connection's.
        most: requests of each site that are noted.
    """

    def __init__(self, session: Session, most: int) -> None:
        self._session, self._most = session, most
        self._tokens = event_loop.run_sync(answer_tokens(session))
        self.sites: dict[int, SiteEstimator] = {}

    def at_site(self, site: int) -> AnswerSource:
        """Return the estimator of a call site."""
        if site not in self.sites:
            self.sites[site] = SiteEstimator(self._session, self._tokens, self._most)
        return self.sites[site]

    def responses(self, spec: ModelSpec, requests: Any, mode: StoreMode) -> Any:
        """Return made-up answers for calls that have no number."""
        return self.at_site(ELSEWHERE).responses(spec, requests, mode)

    def sql_results(self, questions: Any, mode: StoreMode) -> list[Text2SqlResult | None]:
        """Return no SQL."""
        return list(self.at_site(ELSEWHERE).sql_results(questions, mode))


def explain(
    connection: duckdb.DuckDBPyConnection, session: Session, sql: str, values: Any, *, most_requests: int = 0
) -> tuple[list[CallStep], list[PlannedRequest]]:
    """Return the calls of a statement in their order, and the first requests of each; nothing is sent.

    Args:
        connection, session: where it would run.
        sql: the statement.
        values: its parameters' values.
        most_requests: how many requests of each call are returned.

    Raises:
        RequestError: nothing in the statement calls a model, or it cannot be run ahead; the message says why.
        duckdb.Error: the statement cannot be run.
    """
    reading = read_statement(connection, session, sql, values)
    tree, sites = number_call_sites(reading, session.number)
    numbered = replace(reading, tree=tree, names=NUMBERED_FUNCTIONS)
    is_relaxed = is_faithful(connection, reading.tree, reading.text)
    rewritten = relax_predicates(numbered) if is_relaxed else tree
    explainer = Explainer(session, most_requests)
    text = tree_sql(connection, rewritten) if is_relaxed else reading.text
    run_without_calls(connection, session, text, values, explainer)
    at_most = is_nested(reading) or rewritten != tree
    calls, steps = site_calls(reading), _steps(sites)
    found: list[CallStep] = []
    for site in sorted(explainer.sites, key=lambda site: (steps.get(site, 1), site)):
        estimator, call = explainer.sites[site], calls.get(site)
        for estimate in estimator.models.values():
            estimate.at_most = at_most or estimator.has_stated_accuracy
            name = call["function_name"].lower() if call else None
            written = _written(connection, call) if call else None
            step = steps.get(site, 1)
            hint = ranking_hint(reading.tree, call)
            found.append(CallStep(step, name, written, estimate, estimator.selectivity, estimator.guarantee, hint))
    return found, [request for site in explainer.sites.values() for request in site.requests]


def explanations_for_statement(connection: duckdb.DuckDBPyConnection, session: Session, text: str, values: Any) -> None:
    """Make the estimates and explanations that a statement will read: inside it, no other can run.

    Raises:
        RequestError, duckdb.Error: as `explain` does.
    """
    session.estimates = estimates_for_statement(connection, session, text, values)
    statements = texts_given_to("ai_explain", text, values)
    session.explanations = {sql: explain(connection, session, sql, None)[0] for sql in statements}


def _steps(sites: CallSites) -> dict[int, int]:
    """Return the step of each call site: one more than the last of those that it depends on."""
    steps: dict[int, int] = {}

    def step(site: int, below: frozenset[int]) -> int:
        if site not in steps:
            upstream = sites.upstream.get(site, frozenset()) - below - {site}
            steps[site] = 1 + max((step(one, below | {site}) for one in upstream), default=0)
        return steps[site]

    for site in sites.upstream:
        step(site, frozenset())
    return steps


def _written(connection: duckdb.DuckDBPyConnection, call: Node) -> str:
    """Return a call as DuckDB writes it."""
    query = parse_tree(connection, "SELECT 1")
    assert query is not None
    query["select_list"] = [{**call, "alias": ""}]
    return tree_sql(connection, query).removeprefix("SELECT ")
