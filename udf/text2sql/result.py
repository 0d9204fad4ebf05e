"""The key and the result of a question: plain values without dependencies on the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from ...workers.messages import Failure, Message, Request, Usage

UNSURE = 0.5  # Below this confidence an answer is shown with a warning.
MAX_VOTES, MAX_EXAMPLES = 25, 20


@dataclass(frozen=True, slots=True)
class QuestionKey:
    """Identifies a question within a statement: two questions with equal keys are the same.

    Args:
        request: the question with the turns before it.
        schema: DDL, M-Schema text, or names of tables; None: the caller's catalog.
        model: the model's name, or several names with commas between them, which vote; None: the default one.
        notes: Markdown, or the path of a file; None: what is found beside the database.
        examples: how many verified examples the model is shown.
        votes: how many draws there may be.
        min_confidence: below it there is no SQL; 0: the SQL is given however unsure it is.
    """

    request: Request
    schema: str | None = None
    model: str | None = None
    notes: str | None = None
    examples: int = 0
    votes: int = 1
    min_confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Text2SqlResult:
    """The result of a question.

    Args:
        sql: the query, or None.
        error: why there is none: a service's own code, or 'parser', 'binder', 'catalog' (or another error of DuckDB's),
            'guard', 'no_sql', 'declined', 'unsure' (less sure than was demanded), 'unclear' (the message is a question
            to the user), 'memory' or 'time' (planning it takes more than it may). None if there is a query.
        attempts: how often models were called.
        bound: whether DuckDB itself bound the query; False if the schema cannot be bound.
        model: the name of the model.
        history: plain questions and SQL, the newest last, for a follow-up; after a failure, up to the last success.
        usage: tokens of all attempts.
        seconds: of all attempts.
        left_out: the parts of the schema's DDL that were not understood, each with its line.
        confidence: how probable it is that the query is right; None if there is none.
        alternatives: other queries that bind, the likeliest first.
        warnings: what speaks against the query, and what was changed in it.
        prompt: all that the model was sent first.
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
    confidence: float | None = None
    alternatives: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    prompt: str = ""


def is_unsure(confidence: float | None) -> TypeGuard[float]:
    """Whether an answer of this confidence is shown with a warning; one without a query has none."""
    return confidence is not None and confidence < UNSURE


def describe_doubts(confidence: float | None, warnings: Sequence[str]) -> str | None:
    """Return how sure an answer is and what speaks against it, in one line; None if nothing does."""
    if confidence is None or not (warnings or is_unsure(confidence)):
        return None
    return "; ".join([f"confidence {confidence:.0%}", *warnings])


def decline_if_unsure(result: Text2SqlResult, min_confidence: float, earlier: tuple[Message, ...]) -> Text2SqlResult:
    """Return the result without its SQL if it is less sure than that; the SQL is then the first alternative.

    Args:
        result: of the pipeline.
        min_confidence: the bound, from 0 to 1.
        earlier: the conversation before the question, with which a follow-up goes on.
    """
    if result.sql is None or result.confidence is None or result.confidence >= min_confidence:
        return result
    reasons = "; ".join([f"{result.confidence:.0%} where {min_confidence:.0%} is demanded", *result.warnings])
    failure = Failure("unsure", f"too unsure of its SQL ({reasons}). The SQL was: {result.sql}")
    alternatives = (result.sql, *result.alternatives)
    return replace(result, sql=None, error=failure, bound=False, history=earlier, alternatives=alternatives)
