"""A proxy: logistic regression on vectors of the inputs that learns from the model's answers to the first rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ....workers import event_loop
from ....workers.deployments.spec import ModelSpec
from ....workers.messages import Message, Request
from ....workers.serving.fleet import BUILTIN_ENCODER
from ....workers.vectors import NUMBER_BYTES
from ...accuracy.proxy import Proxy, train_proxy
from ...accuracy.proxy_thresholds import Proposal
from ...ai.inputs import Input
from ...calls.scope import CallScope
from ...settings import StatementOptions
from .rows import Method, SampledRows, true_scores

LEAST_EXAMPLES, MOST_EXAMPLES = 50, 300
EXAMPLE_SHARE = 0.1
"""Of the rows: so many the proxy learns from."""
PART = 2_048
"""Texts whose vectors are fetched, and rows that are scored, at once."""


def by_proxy(rows: SampledRows, name: str) -> Method | str:
    """Return what a proxy says of all rows; or in words why there is none.

    Raises:
        UnknownModelError: the deployment whose vectors it learns from is not there.
    """
    if rows.has_images:
        return "a proxy reads texts, and there are images"
    start = min(MOST_EXAMPLES, max(LEAST_EXAMPLES, round(EXAMPLE_SHARE * len(rows))))
    labels = rows.label(range(start))
    if not labels:
        return "none of the model's answers can be read"
    features = Features(rows, rows.session.resolve_model(name))
    proxy = train_proxy(features.of(list(labels)), list(labels.values()))
    share = sum(label is True for label in labels.values()) / len(labels)
    proposal = _constant(rows, next(iter(labels.values()))) if proxy is None else _scored(rows, features, proxy)
    return Method(f"a proxy on vectors of {name}", "proxy", proposal, start, share)


def _constant(rows: SampledRows, label: Any) -> Proposal:
    """Return the proposal of a proxy that has seen one answer only."""
    confidence = np.ones(len(rows))
    return Proposal(
        [label] * len(rows), true_scores([label] * len(rows), confidence) if rows.call.is_filter else confidence
    )


def _scored(rows: SampledRows, features: Features, proxy: Proxy) -> Proposal:
    likely = np.vstack([proxy.probabilities(features.of(part)) for part in _parts(range(len(rows)))])
    answers: list[Any] = [proxy.classes[best] for best in likely.argmax(axis=1)]
    if rows.call.is_filter:
        return Proposal(answers, likely[:, proxy.classes.index(True)])
    return Proposal(answers, likely.max(axis=1))


class Features:
    """What a proxy sees of each row: the vector of its text; of a pair how the two vectors differ and agree."""

    def __init__(self, rows: SampledRows, spec: ModelSpec) -> None:
        self._texts = [texts(given, is_pair=rows.call.function == "match") for given in rows.inputs]
        distinct = list(dict.fromkeys(text for row in self._texts for text in row))
        self._positions = {text: position for position, text in enumerate(distinct)}
        self._vectors = vectors(rows, spec, distinct)

    def of(self, selected: Sequence[int]) -> np.ndarray:
        """Return the features of some rows."""
        sides = [
            self._vectors[[self._positions[self._texts[row][side]] for row in selected]]
            for side in range(len(self._texts[0]))
        ]
        if len(sides) == 1:
            return sides[0]
        left, right = sides
        alike = (left * right).sum(axis=1, keepdims=True)
        return np.hstack([np.abs(left - right), left * right, 3.0 * alike])


def texts(given: Input, *, is_pair: bool) -> tuple[str, ...]:
    """Return the text of an input, or the two of a pair."""
    if not is_pair:
        return (given.text,)
    sides = json.loads(given.text)
    return tuple(
        side if isinstance(side, str) else json.dumps(side, ensure_ascii=False)
        for side in (sides["left"], sides["right"])
    )


def vectors(rows: SampledRows, spec: ModelSpec, distinct: Sequence[str]) -> np.ndarray:
    """Return the texts' vectors, each of length 1; a text that has none gets zeros.

    The built-in encoder costs nothing, so that its calls count for no budget.
    """
    statement, client = rows.session.statement, rows.session.client
    scope = CallScope(StatementOptions) if spec is BUILTIN_ENCODER else statement.scope
    found = []
    for part in _parts(distinct):
        requests = [Request((Message("user", text),), kind="embed") for text in part]
        asking = client.complete(spec, requests, scope, rows.call.mode)
        found += [response.embedding for response in statement.wait(event_loop.submit(asking))]
    width = max((len(vector) for vector in found if vector), default=NUMBER_BYTES)
    table = np.frombuffer(b"".join(vector or bytes(width) for vector in found), dtype="<f4").reshape(len(found), -1)
    return np.asarray(table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9))


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), PART):
        yield items[start : start + PART]
