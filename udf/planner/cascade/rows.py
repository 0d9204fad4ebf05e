"""The rows of a call with a stated accuracy: its distinct requests, in an order that is random and always the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....workers import event_loop
from ....workers.deployments.spec import ModelSpec
from ....workers.messages import Request, Response
from ...accuracy.proxy_thresholds import Proposal
from ...accuracy.stand_in import By
from ...accuracy.stated import Stated
from ...ai.inputs import Input
from ...ai.task import Task
from ...calls.request_key import request_key
from ...session.session import Session
from ...settings import StoreMode

NO_RESPONSE = Response(None, finish_reason="error")


@dataclass(frozen=True)
class StatedCall:
    """One call of a statement, as far as its answers are concerned.

    Args:
        model: its name.
        mode: whether the call store is read and written.
        function: a key of `SHAPES`.
        question: the predicate, labels or criteria, as JSON.
        task: what the model is to do.
        stated: the accuracy, and by whom answers may be given.
    """

    model: str
    mode: StoreMode
    function: str
    question: str | None
    task: Task
    stated: Stated

    @property
    def is_filter(self) -> bool:
        """Whether its answers are TRUE or FALSE."""
        return self.task.shape.sql == "BOOLEAN"


@dataclass
class Population:
    """All that one call needs in one dry run.

    Args:
        site: the number of its call site.
        spec: the model.
        call: the call.
        requests: the distinct requests, with what each shows to the model.
        is_missing: whether an answer was missing.
    """

    site: int
    spec: ModelSpec
    call: StatedCall
    requests: dict[Request, Input] = field(default_factory=dict)
    is_missing: bool = False

    @property
    def key(self) -> tuple[int, StatedCall]:
        """The place in the statement for which a promise is made."""
        return self.site, self.call


@dataclass(frozen=True)
class Method:
    """A way to answer without the model.

    Args:
        name: as the report says it.
        by: who answers.
        proposal: what it says of each row.
        start: how many of the first rows it has learned from.
        share: of the rows that a filter is true of, roughly.
    """

    name: str
    by: By
    proposal: Proposal
    start: int
    share: float


class SampledRows:
    """The rows of a population, and what the model has said of them so far.

    They stand in the order of their hashes. Therefore a sample is their beginning, the next run draws the same sample,
    and finds its answers in the call store.
    """

    def __init__(self, session: Session, population: Population) -> None:
        self.session, self.spec, self.call = session, population.spec, population.call
        identity = population.spec.identity
        self.requests = sorted(population.requests, key=lambda request: request_key(identity, request))
        self.inputs = [population.requests[request] for request in self.requests]
        self.labels: dict[int, Any] = {}
        self._sent: set[int] = set()

    @property
    def has_images(self) -> bool:
        """Whether the model is shown more than texts."""
        return any(given.images or not given.text for given in self.inputs)

    def __len__(self) -> int:
        return len(self.requests)

    def label(self, rows: Iterable[int]) -> dict[int, Any]:
        """Let the model answer some rows; return the answers that can be read, by row."""
        rows = list(rows)
        new = [row for row in rows if row not in self._sent]
        responses = send_all(self.session, self.spec, [self.requests[row] for row in new], self.call.mode)
        for row, response in zip(new, responses, strict=True):
            value = self.call.task.read(response, self.inputs[row]).value
            if value is not None:
                self.labels[row] = value
        self._sent |= set(new)
        return {row: self.labels[row] for row in rows if row in self.labels}


def send_all(session: Session, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode) -> list[Response]:
    """Return a deployment's responses to any number of requests, for the running statement.

    Raises:
        SetupError, StoreError, BudgetError: as `CachingClient.complete`.
    """
    statement, client = session.statement, session.client

    def cached() -> list[Response | None]:
        return statement.wait(event_loop.submit(client.cached(spec, requests, statement.scope, mode)))

    missing = {request for request, response in zip(requests, cached(), strict=True) if response is None}
    statement.expect_calls(len(missing))
    ordered = sorted(missing, key=lambda request: [message.content for message in request.messages])
    statement.wait(event_loop.submit(client.prefetch(spec, ordered, statement.scope, mode)))
    return [response or NO_RESPONSE for response in cached()]


def true_scores(values: Sequence[Any], confidence: np.ndarray) -> np.ndarray:
    """Return how likely each row is true, of answers TRUE, FALSE or None with how sure each is."""
    is_true = np.array([value is True for value in values])
    unknown = np.array([value is None for value in values])
    return np.where(unknown, 0.5, np.where(is_true, confidence, 1.0 - confidence))
