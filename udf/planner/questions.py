"""Questions of a statement, each resolved once by the text-to-SQL pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from ...workers import event_loop
from ...workers.deployments.spec import ModelSpec
from ...workers.messages import Request, Response
from ..calls.scope import CallScope
from ..session.session import Session
from ..settings import StoreMode
from ..text2sql.result import QuestionKey, Text2SqlResult

if TYPE_CHECKING:
    from ..text2sql.draw import SqlModel
    from ..text2sql.prompts.background import Background
    from ..text2sql.schema.resolve import ResolvedSchema

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
        question: with its options.
        mode: whether the call store is read and written.
        send: sends the requests of an attempt to a model.
    """
    from ..text2sql.pipeline import Effort, generate_sql
    from ..text2sql.schema.resolve import resolve_schema

    first, *others = (_model(session, spec, mode, send) for spec in session.text2sql_models_for(question.model))
    schema = await asyncio.to_thread(resolve_schema, question.schema, session.require_catalog())
    files = session.database_files if schema.from_catalog else ()
    background = await asyncio.to_thread(read_background, question, schema, files)
    run, find = (session.run_query, session.find_cells) if schema.from_catalog else (None, None)
    effort = Effort(background, question.votes, run, find, tuple(others), question.min_confidence)
    return await generate_sql(question.request, schema, first.form, first.complete, effort=effort)


def _model(session: Session, spec: ModelSpec, mode: StoreMode, send: SendRequests) -> SqlModel:
    from ..text2sql.draw import SqlModel
    from ..text2sql.prompts.formats import format_for_model

    async def complete(step: Request) -> Response:
        (response,) = await send(spec, [step], session.statement.scope, mode)
        return response

    return SqlModel(format_for_model(spec), complete)


def read_background(
    question: QuestionKey, schema: ResolvedSchema, databases: Sequence[Path], *, files_allowed: bool = True
) -> Background:
    """Return what the model is told beside the schema: the notes and examples of the databases, and the date.

    Args:
        question: with its options.
        schema: of the question.
        databases: the files beside which notes and examples are looked for.
        files_allowed: whether `notes` may be the path of a file.

    Raises:
        RequestError: the notes cannot be read.
    """
    from ..text2sql.examples.verified_examples import examples_file, nearest_examples, read_examples
    from ..text2sql.notes.read_notes import Notes, read_notes
    from ..text2sql.prompts.background import Background, VerifiedExample

    notes = read_notes(question.notes, databases, files_allowed=files_allowed)
    chosen, warnings = tuple[VerifiedExample, ...](), list[str]()
    if question.examples:
        found = [read_examples(examples_file(path)) for path in databases]
        kept = [example for examples, _ in found for example in examples]
        text = question.request.messages[-1].content
        chosen, outdated = nearest_examples(text, kept, question.examples, schema)
        warnings = [*(line for _, lines in found for line in lines), *outdated]
    return Background(notes | Notes("", tuple(warnings)), chosen, date.today())
