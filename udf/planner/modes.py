"""The ways in which requests and questions become answers: live, from the cache alone, or from what was read before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...workers import event_loop
from ...workers.deployments.spec import ModelSpec
from ...workers.messages import Request, Response
from ..accuracy.stand_in import StandIn
from ..ai.macros import AI_FUNCTIONS
from ..session.answer_source import AnswerSource
from ..session.session import Session
from ..settings import StoreMode
from ..text2sql.result import QuestionKey, Text2SqlResult
from .questions import resolve_questions

# The functions that call models, beside the models' own names.
MODEL_FUNCTIONS = frozenset({"llm_chat", "llm_embed", "text2sql", "text2sql_detail", *AI_FUNCTIONS})
# Behind the store mode, in SQL that we write ourselves: the number of the call site, or that it never calls a model.
SITE_MARK = "#"
CACHE_ONLY = "cached"


class LiveAnswers(AnswerSource):
    """Sends what is not cached, and waits for it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def responses(self, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode) -> Sequence[Response | None]:
        """Return one response for each request, in order."""
        statement = self._session.statement
        return statement.wait(event_loop.submit(self._session.client.complete(spec, requests, statement.scope, mode)))

    def stated(self, call: Any, spec: ModelSpec, rows: Mapping[Request, Any]) -> Sequence[Response | StandIn | None]:
        """Return what is known; the model answers the rest, for a sample of rows that come bit by bit is none."""
        known = stated_answers(self._session, call, spec, rows)
        if missing := [request for request, answer in zip(rows, known, strict=True) if answer is None]:
            rest = iter(self.responses(spec, missing, call.mode))
            return [next(rest) if answer is None else answer for answer in known]
        return known

    def sql_results(self, questions: Sequence[QuestionKey], mode: StoreMode) -> Sequence[Text2SqlResult | None]:
        """Return the SQL for each question, in order."""
        return resolve_questions(self._session, questions, mode)


class CachedAnswers(AnswerSource):
    """Answers from the cache and calls no model: for a statement whose other requests are in vain."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def responses(self, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode) -> Sequence[Response | None]:
        """Return the cached responses, in order."""
        statement = self._session.statement
        return statement.wait(event_loop.submit(self._session.client.cached(spec, requests, statement.scope, mode)))

    def stated(self, call: Any, spec: ModelSpec, rows: Mapping[Request, Any]) -> Sequence[Response | StandIn | None]:
        """Return the cached responses, and what stands in for others."""
        return stated_answers(self._session, call, spec, rows)

    def sql_results(self, questions: Sequence[QuestionKey], mode: StoreMode) -> Sequence[Text2SqlResult | None]:
        """Return the SQL for each question that this statement has answered."""
        return [self._session.statement.sql_results.get(question) for question in questions]


class MemoizedAnswers:
    """Answers what the statement has read before from its own cache, and leaves the rest to another source.

    A statement that is planned runs several times; the call store's file need not be read each time.

    Args:
        session: whose statement runs.
        source: answers the rest.
        hand_over: whether the caller saves the answers itself, so that the cache need not hold them any longer.
    """

    def __init__(self, session: Session, source: AnswerSource, *, hand_over: bool = False) -> None:
        self._session, self._source = session, source
        self._hand_over = hand_over

    def responses(self, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode) -> Sequence[Response | None]:
        """Return one response for each request, in order."""
        cache = self._session.statement.scope.answers
        read = cache.pop if self._hand_over else cache.get
        cached = [read((spec.name, mode, request)) for request in requests]
        if missing := [request for request, response in zip(requests, cached, strict=True) if response is None]:
            found = self._source.responses(spec, missing, mode)
            for request, response in zip(missing, found, strict=True) if not self._hand_over else ():
                cache.put((spec.name, mode, request), response)
            rest = iter(found)
            return [next(rest) if response is None else response for response in cached]
        return cached

    def sql_results(self, questions: Sequence[QuestionKey], mode: StoreMode) -> Sequence[Text2SqlResult | None]:
        """Return the SQL for each question: the other source remembers it by itself."""
        return self._source.sql_results(questions, mode)


def stated_answers(
    session: Session, call: Any, spec: ModelSpec, rows: Mapping[Request, Any]
) -> list[Response | StandIn | None]:
    """Return what is known of a call with a stated accuracy: the model's answers, else what stands in for them."""
    responses = MemoizedAnswers(session, CachedAnswers(session)).responses(spec, list(rows), call.mode)
    stand_ins = session.statement.stand_ins.get(call, {})
    return [
        stand_ins.get(request) if response is None else response
        for request, response in zip(rows, responses, strict=True)
    ]
