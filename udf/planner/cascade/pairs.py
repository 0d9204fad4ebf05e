"""A semantic join as labels of one side or of both: as many calls as there are values, not as there are pairs.

Where one side has few distinct values, the model is sent each value of the other side and chooses among them, as
Snowflake rewrites joins (arXiv 2511.07663). Else the model is asked once whether the criterion hangs on one label of
each input ("opposite sentiment"); then each value is classified, and the labels are joined. Either way the result is a
proposal like that of any proxy: a sample of pairs shows how right it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....workers.messages import Message, Request
from ....workers.options import Options
from ...accuracy.proxy_thresholds import Proposal
from ...ai.constraints import constraint_for
from ...ai.inputs import Input, input_of_json
from ...ai.parse_answers import json_objects
from ...ai.prompts import PAIR_LABELS, SIDE_LABELS
from ...ai.shapes import SomeLabels
from ...ai.task import Task, read_task
from .rows import Method, SampledRows, send_all, true_scores

MOST_LABELS = 20
"""Values of a side that are listed in one request, and labels that decide a criterion."""
FEWER = 3
"""The labels must take so many times fewer calls than the pairs."""


@dataclass(frozen=True)
class Pair:
    """The two sides of a row, as texts: a value that is no text as JSON."""

    left: str
    right: str


def by_labels(rows: SampledRows) -> Method | None:
    """Return what labels of the sides say of all pairs; None where labels decide nothing, or save little."""
    pairs = [_pair(given) for given in rows.inputs]
    left, right = {pair.left for pair in pairs}, {pair.right for pair in pairs}
    short, long = (left, right) if len(left) < len(right) else (right, left)
    if len(short) <= MOST_LABELS and len(long) * FEWER <= len(pairs) and not rows.has_images:
        return _by_one_side(rows, pairs, sorted(short), long is left)
    if (len(left | right) + 1) * FEWER <= len(pairs):
        return _by_both_sides(rows, pairs)
    return None


def _by_one_side(rows: SampledRows, pairs: Sequence[Pair], values: Sequence[str], left_is_long: bool) -> Method:
    """Let the model choose, for each value of the long side, among the values of the other."""
    criteria = json.loads(rows.call.question or '""')
    sides = ("left", "right") if left_is_long else ("right", "left")
    names = "\n".join(json.dumps(value, ensure_ascii=False) for value in values)
    prompt = SIDE_LABELS.text(rows.call.task.chinese)
    system = prompt.format(criteria=criteria, long=sides[0], short=sides[1], values=names)
    task = Task(
        rows.call.task.function, system, SomeLabels(tuple(values)), (), rows.call.task.chinese, rows.call.task.draw
    )
    found = _labels(rows, task, [pair.left if left_is_long else pair.right for pair in pairs])
    matches = []
    for pair in pairs:
        long, short = (pair.left, pair.right) if left_is_long else (pair.right, pair.left)
        matches.append(None if found[long] is None else short in found[long])
    return _method(f"for each {sides[0]} value a choice of the {len(values)} {sides[1]} values", matches)


def _by_both_sides(rows: SampledRows, pairs: Sequence[Pair]) -> Method | None:
    """Classify the values of both sides, where the model says that their labels decide."""
    plan = _plan(rows)
    if plan is None:
        return None
    labels, true_pairs = plan
    task = read_task("classify", json.dumps(labels, ensure_ascii=False), json.dumps({"draw": rows.call.task.draw}))
    if task is None:
        return None
    found = _labels(rows, task, [text for pair in pairs for text in (pair.left, pair.right)])
    matches = [
        None
        if found[pair.left] is None or found[pair.right] is None
        else (found[pair.left], found[pair.right]) in true_pairs
        for pair in pairs
    ]
    return _method(f"labels of both sides: {', '.join(labels)}", matches)


def _method(name: str, matches: list[bool | None]) -> Method:
    share = sum(match is True for match in matches) / len(matches)
    return Method(name, "proxy", Proposal(matches, true_scores(matches, np.ones(len(matches)))), 0, share)


def _plan(rows: SampledRows) -> tuple[dict[str, str], set[tuple[str, str]]] | None:
    """Return the labels that decide the criterion, each with its meaning, and the pairs of labels that make it true."""
    task = rows.call.task
    messages = (
        Message("system", PAIR_LABELS.text(task.chinese)),
        Message("user", json.loads(rows.call.question or '""')),
    )
    (response,) = send_all(rows.session, rows.spec, [Request(messages, Options(draw=task.draw))], rows.call.mode)
    for found in json_objects(response.output or ""):
        labels, pairs = _read_labels(found.get("labels")), found.get("pairs")
        if labels and isinstance(pairs, list) and pairs and all(_is_pair(pair, labels) for pair in pairs):
            return labels, {(left, right) for left, right in pairs}
    return None


def _read_labels(given: Any) -> dict[str, str] | None:
    """Return labels with their meanings; None where these are none, or too many."""
    is_map = isinstance(given, dict) and all(isinstance(meaning, str) for meaning in given.values())
    return given if is_map and 2 <= len(given) <= MOST_LABELS else None


def _is_pair(given: Any, labels: dict[str, str]) -> bool:
    return isinstance(given, list) and len(given) == 2 and all(isinstance(one, str) and one in labels for one in given)


def _labels(rows: SampledRows, task: Task, texts: Sequence[str]) -> dict[str, Any]:
    """Return what the model says of each distinct text; None where that cannot be read."""
    distinct = list(dict.fromkeys(texts))
    constraint = constraint_for(rows.spec, task.shape)
    options = task.options(constraint)
    inputs = [_input(text) for text in distinct]
    requests = [task.request(given, options, constraint.top_logprobs) for given in inputs]
    responses = send_all(rows.session, rows.spec, requests, rows.call.mode)
    answers = [task.read(response, given) for response, given in zip(responses, inputs, strict=True)]
    return {text: answer.value for text, answer in zip(distinct, answers, strict=True)}


def _pair(given: Input) -> Pair:
    sides = json.loads(given.text)
    return Pair(_text(sides["left"]), _text(sides["right"]))


def _text(side: Any) -> str:
    return side if isinstance(side, str) else json.dumps(side, ensure_ascii=False)


def _input(text: str) -> Input:
    return input_of_json(text) if text.startswith("{") else Input(text)
