"""The typed functions' border: Arrow columns in, each row's detail as JSON out; macros give it its type at bind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ...workers.messages import Failure, Request, Response
from ...workers.options import Options
from ..accuracy.stand_in import By, StandIn
from ..ai.constraints import constraint_for, holds_choices
from ..ai.inputs import Input, input_of_json
from ..ai.shapes import Answer
from ..ai.task import Task, read_task, result_json, result_structure
from ..planner.cascade.rows import StatedCall
from ..session.answer_source import MADE_UP
from ..session.session import Session
from ..value_text import json_rows
from .arrow import prompt_texts
from .distinct import Column, answer_distinct
from .stated_calls import answer_stated, stated_calls

Row = tuple[Task, Input]


@dataclass(frozen=True)
class RowAnswer:
    """What came of a row: the first request, the answer, the responses that it took, and who stood in for the model."""

    request: Request
    answer: Answer
    responses: list[Response]
    by: By | None = None


class RequestBuilder:
    """Makes the requests of one chunk of rows, the same options for all rows with the same task and model."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._holds_choices: dict[str | None, bool] = {}
        self._options: dict[tuple[int, str | None], tuple[Options, int]] = {}

    def row(
        self, function: str, question: str | None, details: str | None, name: str | None, given: Input | None
    ) -> Row | None:
        """Return the task of a row, in the form that its model can answer in one token, and its input."""
        if given is None:
            return None
        if name not in self._holds_choices:
            self._holds_choices[name] = holds_choices(self._session.writing_model(name, function))
        task = read_task(function, question, details, self._holds_choices[name] and function == "score")
        return (task, given) if task else None

    def request(self, name: str | None, row: Row | None) -> Request | None:
        """Return the request of a row."""
        if row is None:
            return None
        task, given = row
        if (id(task), name) not in self._options:
            constraint = constraint_for(self._session.resolve_model(name), task.shape)
            self._options[id(task), name] = task.options(constraint), constraint.top_logprobs
        return task.request(given, *self._options[id(task), name])


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
    builder = RequestBuilder(session)
    arguments = list(zip(*(column.to_pylist() for column in (functions, questions, details, names)), strict=True))
    rows = [
        builder.row(function, question, more, name, value)
        for (function, question, more, name), value in zip(
            arguments, inputs(_whole_pairs(functions, given)), strict=True
        )
    ]
    calls = stated_calls(session, arguments, rows, mode)
    answers = answer_rows(session, builder, names, rows, mode, calls)
    for one in answers:
        if one and one.answer.code is not None:
            session.statement.note_failure(one.request, Failure(one.answer.code, one.answer.problem))
    return pa.array([one and result_json(one.answer, one.responses, one.by) for one in answers], pa.string())


def answer_rows(
    session: Session,
    builder: RequestBuilder,
    names: Column,
    rows: Sequence[Row | None],
    mode: Column,
    calls: Sequence[StatedCall | None] = (),
) -> list[RowAnswer | None]:
    """Ask about all rows at once, and once more about those whose answer cannot be read.

    Args:
        session: the connection's.
        builder: makes the requests.
        names: the models; NULL for the default.
        rows: tasks and inputs; None is not asked about.
        mode: the store mode.
        calls: for each row the call with a stated accuracy that it belongs to; empty where there is none.

    Returns:
        for each row what came of it; None where nothing is asked, or nothing is known yet.
    """
    firsts = [builder.request(name, row) for name, row in zip(names.to_pylist(), rows, strict=True)]
    first = _first_answers(session, names, calls, rows, firsts, mode)
    repeats = [_repeat(*one) for one in zip(rows, firsts, first, strict=True)]
    second = _responses(session, names, repeats, mode) if any(repeats) else [None] * len(rows)
    return [_read(*one) for one in zip(rows, firsts, first, repeats, second, strict=True)]


def _whole_pairs(functions: Column, given: Column) -> Column:
    """Return the inputs; a pair of which a side is NULL is NULL."""
    if not functions or functions[0].as_py() != "match":
        return given
    both = pc.and_(*(pc.is_valid(pc.struct_field(given, side)) for side in ("left", "right")))
    return pc.if_else(both, given, None)


def inputs(column: Column) -> list[Input | None]:
    """Return what each row shows to the model; None for NULL."""
    data_type = column.type
    if not (pa.types.is_nested(data_type) or pa.types.is_map(data_type)):
        return [None if text is None else Input(text) for text in prompt_texts(column)]
    there = column.is_valid().to_pylist()
    texts = [text for (text,) in json_rows(pa.table([column], names=["c"]))]
    return [input_of_json(text) if valid else None for text, valid in zip(texts, there, strict=True)]


def _first_answers(
    session: Session,
    names: Column,
    calls: Sequence[StatedCall | None],
    rows: Sequence[Row | None],
    requests: Sequence[Request | None],
    mode: Column,
) -> list[Response | StandIn | None]:
    """Return the answers to the first requests; where an accuracy is stated, a helper or a proxy may stand in."""
    stated = answer_stated(session, calls, rows, requests, mode) if any(calls) else {}
    others = [None if row in stated else request for row, request in enumerate(requests)]
    return [stated.get(row, answer) for row, answer in enumerate(_responses(session, names, others, mode))]


def _responses(
    session: Session, names: Column, requests: Sequence[Request | None], mode: Column
) -> list[Response | None]:
    answers, indices = answer_distinct(session, names, requests, mode, note_failures=False)
    return [None if index is None else answers[index] for index in indices]


def _repeat(row: Row | None, request: Request | None, response: Response | StandIn | None) -> Request | None:
    """Return the second request for a row."""
    if row is None or request is None or not isinstance(response, Response) or response.request_id == MADE_UP:
        return None
    task, given = row
    return task.repeat(request, response, task.read(response, given))


def _read(
    row: Row | None,
    request: Request | None,
    first: Response | StandIn | None,
    repeat: Request | None,
    second: Response | None,
) -> RowAnswer | None:
    if row is None or request is None or first is None or (repeat is not None and second is None):
        return None
    task, given = row
    if isinstance(first, StandIn):
        return RowAnswer(request, Answer(first.value, probability=first.probability), [], first.by)
    if first.request_id == MADE_UP:
        return RowAnswer(request, task.made_up(first), [first])
    responses = [first] if second is None else [first, second]
    return RowAnswer(request, _better([task.read(response, given) for response in responses]), responses)


def _better(answers: Sequence[Answer]) -> Answer:
    """Return the repeated answer, but for one that has less to say than the first."""
    last = answers[-1]
    return answers[0] if last.value is None and answers[0].value is not None else last
