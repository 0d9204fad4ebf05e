"""The estimate: the calls that a statement would make and their cost, before any call is made."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from ...workers import event_loop
from ...workers.deployments.spec import ModelSpec
from ...workers.errors import RequestError
from ...workers.messages import Failure, Request, Response, Usage
from ...workers.serving.retry import estimate_tokens
from ..calls.call_store import CallStore
from ..calls.model_estimate import ModelEstimate
from ..calls.prices import find_price
from ..calls.request_key import request_key
from ..calls.scope import CallScope
from ..session.answer_source import MADE_UP, AnswerSource
from ..session.session import Session
from ..settings import StoreMode
from ..text2sql.result import QuestionKey, Text2SqlResult
from .eligibility import ineligible_reason
from .expansion import expand
from .modes import MODEL_FUNCTIONS, CachedAnswers, LiveAnswers
from .parse_statement import ModelQuery, UnplannedError, parse_statement
from .predicates import contains_call
from .prefetch import in_transaction
from .questions import resolve_question
from .read_definitions import read_definitions
from .relax import relax_predicates
from .runner import Runner
from .statement_tree import is_faithful, tree_sql

ANSWER_TOKENS = 100
"""Taken for the length of an answer where the model has given none yet and the request says no `max_tokens`."""

NOT_CACHED = Failure("not_cached", "an estimate makes no call", False)
"""The error of a call that an estimate does not make: it ends the attempts to answer a question."""


class CostEstimator(AnswerSource):
    """Answers a request that is not cached with a made-up text, different for each request, and counts."""

    def __init__(self, session: Session, answer_tokens: dict[str, float]) -> None:
        self._session = session
        self._cached = CachedAnswers(session)
        self.models: dict[str, ModelEstimate] = {}
        self.has_stated_accuracy = False
        self._answer_tokens = answer_tokens
        self._seen: set[tuple[str, Request]] = set()
        self._counting = threading.Lock()

    def responses(self, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode) -> Sequence[Response | None]:
        """Return the cached answers, and for the others the request's hash."""
        cached = self._cached.responses(spec, requests, mode)
        self._count_new(spec, requests, cached)
        made_up = (
            Response(request_key(spec.identity, request).hex(), model=spec.name, request_id=MADE_UP)
            for request in requests
        )
        return [there or made for there, made in zip(cached, made_up, strict=True)]

    def _count_new(self, spec: ModelSpec, requests: Sequence[Request], cached: Sequence[Response | None]) -> None:
        with self._counting:
            found = self.models.setdefault(spec.name, ModelEstimate(spec.name))
            for request, response in zip(requests, cached, strict=True):
                if (spec.name, request) not in self._seen:
                    self._seen.add((spec.name, request))
                    self._count(found, spec, request, response)

    def stated(self, call: Any, spec: ModelSpec, rows: Mapping[Request, Any]) -> Sequence[Response | None]:
        """Count all requests: how many of them a helper or a proxy would save is not known before."""
        self.has_stated_accuracy = True
        return self.responses(spec, list(rows), call.mode)

    def _count(self, found: ModelEstimate, spec: ModelSpec, request: Request, response: Response | None) -> None:
        found.calls += 1
        if response is not None:
            found.known += 1
            return
        found.to_ask += 1
        length = self._answer_tokens.get(spec.name) or request.options.max_tokens or ANSWER_TOKENS
        usage = Usage(estimate_tokens(request), 0 if request.kind == "embed" else round(length))
        found.input_tokens = (found.input_tokens or 0) + usage.input_tokens
        found.output_tokens = (found.output_tokens or 0) + usage.output_tokens
        if price := find_price(spec):
            found.money = (found.money or 0.0) + price.cost(usage)

    def sql_results(self, questions: Sequence[QuestionKey], mode: StoreMode) -> Sequence[Text2SqlResult | None]:
        """Return the SQL of questions whose calls are all cached. Of another, its first call that is not is counted."""

        async def resolve_all() -> list[Text2SqlResult]:
            resolving = (resolve_question(self._session, question, mode, self._send_nothing) for question in questions)
            return await asyncio.gather(*resolving)

        found = self._session.statement.wait(event_loop.submit(resolve_all()))
        return [result if result.error is None else None for result in found]

    async def _send_nothing(
        self, spec: ModelSpec, requests: Sequence[Request], scope: CallScope, mode: StoreMode
    ) -> list[Response]:
        cached = await self._session.client.cached(spec, requests, scope, mode)
        self._count_new(spec, requests, cached)
        return [response or Response(None, error=NOT_CACHED, finish_reason="error") for response in cached]


def estimate(connection: duckdb.DuckDBPyConnection, session: Session, sql: str, values: Any) -> list[ModelEstimate]:
    """Return the calls that a statement would make, by model; no model is called.

    Conditions that call a model count as true, and answers that are not cached as all different: such counts are
    `at_most`.

    Raises:
        RequestError: nothing in the statement calls a model, or it cannot be run ahead; the message says why.
        duckdb.Error: the statement cannot be run.
    """
    reading = read_statement(connection, session, sql, values)
    rewritten = relax_predicates(reading) if is_faithful(connection, reading.tree, reading.text) else reading.tree
    estimator = CostEstimator(session, event_loop.run_sync(answer_tokens(session)))
    text = reading.text if rewritten is reading.tree else tree_sql(connection, rewritten)
    run_without_calls(connection, session, text, values, estimator)
    at_most = is_nested(reading) or rewritten != reading.tree or estimator.has_stated_accuracy
    for found in estimator.models.values():
        found.rows = session.statement.rows[found.model]
        found.at_most = at_most
    return list(estimator.models.values())


def read_statement(connection: duckdb.DuckDBPyConnection, session: Session, sql: str, values: Any) -> ModelQuery:
    """Return the statement that is to be estimated, with its parameters' values, and with its views and macros put in.

    Raises:
        RequestError: nothing in it calls a model, or it cannot be run ahead; the message says why.
        duckdb.ParserException: it is no SQL.
    """
    try:
        definitions = read_definitions(connection, session, sql)
        defined = definitions.calling(session.deployed | MODEL_FUNCTIONS)
        reading = parse_statement(connection, sql, session.deployed, defined, rows_only=False)
        reason = ineligible_reason(connection, reading, definitions) if reading else "it calls no model"
    except (UnplannedError, RecursionError) as error:
        reading, reason = None, str(error)
    if reading is None or reason:
        connection.extract_statements(sql)  # DuckDB says what is wrong with a text that is no SQL.
        hint = "write FROM ai_explain('SELECT ai_filter(…) …') or FROM llm_estimate('SELECT chat(…) FROM …')"
        raise RequestError(f"the statement cannot be estimated: {reason}", hint=hint)
    if reading.named_definitions() and not in_transaction(connection):
        return expand(reading, Runner(connection, session, values), definitions)
    return reading


def run_without_calls(
    connection: duckdb.DuckDBPyConnection,
    session: Session,
    text: str,
    values: Any,
    source: AnswerSource,
) -> None:
    """Run a rewritten statement in a transaction that is rolled back, with answers that cost nothing.

    Args:
        connection, session: where it runs.
        text: the rewritten statement.
        values: its parameters' values.
        source: of the answers.
    """
    own = session.own_transaction
    if not in_transaction(connection):
        own.begin(connection)
    try:
        Runner(connection, session, values).run_with(text, source)
    finally:
        own.rollback(connection)
        session.answers = LiveAnswers(session)


def is_nested(reading: ModelQuery) -> bool:
    """Whether one call is made of another's answer."""
    return any(contains_call(part, reading.is_call) for call in reading.calls() for part in call["arguments"])


def estimates_for_statement(
    connection: duckdb.DuckDBPyConnection, session: Session, text: str, values: Any
) -> dict[str, list[ModelEstimate]]:
    """Return the estimates that a statement with `llm_estimate('…')` will read: inside it, no other can run.

    Raises:
        RequestError, duckdb.Error: as `estimate` does.
    """
    statements = texts_given_to("llm_estimate", text, values)
    return {sql: estimate(connection, session, sql, None) for sql in statements}


def texts_given_to(function: str, text: str, values: Any) -> list[str]:
    """Return the constant texts with which a statement calls a function."""
    try:
        tree = parse_one(text, dialect="duckdb")
    except SqlglotError:
        return []
    calls = (node for node in tree.find_all(exp.Anonymous) if node.name.lower() == function)
    given = [_literal_text(call.expressions[0], values) for call in calls if call.expressions]
    return [sql for sql in given if sql is not None]


def _literal_text(argument: exp.Expr, values: Any) -> str | None:
    """Return the text that a literal or a parameter stands for."""
    if isinstance(argument, exp.Literal | exp.RawString | exp.Heredoc):  # The last two are $$…$$.
        return str(argument.this)
    name = argument.name
    if isinstance(values, dict):
        return values.get(name)
    index = int(name) - 1 if name.isdigit() else 0
    return values[index] if values and index < len(values) else None


async def answer_tokens(session: Session) -> dict[str, float]:
    """Return how many tokens an answer of each model has had so far, on average; {} where the store is off."""
    if session.statement.scope.options.llm_store == "off":
        return {}
    usage = await session.client.store.call(CallStore.usage)
    return {row["model"]: row["output_tokens"] / row["calls"] for row in usage if row["calls"] and row["output_tokens"]}
