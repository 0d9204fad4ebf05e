"""text2sql as SQL functions: questions of a chunk of rows to SQL, and the statement that `ask` runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa

from ...workers.errors import Text2SQLError
from ...workers.messages import Request
from ..planner.questions import bounded_query, resolve_questions
from ..session.answer_source import AnswerSource
from ..session.session import Session
from ..session.statement import Statement
from ..settings import StoreMode
from ..text2sql.result import QuestionKey, Text2SqlResult
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
    f"usage {USAGE_SQL}, seconds DOUBLE)"
)
DETAIL = pa.struct(
    {
        **{"sql": TEXT, "error": ERROR, "attempts": pa.int32(), "bound": pa.bool_(), "model": TEXT},
        **{"history": MESSAGES, "usage": USAGE, "seconds": pa.float64()},
    }
)


def question_keys(
    questions: list[Request | None], schemas: list[str | None], models: list[str | None]
) -> list[QuestionKey | None]:
    """Return each row's question with its schema and model; None for a NULL question."""
    rows = zip(questions, schemas, models, strict=True)
    return [QuestionKey(question, schema, model) if question else None for question, schema, model in rows]


def count_rows(session: Session, questions: list[QuestionKey | None]) -> None:
    """Count the rows with a question, by model, for the estimate."""
    for model, rows in Counter(question.model for question in questions if question).items():
        session.statement.rows[session.text2sql_model_for(model).name] += rows


def text2sql_detail(
    statement: Statement, source: AnswerSource, questions: list[QuestionKey | None], mode: StoreMode
) -> pa.Array:
    """Return a column of `DETAIL_SQL`: each distinct question answered once, NULL for a NULL question.

    Args:
        statement: the running one, which counts what failed.
        source: how questions become answers.
        questions: one for each row.
        mode: whether the call store is read and written.
    """
    distinct: dict[QuestionKey, int] = {}
    indices = [None if question is None else distinct.setdefault(question, len(distinct)) for question in questions]
    answers = source.sql_results(list(distinct), mode)
    for key, found in zip(distinct, answers, strict=True):
        if found is not None:
            statement.note_failure(key, found.error)
            if found.left_out:
                statement.add_warning(f"of the schema's DDL this was left out: {'; '.join(found.left_out)}")
    return take_rows(pa.array([found and _row(found) for found in answers], DETAIL), indices)


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


def ask_sql(session: Session, question: Request | None, model: str | None, limits: AskLimits, mode: StoreMode) -> str:
    """Return the statement for `query()`: the generated SQL with a limit of rows. Set the limits of time and memory.

    Args:
        session: the connection's session; the limits apply to its running statement.
        question: the conversation; its last message is the question.
        model: the model's name; None: the default.
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
    (found,) = resolve_questions(session, [QuestionKey(question, model=model)], mode)
    if found.sql is None:
        code, message = (found.error.code, found.error.message) if found.error else ("no_sql", "no SQL was found")
        raise Text2SQLError(
            f"{found.model} found no SQL for this question ({code}): {message}",
            hint="rephrase the question, or see SELECT text2sql_detail('…')",
        )
    if not found.bound:
        raise Text2SQLError(f"{found.model} wrote SQL that could not be checked: {found.sql}")
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
    }
