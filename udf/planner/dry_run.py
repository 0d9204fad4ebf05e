"""A rehearsal: a statement runs without asking, to find out what it will ask."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future

from ...workers import event_loop
from ...workers.deployments.spec import ModelSpec
from ...workers.messages import Request, Response
from ...workers.metrics import CACHE_HITS, series
from ..session.session import Session
from ..settings import StoreMode
from ..text2sql.result import QuestionKey, Text2SqlResult
from .modes import CachedAnswers
from .questions import resolve_questions

MAX_PENDING = 65_536
"""Requests that are noted before the first are asked: what is held in memory, and sorted so that prefixes meet."""
EARLY_BATCH = 4_096
"""The same where the first may be asked while the rehearsal goes on."""
PendingRequests = dict[tuple[str, StoreMode], dict[Request, ModelSpec]]


class DryRun:
    """Answers what is known and notes the rest, to be asked when the run is over or the window is full.

    Args:
        session: whose statement is run ahead.
        early: ask while the run goes on. Only where no request depends on an answer: of a list of answers that
            makes up another request there may be half.
    """

    def __init__(self, session: Session, *, early: bool = False) -> None:
        self._session = session
        self._cached = CachedAnswers(session)
        self.missing_count = 0
        self._early = early
        self._requests: PendingRequests = {}
        self._asked: deque[tuple[PendingRequests, Future[None]]] = deque()
        self._questions: dict[StoreMode, dict[QuestionKey, None]] = {}
        self._noting = threading.Lock()

    def responses(self, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode) -> Sequence[Response | None]:
        """Return the known responses, and note the other requests."""
        responses = self._cached.responses(spec, requests, mode)
        with self._noting:
            if not self.missing_count:  # What is found later was asked by this very statement.
                series(CACHE_HITS, spec.name).inc(sum(response is not None for response in responses))
            place = (spec.name, mode)
            under_way = [noted.get(place, {}) for noted, _ in self._asked]
            new = self._requests.setdefault(place, {})
            for request, response in zip(requests, responses, strict=True):
                if response is None and not any(request in asked for asked in under_way):
                    new[request] = spec
            if _count(self._requests) >= (EARLY_BATCH if self._early else MAX_PENDING):
                self._ask()
                self._land(MAX_PENDING if self._early else 0)
        return responses

    def sql_results(self, questions: Sequence[QuestionKey], mode: StoreMode) -> Sequence[Text2SqlResult | None]:
        """Return the known SQL, and note the other questions."""
        details = self._cached.sql_results(questions, mode)
        with self._noting:
            noted = self._questions.setdefault(mode, {})
            noted |= {
                question: None
                for question, missing_count in zip(questions, details, strict=True)
                if missing_count is None
            }
        return details

    def send_pending(self) -> int:
        """Ask what was noted; return how much was noted in all since the beginning."""
        with self._noting:
            self._ask()
            self._land(0)
            noted, self._questions = self._questions, {}
        for mode, questions in noted.items():
            self.missing_count += len(questions)
            resolve_questions(self._session, list(questions), mode)
        return self.missing_count

    def _ask(self) -> None:
        noted, self._requests = self._requests, {}
        self.missing_count += _count(noted)
        self._session.statement.expect_calls(_count(noted))
        self._asked.append((noted, event_loop.submit(_ask_all(self._session, noted))))

    def _land(self, most: int) -> None:
        """Wait until no more than so many requests are under way; an error among those that have ended is raised."""
        while self._asked and (self._asked[0][1].done() or sum(_count(noted) for noted, _ in self._asked) > most):
            self._session.statement.wait(self._asked[0][1])
            self._asked.popleft()

    def cancel(self) -> None:
        """Ask nothing more of what was noted: the run has failed, or was interrupted."""
        for _, asking in self._asked:
            asking.cancel()


def _count(noted: PendingRequests) -> int:
    return sum(map(len, noted.values()))


async def _ask_all(session: Session, noted: PendingRequests) -> None:
    """Ask, those that begin alike next to each other: a service that keeps prefixes reads them once."""
    asking = []
    for (_, mode), requests in noted.items():
        for spec in list(requests.values())[:1]:  # All of one name are of one spec; there may be none.
            ordered = sorted(requests, key=_words)
            asking.append(session.client.prefetch(spec, ordered, session.statement.scope, mode))
    await asyncio.gather(*asking)


def _words(request: Request) -> list[str]:
    return [message.content for message in request.messages]
