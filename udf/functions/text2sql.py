"""text2sql as SQL functions: questions of a chunk of rows to SQL, and the statement that `ask` runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ...workers.errors import RequestError, Text2SQLError
from ...workers.messages import Request
from ...workers.serving.fleet import BUILTIN_TEXT2SQL
from ..planner.questions import bounded_query, resolve_questions
from ..session.answer_source import AnswerSource
from ..session.session import Session
from ..session.statement import Statement
from ..settings import StoreMode
from ..text2sql.result import MAX_EXAMPLES, MAX_VOTES, QuestionKey, Text2SqlResult, describe_doubts
from .arrow import (
    ERROR,
    ERROR_SQL,
    MESSAGES,
    MESSAGES_SQL,
    TEXT,
    USAGE,
    USAGE_SQL,
    failure_to_row,
    messages_to_rows,
    take_rows,
)

DETAIL_SQL = (
    f"STRUCT(sql VARCHAR, error {ERROR_SQL}, attempts INTEGER, bound BOOLEAN, model VARCHAR, history {MESSAGES_SQL}, "
    f"usage {USAGE_SQL}, seconds DOUBLE, confidence DOUBLE, alternatives VARCHAR[], warnings VARCHAR[], prompt VARCHAR)"
)
DETAIL = pa.struct(
    {
        **{"sql": TEXT, "error": ERROR, "attempts": pa.int32(), "bound": pa.bool_(), "model": TEXT},
        **{"history": MESSAGES, "usage": USAGE, "seconds": pa.float64(), "confidence": pa.float64()},
        **{"alternatives": pa.list_(TEXT), "warnings": pa.list_(TEXT), "prompt": TEXT},
    }
)


# Below this confidence `ask` runs nothing if no bound is stated: most such queries of the built-in model are wrong.
ASK_MIN_CONFIDENCE = 0.2
# The distinct questions, their results (None: not known yet), and for each row the index of its question.
Answers = tuple[list[QuestionKey], Sequence[Text2SqlResult | None], list[int | None]]


def question_keys(questions: list[Request | None], bound: float, *options: list[Any]) -> list[QuestionKey | None]:
    """Return each row's question with its options; None for a NULL question.

    Args:
        questions: one for each row.
        bound: the `min_confidence` of rows where it is NULL.
        options: as many columns as `question_key` has options, in its order.

    Raises:
        RequestError: an option has a wrong value.
    """
    rows = zip(questions, *options, strict=True)
    return [question_key(question, bound, *given) if question else None for question, *given in rows]


def question_key(
    question: Request,
    bound: float = 0.0,
    schema: str | None = None,
    model: str | None = None,
    notes: str | None = None,
    examples: int | None = None,
    votes: int | None = None,
    min_confidence: float | None = None,
) -> QuestionKey:
    """Return a question with its options, those that are NULL with their defaults.

    Args:
        question: the conversation; its last message is the question.
        bound: the default of `min_confidence`.
        schema, model, notes: as in `QuestionKey`.
        examples: how many verified examples are shown; None: none.
        votes: how many draws there may be; None: one.
        min_confidence: below it there is no SQL, from 0 to 1.

    Raises:
        RequestError: a number is out of range.
    """
    examples, votes = 0 if examples is None else examples, 1 if votes is None else votes
    if not 1 <= votes <= MAX_VOTES:
        raise RequestError(f"votes is {votes}", hint=f"write votes := 5, from 1 to {MAX_VOTES}")
    if not 0 <= examples <= MAX_EXAMPLES:
        raise RequestError(f"examples is {examples}", hint=f"write examples := 3, from 0 to {MAX_EXAMPLES}")
    min_confidence = bound if min_confidence is None else float(min_confidence)
    if not 0 <= min_confidence <= 1:
        raise RequestError(f"min_confidence is {min_confidence}", hint="write min_confidence := 0.5, from 0 to 1")
    return QuestionKey(question, schema, model, notes, int(examples), int(votes), min_confidence)


def count_rows(session: Session, questions: list[QuestionKey | None]) -> None:
    """Count the rows with a question, by model, for the estimate."""
    for model, rows in Counter(question.model for question in questions if question).items():
        for spec in session.text2sql_models_for(model):
            session.statement.rows[spec.name] += rows


def answer_distinct(
    statement: Statement, source: AnswerSource, questions: list[QuestionKey | None], mode: StoreMode
) -> Answers:
    """Answer each distinct question once, and count those that failed.

    Args:
        statement: the running one, which counts what failed.
        source: how questions become answers.
        questions: one for each row; None for a NULL question.
        mode: whether the call store is read and written.
    """
    distinct: dict[QuestionKey, int] = {}
    indices = [None if question is None else distinct.setdefault(question, len(distinct)) for question in questions]
    results = source.sql_results(list(distinct), mode)
    for key, found in zip(distinct, results, strict=True):
        if found is not None:
            statement.note_failure(key, found.error)
            if found.left_out:
                statement.add_warning(f"of the schema's DDL this was left out: {'; '.join(found.left_out)}")
    return list(distinct), results, indices


def detail_column(results: Sequence[Text2SqlResult | None], indices: list[int | None]) -> pa.Array:
    """Return a column of `DETAIL_SQL`: row i has the result `indices[i]`, NULL where there is none."""
    return take_rows(pa.array([found and _row(found) for found in results], DETAIL), indices)


def sql_column(
    statement: Statement,
    questions: Sequence[QuestionKey],
    results: Sequence[Text2SqlResult | None],
    indices: list[int | None],
) -> pa.Array:
    """Return a column of the SQL alone; what speaks against it is noted in the statement, which warns once.

    Args:
        statement: the running one.
        questions, results, indices: as `answer_distinct` returns them.
    """
    for key, found in zip(questions, results, strict=True):
        note_doubts(statement, key, found)
    return take_rows(pa.array([found and found.sql for found in results], TEXT), indices)


def note_doubts(statement: Statement, question: QuestionKey, found: Text2SqlResult | None) -> None:
    """Note what speaks against the SQL of a question, for callers who see nothing but SQL or rows."""
    if found and found.sql and (doubts := describe_doubts(found.confidence, found.warnings)):
        statement.note_doubt(question, question.request.messages[-1].content, doubts)


@dataclass(frozen=True, slots=True)
class AskLimits:
    """The limits of one `ask`.

    Args:
        rows: maximum rows of the answer.
        seconds: maximum time from the question to the last row, the model's time included.
        megabytes: how much the process may grow while the SQL runs, without DuckDB's cache of files.
    """

    rows: int
    seconds: float
    megabytes: int


def ask_sql(session: Session, question: QuestionKey | None, limits: AskLimits, mode: StoreMode) -> str:
    """Return the statement for `query()`: the generated SQL with a limit of rows. Set the limits of time and memory.

    Args:
        session: the connection's session; the limits apply to its running statement.
        question: with its options.
        limits: the limits of the whole `ask`.
        mode: whether the call store is read and written.

    Raises:
        Text2SQLError: the question is NULL, or no SQL was found that passed all checks.
        GuardError: the SQL takes too much time or memory to plan, or an interrupt could not stop it.
    """
    if question is None:
        raise Text2SQLError("the question is NULL", hint="write FROM ask('how many singers are there?')")
    statement = session.statement
    statement.set_time_limit(limits.seconds)
    (found,) = resolve_questions(session, [question], mode)
    if found.error is not None and found.error.code == "unclear":
        hint = "put the answer into the question"
        raise Text2SQLError(f"{found.model} asks back: {found.error.message}", hint=hint)
    if found.error is not None and found.error.code == "unsure":
        # The built-in model reads comments and no notes.
        is_builtin = found.model == BUILTIN_TEXT2SQL.name
        told = "COMMENT ON COLUMN … IS 'what it means'" if is_builtin else "write notes := 'what the words mean'"
        hint = f"rephrase the question, {told}, or lower the bound: min_confidence := 0"
        raise Text2SQLError(f"{found.model} is {found.error.message}", hint=hint)
    if found.sql is None:
        code, message = (found.error.code, found.error.message) if found.error else ("no_sql", "no SQL was found")
        raise Text2SQLError(
            f"{found.model} found no SQL for this question ({code}): {message}",
            hint="rephrase the question, or see SELECT text2sql_detail('…')",
        )
    if not found.bound:
        raise Text2SQLError(f"{found.model} wrote SQL that could not be checked: {found.sql}")
    note_doubts(statement, question, found)
    statement.announce_sql(found.sql)
    return guarded_query(session, found.sql, limits)


def guarded_query(session: Session, sql: str, limits: AskLimits) -> str:
    """Return a SELECT that a model wrote in the form that may run in the user's process; set its limits.

    Args:
        session: the connection's session; the limits apply to its running statement.
        sql: a SELECT over the connection's tables.
        limits: of rows, time and memory.

    Raises:
        GuardError: the SQL may not run, takes too much time or memory to plan, or an interrupt could not stop it.
    """
    session.statement.set_time_limit(limits.seconds)
    query = bounded_query(session, sql, limits.rows)
    session.statement.set_memory_limit(limits.megabytes)
    return query


def _row(found: Text2SqlResult) -> dict[str, object]:
    return {
        "sql": found.sql,
        "error": failure_to_row(found.error),
        "attempts": found.attempts,
        "bound": found.bound,
        "model": found.model,
        "history": messages_to_rows(found.history),
        "usage": {"input_tokens": found.usage.input_tokens, "output_tokens": found.usage.output_tokens},
        "seconds": found.seconds,
        "confidence": found.confidence,
        "alternatives": list(found.alternatives),
        "warnings": list(found.warnings),
        "prompt": found.prompt,
    }
