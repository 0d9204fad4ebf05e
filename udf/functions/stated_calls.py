"""Calls with a stated accuracy: their rows are answered by the model, a helper or a proxy, as the planner decides."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import pyarrow as pa

from ...workers.messages import Request, Response
from ..accuracy.stand_in import StandIn
from ..accuracy.stated import FUNCTIONS, read_stated
from ..ai.inputs import Input
from ..ai.task import Task
from ..planner.cascade.rows import StatedCall
from ..session.session import Session
from .distinct import Column, answer_source, store_mode

Row = tuple[Task, Input]
REPORT_SQL = (
    "STRUCT(model VARCHAR, function VARCHAR, question VARCHAR, accuracy DOUBLE, recall DOUBLE, precision DOUBLE, "
    "confidence DOUBLE, inputs BIGINT, by_model BIGINT, by_helper BIGINT, by_proxy BIGINT, sampled BIGINT, "
    "estimated_accuracy DOUBLE, estimated_recall DOUBLE, estimated_precision DOUBLE, reason VARCHAR)[]"
)
_TEXT, _NUMBER, _SHARE = pa.string(), pa.int64(), pa.float64()
REPORT = pa.struct(
    {
        **dict.fromkeys(("model", "function", "question"), _TEXT),
        **dict.fromkeys(("accuracy", "recall", "precision", "confidence"), _SHARE),
        **dict.fromkeys(("inputs", "by_model", "by_helper", "by_proxy", "sampled"), _NUMBER),
        **dict.fromkeys(("estimated_accuracy", "estimated_recall", "estimated_precision"), _SHARE),
        "reason": _TEXT,
    }
)


def stated_calls(
    session: Session,
    arguments: Sequence[tuple[str, str | None, str | None, str | None]],
    rows: Sequence[Row | None],
    mode: Column,
) -> list[StatedCall | None]:
    """Return for each row the call with a stated accuracy that it belongs to; None where none is stated.

    Args:
        session: the connection's.
        arguments: of each row the function, the question, the details and the model's name.
        rows: the tasks and inputs.
        mode: the store mode.

    Raises:
        RequestError: what is stated is no accuracy.
    """
    found: dict[tuple[str, str | None, str | None, str | None], StatedCall | None] = {}
    for given, row in zip(arguments, rows, strict=True):
        if row is not None and given not in found:
            found[given] = _stated_call(session, given, row[0], mode)
    if any(found.values()):
        session.accuracy_reports = session.statement.accuracy_reports
    return [found[given] if row is not None else None for given, row in zip(arguments, rows, strict=True)]


def _stated_call(
    session: Session, arguments: tuple[str, str | None, str | None, str | None], task: Task, mode: Column
) -> StatedCall | None:
    function, question, details, name = arguments
    if function not in FUNCTIONS:
        return None
    options = session.statement.scope.options
    names = ("accuracy", "recall", "precision", "confidence", "helper", "proxy")
    variables = {each: getattr(options, f"llm_{each}") for each in names}
    stated = read_stated(function, json.loads(details) if details else {}, variables)
    if stated is None:
        return None
    return StatedCall(session.resolve_model(name).name, store_mode(mode), function, question, task, stated)


def answer_stated(
    session: Session,
    calls: Sequence[StatedCall | None],
    rows: Sequence[Row | None],
    requests: Sequence[Request | None],
    mode: Column,
) -> dict[int, Response | StandIn | None]:
    """Return the answers of the rows with a stated accuracy; None where one is missing so far."""
    given: dict[StatedCall, dict[Request, Input]] = {}
    for call, row, request in zip(calls, rows, requests, strict=True):
        if call is not None and row is not None and request is not None:
            given.setdefault(call, {})[request] = row[1]
    found: dict[StatedCall, dict[Request, Response | StandIn | None]] = {}
    for call, inputs in given.items():
        spec = session.resolve_model(call.model)
        answers = answer_source(session, mode).stated(call, spec, inputs)
        found[call] = dict(zip(inputs, answers, strict=True))
    for call in (call for call in calls if call is not None):
        session.statement.rows[call.model] += 1
    return {
        row: found[call][request]
        for row, (call, request) in enumerate(zip(calls, requests, strict=True))
        if call is not None and request is not None
    }


def accuracy_reports(session: Session) -> pa.Array:
    """Return what was promised for the calls of the last statement with a stated accuracy, and what came of it."""
    return pa.array([[asdict(report) for report in session.accuracy_reports.values()]], pa.list_(REPORT))
