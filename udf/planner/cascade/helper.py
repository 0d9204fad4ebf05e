"""A helper: a smaller deployment that gets the same requests, and how sure it is of each answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ....workers.deployments.spec import ModelSpec
from ....workers.messages import Request
from ...accuracy.proxy_thresholds import Proposal
from ...ai.constraints import constraint_for
from ...ai.inputs import Input
from ...ai.task import Task
from .rows import Method, SampledRows, send_all, true_scores

PILOT = 40
"""Rows that the helper answers first, to see whether it is worth sending it the others."""
WORTH_SENDING = 0.2
"""The share of the pilot's rows, the surest ones, that it must be right about."""
DRAWS = 3
"""Answers of a helper that gives no probabilities: the share that agree is how sure it is."""
TEMPERATURE = 0.7
"""Of the further draws: at 0 they would all be the same."""


def by_helper(rows: SampledRows, name: str) -> Method | str:
    """Return what a helper says of all rows; or in words why it does not get them.

    Raises:
        UnknownModelError: it is not deployed.
    """
    spec = rows.session.resolve_model(name)
    pilot = range(min(PILOT, len(rows)))
    labels = rows.label(pilot)
    values, confidence = _answers(rows, spec, pilot)
    if not _is_worth_sending(rows, labels, values, confidence):
        return f"the helper {name} agrees too seldom with the model"
    values, confidence = _answers(rows, spec, range(len(rows)))
    share = sum(value is True for value in values) / len(rows)
    scores = true_scores(values, confidence) if rows.call.is_filter else confidence
    return Method(f"the helper {name}", "helper", Proposal(values, scores), 0, share)


def _is_worth_sending(rows: SampledRows, labels: dict[int, Any], values: Sequence[Any], confidence: np.ndarray) -> bool:
    wanted = rows.call.stated.guarantee
    target = min(share for share in (wanted.accuracy, wanted.recall, wanted.precision) if share is not None)
    surest = [row for row in np.argsort(-confidence, kind="stable").tolist() if row in labels]
    wrong = np.cumsum([values[row] != labels[row] for row in surest])
    right_enough = np.flatnonzero(wrong <= (1.0 - target) * len(surest))
    return bool(len(right_enough)) and (right_enough[-1] + 1) >= WORTH_SENDING * len(surest)


def _answers(rows: SampledRows, spec: ModelSpec, positions: Sequence[int]) -> tuple[list[Any], np.ndarray]:
    """Return the helper's values for some rows, and how sure it is of each."""
    inputs = [rows.inputs[row] for row in positions]
    answers = _read(rows, spec, rows.call.task, inputs)
    if all(answer.probability is not None for answer in answers if answer.value is not None):
        return [answer.value for answer in answers], np.array([answer.probability or 0.0 for answer in answers])
    draws = [answers, *(_read(rows, spec, rows.call.task, inputs, draw) for draw in range(1, DRAWS))]
    found = [Counter(answer.value for answer in each).most_common(1)[0] for each in zip(*draws, strict=True)]
    return [value for value, _ in found], np.array(
        [votes / DRAWS if value is not None else 0.0 for value, votes in found]
    )


def _read(rows: SampledRows, spec: ModelSpec, task: Task, inputs: Sequence[Input], draw: int = 0) -> list[Any]:
    task = replace(task, draw=task.draw + draw)
    requests = [typed_request(spec, task, given, TEMPERATURE if draw else None) for given in inputs]
    responses = send_all(rows.session, spec, requests, rows.call.mode)
    return [task.read(response, given) for response, given in zip(responses, inputs, strict=True)]


def typed_request(spec: ModelSpec, task: Task, given: Input, temperature: float | None = None) -> Request:
    """Return what a deployment is sent for a task."""
    constraint = constraint_for(spec, task.shape)
    options = task.options(constraint)
    if temperature is not None:
        options = options.model_copy(update={"temperature": temperature})
    return task.request(given, options, constraint.top_logprobs)
