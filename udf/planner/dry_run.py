"""A dry run: a statement runs without calling a model, to find out which calls it needs."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import duckdb

from ...workers import event_loop
from ...workers.deployments.spec import ModelSpec
from ...workers.messages import Request, Response
from ...workers.metrics import CACHE_HITS, series
from ..accuracy.stand_in import StandIn
from ..ai.inputs import Input
from ..session.answer_source import AnswerSource
from ..session.session import Session
from ..settings import StoreMode
from ..text2sql.result import QuestionKey, Text2SqlResult
from .call_sites import CallSites
from .cascade.rows import Population, StatedCall
from .cascade.settle import settle
from .modes import CachedAnswers
from .questions import resolve_questions

MAX_PENDING = 65_536
"""Requests collected before the first are sent: they are in memory, sorted so that equal prefixes meet."""
EARLY_BATCH = 4_096
"""The same limit if the first requests may be sent during the dry run."""
PendingRequests = dict[tuple[str, StoreMode], dict[Request, ModelSpec]]
UNNUMBERED = 0
"""Stands for the calls that carry no number."""


class UnsteadyError(duckdb.InvalidInputException):
    """A statement is not the same each time it runs."""


@dataclass
class PendingCalls:
    """The requests and questions of one call site in one run."""

    requests: PendingRequests = field(default_factory=dict)
    questions: dict[StoreMode, dict[QuestionKey, None]] = field(default_factory=dict)
    populations: dict[StatedCall, Population] = field(default_factory=dict)

    def count(self) -> int:
        """Return the number of requests."""
        return _count(self.requests)


class DryRun(AnswerSource):
    """Answers from the cache and notes the missing requests, to be sent when the run is over or the window is full.

    A request of a call site is sent only if no answer was missing upstream of it: else it is made of a NULL that
    stands for an answer, and the next run says what it really is.

    Args:
        session: whose statement is run ahead.
        sites: the statement's numbered call sites; what carries no number (in a view, in a macro of the user's) is
            sent as it comes.
    """

    def __init__(self, session: Session, sites: CallSites) -> None:
        self._session, self._sites = session, sites
        self._cached = CachedAnswers(session)
        self._pending: dict[int, PendingCalls] = {}
        self._missing: set[int] = set()
        """The sites of which an answer was missing in this run."""
        self._complete = {UNNUMBERED} | {site for site, upstream in sites.upstream.items() if not upstream}
        """The sites upstream of which nothing can be missing any more: they may be sent during a run."""
        self._settled: set[int] = set()
        """The sites all of whose requests were noted in a run: none of them can be missing in another."""
        self._full = False
        self.has_noted_all = False
        """Whether the last run has noted all that the statement needs: another run could only prove that."""
        self._runs = 0
        self._in_flight: deque[tuple[PendingRequests, Future[None]]] = deque()
        self._lock = threading.Lock()

    def at_site(self, site: int) -> AnswerSource:
        """Return the answers for one numbered call site of the statement."""
        return _Site(self, site)

    def responses(self, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode) -> Sequence[Response | None]:
        """Return the cached responses, and note the other requests."""
        return self.responses_at(UNNUMBERED, spec, requests, mode)

    def stated(
        self, call: StatedCall, spec: ModelSpec, rows: Mapping[Request, Input]
    ) -> Sequence[Response | StandIn | None]:
        """Return what is known, and note all rows: a sample is drawn of all of them."""
        return self.stated_at(UNNUMBERED, call, spec, rows)

    def sql_results(self, questions: Sequence[QuestionKey], mode: StoreMode) -> Sequence[Text2SqlResult | None]:
        """Return the cached SQL, and note the other questions."""
        return self.sql_results_at(UNNUMBERED, questions, mode)

    def responses_at(
        self, site: int, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode
    ) -> Sequence[Response | None]:
        """Return the cached responses, and note the other requests of a call site."""
        responses = self._cached.responses(spec, requests, mode)
        with self._lock:
            if not self._runs:  # What is found later was sent by this very statement.
                hits = sum(response is not None for response in responses)
                self._session.statement.scope.usage.cached += hits
                series(CACHE_HITS, spec.name).inc(hits)
            model = (spec.name, mode)
            in_flight = [sent.get(model, {}) for sent, _ in self._in_flight]
            missing = [request for request, response in zip(requests, responses, strict=True) if response is None]
            if missing and self._may_collect(site):
                new = self._pending.setdefault(site, PendingCalls()).requests.setdefault(model, {})
                new.update((each, spec) for each in missing if not any(each in sent for sent in in_flight))
                self._send_if_full()
            if missing:
                self._missing.add(site)
        return responses

    def stated_at(
        self, site: int, call: StatedCall, spec: ModelSpec, rows: Mapping[Request, Input]
    ) -> Sequence[Response | StandIn | None]:
        """Return what is known of a call with a stated accuracy, and note all rows of a call site."""
        answers = self._cached.stated(call, spec, rows)
        is_missing = any(answer is None for answer in answers)
        with self._lock:
            if self._may_collect(site):
                populations = self._pending.setdefault(site, PendingCalls()).populations
                population = populations.setdefault(call, Population(site, spec, call))
                population.requests.update(rows)
                population.is_missing |= is_missing
            if is_missing:
                self._missing.add(site)
        return answers

    def sql_results_at(
        self, site: int, questions: Sequence[QuestionKey], mode: StoreMode
    ) -> Sequence[Text2SqlResult | None]:
        """Return the cached SQL, and note the other questions of a call site."""
        results = self._cached.sql_results(questions, mode)
        missing = [question for question, found in zip(questions, results, strict=True) if found is None]
        with self._lock:
            if missing and self._may_collect(site):
                pending = self._pending.setdefault(site, PendingCalls()).questions.setdefault(mode, {})
                pending.update(dict.fromkeys(missing))
            if missing:
                self._missing.add(site)
        return results

    def finish_run(self) -> bool:
        """Send what the run has shown to be needed, and wait for it; return whether another run is needed.

        Raises:
            UnsteadyError: the statement is not the same in each run.
        """
        with self._lock:
            again, self._runs = bool(self._missing), self._runs + 1
            if self._settled & self._missing:
                raise UnsteadyError("it calls models for different rows each time it runs")
            self._settled |= self._complete - {UNNUMBERED} - self._sites.loops.keys()
            ready = [site for site in self._pending if not self._upstream(site) & self._missing]
            ready = ready or list(self._pending)  # Sites that name each other: nothing can be known of them.
            self._complete |= {site for site in self._sites.upstream if not self._upstream(site) & self._missing}
            sent = [self._pending[site] for site in ready]
            self.has_noted_all = not (self._full or self._sites.loops or UNNUMBERED in self._missing) and not any(
                [*self._sites.upstream.values(), *(pending.populations for pending in sent)]
            )
            self._pending, self._missing, self._full = {}, set(), False
            self._send([pending.requests for pending in sent])
            self._wait_for_in_flight(0)
        for population in (each for pending in sent for each in pending.populations.values()):
            if population.is_missing or population.key not in self._session.statement.accuracy_reports:
                settle(self._session, population)
        for pending in sent:
            for mode, questions in pending.questions.items():
                resolve_questions(self._session, list(questions), mode)
        return again

    def _upstream(self, site: int) -> frozenset[int]:
        """Return the sites that must have their answers before this one; what has no number may be any of them."""
        return self._sites.upstream[site] | {UNNUMBERED} if site != UNNUMBERED else frozenset()

    def _may_collect(self, site: int) -> bool:
        """Whether the statement may need the requests that this site makes now."""
        loop = self._sites.loops.get(site, frozenset())  # Of a loop's rounds only the first without its answers.
        return not loop & self._missing and (not self._full or site in self._complete)

    def _send_if_full(self) -> None:
        if sum(pending.count() for pending in self._pending.values()) < (EARLY_BATCH if self._early() else MAX_PENDING):
            return
        ready = [self._pending.pop(site) for site in list(self._pending) if site in self._complete]
        if not ready:  # They are found again in the next run, when what they depend on is known.
            self._full = True
            self._pending.clear()
        self._send([pending.requests for pending in ready])
        self._wait_for_in_flight(MAX_PENDING if self._early() else 0)

    def _early(self) -> bool:
        """Whether the first may be sent while the run goes on: of a list of answers in a request there may be half."""
        return len(self._sites) == 1 and not self._sites.loops

    def _send(self, batches: Sequence[PendingRequests]) -> None:
        merged: PendingRequests = {}
        for requests in batches:
            for model, found in requests.items():
                merged.setdefault(model, {}).update(found)
        self._session.statement.expect_calls(_count(merged))
        self._in_flight.append((merged, event_loop.submit(_send_all(self._session, merged))))

    def _wait_for_in_flight(self, max_in_flight: int) -> None:
        """Wait until at most so many requests are in flight; raise an error of those that have ended."""
        while self._in_flight and (
            self._in_flight[0][1].done() or sum(_count(pending) for pending, _ in self._in_flight) > max_in_flight
        ):
            self._session.statement.wait(self._in_flight[0][1])
            self._in_flight.popleft()

    def cancel(self) -> None:
        """Send no more requests: the run has failed, or was interrupted."""
        for _, future in self._in_flight:
            future.cancel()


class _Site(AnswerSource):
    """One call site's view of a dry run."""

    def __init__(self, run: DryRun, site: int) -> None:
        self._run, self._site = run, site

    def responses(self, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode) -> Sequence[Response | None]:
        """Return the cached responses, and note the other requests."""
        return self._run.responses_at(self._site, spec, requests, mode)

    def stated(
        self, call: StatedCall, spec: ModelSpec, rows: Mapping[Request, Input]
    ) -> Sequence[Response | StandIn | None]:
        """Return what is known, and note all rows."""
        return self._run.stated_at(self._site, call, spec, rows)

    def sql_results(self, questions: Sequence[QuestionKey], mode: StoreMode) -> Sequence[Text2SqlResult | None]:
        """Return the cached SQL, and note the other questions."""
        return self._run.sql_results_at(self._site, questions, mode)


def _count(pending: PendingRequests) -> int:
    return sum(map(len, pending.values()))


async def _send_all(session: Session, pending: PendingRequests) -> None:
    """Send the requests, those with equal beginnings together: a service with a prefix cache reads them once."""
    prefetches = []
    for (_, mode), requests in pending.items():
        for spec in list(requests.values())[:1]:  # All of one name are of one spec; there may be none.
            ordered = sorted(requests, key=_message_texts)
            prefetches.append(session.client.prefetch(spec, ordered, session.statement.scope, mode))
    await asyncio.gather(*prefetches)


def _message_texts(request: Request) -> list[str]:
    return [message.content for message in request.messages]
