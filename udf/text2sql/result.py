"""What a question is known by, and what came of it: values that are below the machinery that makes them."""

from __future__ import annotations

from dataclasses import dataclass

from ...workers.messages import Failure, Message, Request, Usage


@dataclass(frozen=True, slots=True)
class QuestionKey:
    """What makes two questions of one statement the same.

    Args:
        request: the question with the turns before it.
        schema: DDL, M-Schema text, or names of tables; None: the caller's catalog.
        model: the model's name; None: the default one.
    """

    request: Request
    schema: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Text2SqlResult:
    """What came of a question.

    Args:
        sql: the query, or None.
        error: why there is none: a service's own code, or 'parser', 'binder', 'catalog' (and DuckDB's other words),
            'guard', 'no_sql', 'declined', 'memory' or 'time' (planning it takes more than it
            may). None exactly where there is a query.
        attempts: how often the model was asked.
        bound: whether DuckDB itself took the query; False where the schema cannot be bound.
        model: who answered.
        history: bare questions and SQL, the newest last, for a follow-up; after a failure the last good one.
        usage: tokens of all attempts.
        seconds: of all attempts.
        left_out: what of the schema's DDL was not understood, each with its line.
    """

    sql: str | None
    error: Failure | None
    attempts: int
    bound: bool
    model: str
    history: tuple[Message, ...]
    usage: Usage
    seconds: float
    left_out: tuple[str, ...] = ()
