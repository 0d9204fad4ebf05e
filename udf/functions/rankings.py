"""`ai_top` and `ai_best`: every row's list is ranked by list-wise quickselect, the calls of all rows side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from ...workers.errors import RequestError
from ...workers.messages import Failure, Response
from ..ai.aggregation_tree import BYTES_PER_TOKEN, size
from ..ai.inputs import Input
from ..ai.parse_answers import loads
from ..ai.ranking import Items, Plan, Selection, best, shuffled
from ..ai.shapes import Answer
from ..ai.task import check_whole_number, read_task, result_json
from ..session.session import Session
from .aggregates import input_lists
from .distinct import Column
from .typed import RequestBuilder, Row, RowAnswer, answer_rows

MAX_TOKENS = 4000
"""Of the texts in one call, about: with long texts fewer are ranked at once."""


@dataclass
class Selecting:
    """One row on its way.

    Args:
        name: the model's.
        question, details: as `read_task` takes them.
        texts: the list's elements.
        places: where they stand in the list, counted from 1.
        selection: selects among them.
        windows: the items whose ranking it waits for.
    """

    name: str | None
    question: str
    details: str | None
    texts: list[str]
    places: list[int]
    selection: Selection
    windows: list[Items] = field(default_factory=list)
    answer: Answer | None = None
    is_pending: bool = False
    rounds: int = 0
    responses: list[Response] = field(default_factory=list)

    def advance(self, rankings: list[Items] | None) -> None:
        """Go on with the rankings of the windows; None begins."""
        try:
            self.windows = next(self.selection) if rankings is None else self.selection.send(rankings)
        except StopIteration as end:
            self.answer = Answer([self.places[item] for item in end.value], explanation=self._how())

    def rows(self, builder: RequestBuilder) -> list[Row | None]:
        """Return what is asked about the windows."""
        given = [Input(_numbered([self.texts[item] for item in window])) for window in self.windows]
        return [
            builder.row(f"top {len(window)}", self.question, self.details, self.name, one)
            for window, one in zip(self.windows, given, strict=True)
        ]

    def take(self, answers: Sequence[RowAnswer | None]) -> None:
        """Take what was answered; a ranking that failed is the end, and one that is not known yet a pause."""
        found = [one for one in answers if one is not None]
        self.is_pending = len(found) < len(answers)
        if self.is_pending:
            return
        self.rounds += 1
        self.responses += [response for one in found for response in one.responses]
        if failed := [one.answer for one in found if one.answer.code]:
            problem = f"{len(failed)} of {len(found)} rankings failed: {failed[0].problem}"
            self.answer = Answer(None, failed[0].code, problem)
            return
        numbers = [one.answer.value for one in found]
        self.advance(
            [[window[number - 1] for number in ranking] for window, ranking in zip(self.windows, numbers, strict=True)]
        )

    def _how(self) -> str:
        calls, rounds = len(self.responses), self.rounds
        return f"{calls} call{'s' * (calls > 1)} in {rounds} round{'s' * (rounds > 1)}" if calls else "no call"


def top(
    session: Session,
    names: Column,
    given: Column,
    counts: Column,
    questions: Column,
    details: Column,
    per_call: Column,
    mode: Column,
) -> pa.Array:
    """Return the detail of each list's best elements as JSON, their value the places in the list, counted from 1.

    Args:
        session: the connection's.
        names: the models; NULL for the default.
        given: lists of values of any type; NULL values are none.
        counts: how many elements are wanted.
        questions, details: as `read_task` takes them.
        per_call: elements that one call ranks.
        mode: the store mode.
    """
    columns = (column.to_pylist() for column in (names, counts, questions, details, per_call))
    rows = [_selecting(*one) for one in zip(*columns, input_lists(given), strict=True)]
    builder = RequestBuilder(session)
    while active := [row for row in rows if row and row.answer is None and not row.is_pending]:
        _rank(session, builder, active, mode)
    return pa.array([_result(session, row) for row in rows], pa.string())


def _selecting(
    name: str | None,
    count: int | None,
    question: str | None,
    details: str | None,
    per_call: int,
    elements: list[Input | None] | None,
) -> Selecting | None:
    if elements is None or count is None or question is None:
        return None
    if check_whole_number(count, "k", "ai_top(list, 3, …)") < 1:
        raise RequestError(
            f"the best {count} elements cannot be chosen", hint="type a number from 1: ai_top(list, 3, …)"
        )
    read_task("top 2", question, details)  # A criterion that is none is an error for a list of one, too.
    places = [place for place, element in enumerate(elements, 1) if element is not None]
    texts = [element.text for element in elements if element is not None]
    most = MAX_TOKENS * BYTES_PER_TOKEN // max(map(size, texts), default=1)
    per_call = check_whole_number(per_call, "per_call", "per_call := 10")
    plan = Plan.of(len(texts), min(per_call, max(2, most)))
    row = Selecting(name, question, details, texts, places, best(shuffled(texts), count, plan))
    row.advance(None)
    return row


def _numbered(texts: Sequence[str]) -> str:
    lines = [f'"{number}": {_as_json(text)}' for number, text in enumerate(texts, 1)]
    return "{\n" + ",\n".join(lines) + "\n}"


def _as_json(text: str) -> str:
    is_json = text.startswith(("{", "[")) and loads(text) is not None
    return text if is_json else json.dumps(text, ensure_ascii=False)


def _rank(session: Session, builder: RequestBuilder, rows: Sequence[Selecting], mode: Column) -> None:
    """Ask about the windows of all rows at once."""
    wanted = [row.rows(builder) for row in rows]
    names = [row.name for row, windows in zip(rows, wanted, strict=True) for _ in windows]
    flat = [one for windows in wanted for one in windows]
    answers = iter(answer_rows(session, builder, pa.chunked_array([pa.array(names, pa.string())]), flat, mode))
    for row, windows in zip(rows, wanted, strict=True):
        row.take([next(answers) for _ in windows])


def _result(session: Session, row: Selecting | None) -> str | None:
    if row is None or row.answer is None:
        return None
    if row.answer.code is not None:
        session.statement.note_failure((row.name, *row.texts), Failure(row.answer.code, row.answer.problem))
    return result_json(row.answer, row.responses)
