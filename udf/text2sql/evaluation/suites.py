"""Suites of questions for evaluation: those of the data folder, or a user's own file."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

from ....workers.training.data.data_files import read_data_rows
from .datasets import Question, load_questions
from .question_rows import SkippedRow, parse_question

# The questions of a conversation in order; a single question is a conversation of one.
Conversation = tuple[Question, ...]
Turns = Literal["first", "all"]
FIRST_ONLY = ("chase_zh",)  # Suites of conversations of which only the first turns are evaluated by default.


@dataclass(frozen=True, slots=True)
class Suite:
    """The questions of an evaluation.

    Args:
        name: its name in the data folder, or the file's name.
        conversations: its questions, grouped by database.
        left_out: lines without a valid question.
    """

    name: str
    conversations: tuple[Conversation, ...]
    left_out: tuple[SkippedRow, ...] = ()

    @property
    def questions(self) -> list[Question]:
        """All questions, in order."""
        return [question for conversation in self.conversations for question in conversation]


def load_suite(
    name: str,
    *,
    split: str = "dev",
    database: str = "",
    turns: Turns | None = None,
    limit: int | None = None,
    seed: int | None = None,
) -> Suite:
    """Return a suite's questions.

    Args:
        name: e.g. `spider`, or the path of a file: JSON lines, a JSON list or Parquet, of `question`, `sql`, and `db`
            or `schema`.
        split: the data folder's part.
        database: a DuckDB file, the default for rows that name none.
        turns: only the first turn of each conversation, or all; None: the suite's default.
        limit: maximum number of conversations or single questions: evenly spread, or random if there is a seed.
        seed: decides which are drawn.

    Raises:
        SetupError: the suite does not exist.
        TrainingError: the file cannot be parsed.
    """
    questions, left_out = _read(name, split, database)
    if turns is None:
        turns = "first" if name in FIRST_ONLY else "all"
    if turns == "first":
        first = min((question.turn for question in questions), default=0)
        questions = [question for question in questions if question.dialogue is None or question.turn == first]
    return Suite(Path(name).name, tuple(_sample(_conversations(questions), limit, seed)), tuple(left_out))


def _read(name: str, split: str, database: str) -> tuple[list[Question], list[SkippedRow]]:
    path = Path(name).expanduser()
    if path.name == name and not path.is_file():
        return load_questions(name, split), []
    read = [parse_question(row, database) for row in read_data_rows(str(path))]
    return [one for one in read if isinstance(one, Question)], [one for one in read if isinstance(one, SkippedRow)]


def _conversations(questions: Sequence[Question]) -> list[Conversation]:
    ordered = sorted(enumerate(questions), key=_order)
    return [tuple(question for _, question in group) for _, group in groupby(ordered, key=lambda one: _order(one)[:4])]


def _order(numbered: tuple[int, Question]) -> tuple[str, str, bool, int, int]:
    """Return the sort key that groups the questions of a database, and orders the turns of a conversation."""
    number, question = numbered
    alone = question.dialogue is None
    return (
        question.db,
        question.schema,
        alone,
        number if question.dialogue is None else question.dialogue,
        question.turn,
    )


def _sample(found: list[Conversation], limit: int | None, seed: int | None) -> list[Conversation]:
    if limit is None or limit >= len(found):
        return found
    if seed is None:
        return [found[number * len(found) // limit] for number in range(limit)]
    indices = sorted(random.Random(seed).sample(range(len(found)), limit))
    return [found[index] for index in indices]


def turn_numbers(questions: Sequence[Question]) -> dict[int, int]:
    """Return, for each value of `turn` in a suite, the number of the turn, from 1."""
    values = sorted({question.turn for question in questions if question.dialogue is not None})
    return {value: number for number, value in enumerate(values, 1)}
