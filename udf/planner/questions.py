"""Questions of a statement, each resolved once by the text-to-SQL pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from ...workers import event_loop
from ...workers.deployments.spec import ModelSpec
from ...workers.messages import Request, Response
from ..calls.scope import CallScope
from ..session.session import Session
from ..settings import StoreMode
from ..text2sql.result import QuestionKey, Text2SqlResult

SendRequests = Callable[[ModelSpec, Sequence[Request], CallScope, StoreMode], Awaitable[Sequence[Response]]]
# Questions that are worked on together.
BATCH_SIZE = 2048


def resolve_questions(session: Session, questions: Sequence[QuestionKey], mode: StoreMode) -> list[Text2SqlResult]:
    """Return the SQL for each question, in order; one that the statement has resolved before is not resolved again.

    Args:
        session: whose models and catalog.
        questions: each once.
        mode: whether the call store is read and written.

    Raises:
        SetupError, SchemaError, BudgetError: no question can be answered.
    """
    results = session.statement.sql_results

    async def resolve_all() -> None:
        new = [question for question in questions if question not in results]
        for start in range(0, len(new), BATCH_SIZE):
            batch = new[start : start + BATCH_SIZE]
            found = await asyncio.gather(
                *(resolve_question(session, question, mode, session.client.complete) for question in batch)
            )
            results.update(zip(batch, found, strict=True))

    session.statement.wait(event_loop.submit(resolve_all()))
    return [results[question] for question in questions]


def bounded_query(session: Session, sql: str, max_rows: int) -> str:
    """Return the SELECT that `ask` runs in the user's own process; see `bounded_ask_query`.

    Args:
        session: whose catalog the SQL reads, and whose running statement waits.
        sql: as it was checked.
        max_rows: the most rows that it gives.

    Raises:
        GuardError: it takes too much, or nothing could stop it.
    """
    from ..text2sql.checks.own_process import bounded_ask_query

    preparing = asyncio.to_thread(bounded_ask_query, sql, session.require_catalog(), max_rows)
    return session.statement.wait(event_loop.submit(preparing))


async def resolve_question(
    session: Session, question: QuestionKey, mode: StoreMode, send: SendRequests
) -> Text2SqlResult:
    """Return the SQL for one question.

    Args:
        session: whose models and catalog.
        question: with its schema and model.
        mode: whether the call store is read and written.
        send: sends the requests of an attempt to a model.
    """
    from ..text2sql.pipeline import generate_sql
    from ..text2sql.prompts.formats import format_for_model
    from ..text2sql.schema.resolve import resolve_schema

    spec = session.text2sql_model_for(question.model)
    schema = await asyncio.to_thread(resolve_schema, question.schema, session.require_catalog())

    async def complete(step: Request) -> Response:
        (response,) = await send(spec, [step], session.statement.scope, mode)
        return response

    return await generate_sql(question.request, schema, format_for_model(spec), complete)
