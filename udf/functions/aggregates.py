"""`ai_agg`: every row's list of texts becomes one answer, level by level; the parts of all rows are sent together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from ...workers.errors import RequestError
from ...workers.messages import Failure, Request, Response
from ..ai import aggregation_tree
from ..ai.constraints import Constraint
from ..ai.inputs import Input
from ..ai.shapes import Answer
from ..ai.task import Task, check_whole_number, read_task, result_json
from ..session.session import Session
from .arrow import sql_type_name
from .distinct import Column, answer_distinct
from .typed import inputs


@dataclass
class Aggregate:
    """One row on its way: the texts of the level that it has reached, and what was answered so far.

    Args:
        name: the model's.
        texts: of the present level; one that is an answer is the end.
        first, later: the tasks of the first level, and of those above it.
        limit: bytes of a part.
    """

    name: str | None
    texts: list[str]
    first: Task
    later: Task
    limit: int
    level: int = 0
    answer: Answer | None = None
    is_pending: bool = False
    responses: list[Response] = field(default_factory=list)

    def parts(self) -> list[list[str]]:
        """Return the parts of the present level."""
        if self.level == 0:
            return aggregation_tree.cut(aggregation_tree.pieces(self.texts, self.limit), self.limit)
        return aggregation_tree.cut(self.texts, self.limit, least=2)

    def request(self, part: Sequence[str]) -> Request | None:
        """Return the request for a part; None if the part is one answer, which stays as it is."""
        if self.level > 0 and len(part) == 1:
            return None
        task = self.later if self.level else self.first
        return task.request(Input(aggregation_tree.written(part)), task.options(Constraint()))

    def climb(self, parts: Sequence[Sequence[str]], answered: Sequence[Response | None]) -> None:
        """Go up a level with the answers for the parts; None for a part without a request."""
        answers = [self.first.read(response, Input("")) for response in answered if response is not None]
        self.responses += [response for response in answered if response is not None]
        if failed := [answer for answer in answers if answer.code]:
            problem = f"{len(failed)} of {len(parts)} parts failed: {failed[0].problem}"
            self.answer = Answer(None, failed[0].code, problem)
            return
        rest = iter(answers)
        self.texts = [
            part[0] if response is None else next(rest).value for part, response in zip(parts, answered, strict=True)
        ]
        self.level += 1
        if len(self.texts) == 1:
            self.answer = Answer(self.texts[0])


def aggregate(
    session: Session, names: Column, given: Column, questions: Column, details: Column, tokens: Column, mode: Column
) -> pa.Array:
    """Return the detail of each list's answer as JSON; NULL where there are no texts, or nothing is known yet.

    Args:
        session: the connection's.
        names: the models; NULL for the default.
        given: lists of values of any type; NULL values are none.
        questions, details: as `read_task` takes them.
        tokens: of one part.
        mode: the store mode.
    """
    rows = [
        _aggregate(*one)
        for one in zip(
            *(column.to_pylist() for column in (names, questions, details, tokens)), text_lists(given), strict=True
        )
    ]
    while active := [row for row in rows if row and row.answer is None and not row.is_pending]:
        _request_level(session, active, mode)
    return pa.array([_result(session, row) for row in rows], pa.string())


def text_lists(column: Column) -> list[list[str] | None]:
    """Return the texts of each row's list, without NULLs; None for a NULL."""
    return [None if items is None else [one.text for one in items if one is not None] for items in input_lists(column)]


def input_lists(column: Column) -> list[list[Input | None] | None]:
    """Return the elements of each row's list, None for a NULL among them; None for a NULL in place of a list.

    Raises:
        RequestError: the column holds no lists.
    """
    if pa.types.is_null(column.type):
        return [None] * len(column)
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        hint = "type a list: ['a', 'b'], or list(body ORDER BY id)"
        raise RequestError(f"this takes a list, not {sql_type_name(column.type)}", hint=hint)
    found: list[list[Input | None] | None] = []
    for chunk in column.chunks:
        elements = iter(inputs(pa.chunked_array([chunk.flatten()])))
        lengths = chunk.value_lengths().to_pylist()
        found += [None if length is None else [next(elements) for _ in range(length)] for length in lengths]
    return found


def _aggregate(
    name: str | None, question: str | None, details: str | None, tokens: int, texts: list[str] | None
) -> Aggregate | None:
    first, later = read_task("agg", question, details), read_task("agg_answers", question, details)
    if first is None or later is None or not texts:
        return None
    tokens = check_whole_number(tokens, "part_tokens", "part_tokens := 4000")
    return Aggregate(name, texts, first, later, max(1, tokens) * aggregation_tree.BYTES_PER_TOKEN)


def _request_level(session: Session, rows: Sequence[Aggregate], mode: Column) -> None:
    """Send the requests of the current level of all rows together."""
    for name in {row.name for row in rows}:
        session.writing_model(name, "agg")
    parts = [row.parts() for row in rows]
    requests = [[row.request(part) for part in cut] for row, cut in zip(rows, parts, strict=True)]
    names = pa.chunked_array(
        [pa.array([row.name for row, cut in zip(rows, parts, strict=True) for _ in cut], pa.string())]
    )
    flat = [request for row_requests in requests for request in row_requests]
    answers, indices = answer_distinct(session, names, flat, mode, note_failures=False)
    rest = iter(indices)
    for row, cut, row_requests in zip(rows, parts, requests, strict=True):
        found = [None if index is None else answers[index] for index in (next(rest) for _ in row_requests)]
        row.is_pending = any(
            one is None and request is not None for one, request in zip(found, row_requests, strict=True)
        )
        if not row.is_pending:
            row.climb(cut, found)


def _result(session: Session, row: Aggregate | None) -> str | None:
    if row is None or row.answer is None:
        return None
    if row.answer.code is not None:
        session.statement.note_failure((row.name, tuple(row.texts)), Failure(row.answer.code, row.answer.problem))
    return result_json(row.answer, row.responses)
