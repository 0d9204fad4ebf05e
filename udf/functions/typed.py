"""The typed functions' border: Arrow columns in, each row's detail as JSON out; macros give it its type at bind."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa

from ...workers.messages import Failure, Request, Response
from ..ai.constraints import constraint_for
from ..ai.inputs import Input, input_of_json
from ..ai.shapes import Answer
from ..ai.task import Task, read_task, result_json, result_structure
from ..session.answer_source import MADE_UP
from ..session.session import Session
from ..value_text import json_rows
from .arrow import prompt_texts
from .distinct import Column, answer_distinct

Row = tuple[Task, Input]


def result_type(_: Session, functions: Column, questions: Column, details: Column) -> pa.Array:
    """Return what `json_transform` makes of the details: evaluated at bind, where a wrong type is an error."""
    arguments = zip(functions.to_pylist(), questions.to_pylist(), details.to_pylist(), strict=True)
    tasks = [read_task(*one) for one in arguments]
    types = [json.dumps(result_structure(task.shape), ensure_ascii=False) if task else None for task in tasks]
    return pa.array(types, pa.string())


def answer(
    session: Session,
    functions: Column,
    names: Column,
    given: Column,
    questions: Column,
    details: Column,
    mode: Column,
) -> pa.Array:
    """Return the detail of each row as JSON; NULL where the input is, or where nothing is known yet.

    Args:
        session: the connection's.
        functions: keys of `SHAPES`.
        names: the models; NULL for the default.
        given: the inputs, of any type.
        questions, details: as `read_task` takes them.
        mode: the store mode of this very call, else the statement's.
    """
    arguments = zip(functions.to_pylist(), questions.to_pylist(), details.to_pylist(), strict=True)
    tasks = [read_task(*one) for one in arguments]
    rows = [(task, one) if task and one else None for task, one in zip(tasks, inputs(given), strict=True)]
    firsts = [_first_request(session, name, row) for name, row in zip(names.to_pylist(), rows, strict=True)]
    first = _responses(session, names, firsts, mode)
    repeats = [_repeat(*one) for one in zip(rows, firsts, first, strict=True)]
    second = _responses(session, names, repeats, mode) if any(repeats) else [None] * len(rows)
    results = [_result(session, *one) for one in zip(rows, firsts, first, repeats, second, strict=True)]
    return pa.array(results, pa.string())


def inputs(column: Column) -> list[Input | None]:
    """Return what each row shows to the model; None for NULL."""
    data_type = column.type
    if not (pa.types.is_nested(data_type) or pa.types.is_map(data_type)):
        return [None if text is None else Input(text) for text in prompt_texts(column)]
    there = column.is_valid().to_pylist()
    texts = [text for (text,) in json_rows(pa.table([column], names=["c"]))]
    return [input_of_json(text) if valid else None for text, valid in zip(texts, there, strict=True)]


def _first_request(session: Session, name: str | None, row: Row | None) -> Request | None:
    if row is None:
        return None
    task, given = row
    return task.request(given, constraint_for(session.resolve_model(name), task.shape))


def _responses(
    session: Session, names: Column, requests: Sequence[Request | None], mode: Column
) -> list[Response | None]:
    answers, indices = answer_distinct(session, names, requests, mode, note_failures=False)
    return [None if index is None else answers[index] for index in indices]


def _repeat(row: Row | None, request: Request | None, response: Response | None) -> Request | None:
    """Return what a row is asked once more."""
    if row is None or request is None or response is None or response.request_id == MADE_UP:
        return None
    task, given = row
    return task.repeat(request, response, task.read(response, given))


def _result(
    session: Session,
    row: Row | None,
    request: Request | None,
    first: Response | None,
    repeat: Request | None,
    second: Response | None,
) -> str | None:
    if row is None or first is None or (repeat is not None and second is None):
        return None
    task, given = row
    if first.request_id == MADE_UP:
        return result_json(task.made_up(first), [first])
    responses = [first] if second is None else [first, second]
    found = _better([task.read(response, given) for response in responses])
    if found.code is not None:
        session.statement.note_failure(request, Failure(found.code, found.problem))
    return result_json(found, responses)


def _better(answers: Sequence[Answer]) -> Answer:
    """Return the repeated answer, but for one that has less to say than the first."""
    last = answers[-1]
    return answers[0] if last.value is None and answers[0].value is not None else last
