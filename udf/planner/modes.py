"""Asking: how the requests and questions of a running statement become answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from ...workers import event_loop
from ...workers.deployments.spec import ModelSpec
from ...workers.messages import Request, Response
from ..settings import StoreMode

if TYPE_CHECKING:
    from ..functions.text2sql import QuestionKey
    from ..session.session import Session
    from ..text2sql.pipeline import Text2SqlResult

MODEL_FUNCTIONS = frozenset({"llm_chat", "llm_embed", "text2sql", "text2sql_detail"})
"""The functions that ask, beside the models' own names."""
CACHE_ONLY = "known"
"""In place of a store mode, in SQL that we write ourselves: this call never asks."""


class AnswerSource(Protocol):
    """Turns a chunk's distinct requests into answers; None where there is none yet."""

    def responses(
        self, session: Session, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode
    ) -> Sequence[Response | None]:
        """Return one response a request, in order."""

    def sql_results(
        self, session: Session, questions: list[QuestionKey], mode: StoreMode
    ) -> Sequence[Text2SqlResult | None]:
        """Return the SQL for each question, in order."""


class LiveAnswers:
    """Asks what is not known, and waits for it."""

    def responses(
        self, session: Session, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode
    ) -> Sequence[Response | None]:
        """Return one response a request, in order."""
        return session.statement.wait(
            event_loop.submit(session.caller.complete(spec, requests, session.statement, mode))
        )

    def sql_results(
        self, session: Session, questions: list[QuestionKey], mode: StoreMode
    ) -> Sequence[Text2SqlResult | None]:
        """Return the SQL for each question, in order."""
        from ..functions.text2sql import resolve_questions

        return resolve_questions(session, questions, mode)


class CachedAnswers:
    """Answers what is known and asks nothing: of a statement whose other requests were found to be in vain."""

    def responses(
        self, session: Session, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode
    ) -> Sequence[Response | None]:
        """Return the known responses, in order."""
        return session.statement.wait(event_loop.submit(session.caller.cached(spec, requests, session.statement, mode)))

    def sql_results(
        self, session: Session, questions: list[QuestionKey], mode: StoreMode
    ) -> Sequence[Text2SqlResult | None]:
        """Return the SQL for each question that this statement has answered."""
        return [session.statement.details.get(question) for question in questions]


class MemoizedAnswers:
    """Answers what the statement has read before from its memory, and leaves the rest to another.

    A statement that is planned runs several times; the call store's file need not be read each time.
    """

    def __init__(self, asker: AnswerSource) -> None:
        self._asker = asker

    def responses(
        self, session: Session, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode
    ) -> Sequence[Response | None]:
        """Return one response a request, in order."""
        memory = session.statement.memory
        recalled = [memory.get((spec.name, mode, request)) for request in requests]
        if missing := [request for request, response in zip(requests, recalled, strict=True) if response is None]:
            found = self._asker.responses(session, spec, missing, mode)
            for request, response in zip(missing, found, strict=True):
                memory.put((spec.name, mode, request), response)
            rest = iter(found)
            return [next(rest) if response is None else response for response in recalled]
        return recalled


LIVE, CACHED = LiveAnswers(), CachedAnswers()
