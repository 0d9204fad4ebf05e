"""The text-to-SQL pipeline: generate, extract, guard, bind, and return errors to the model until the SQL is valid."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from msgspec import structs

from ...workers.errors import RequestError
from ...workers.messages import Failure, Message, Request, Response, Usage
from .checks.check_answer import check_answer
from .checks.verify import NO_SQL
from .prompts.formats import PromptFormat
from .prompts.value_matching import match_values
from .result import Text2SqlResult
from .schema.resolve import ResolvedSchema

Complete = Callable[[Request], Awaitable[Response]]
TargetCheck = Callable[[str], tuple[str, Failure | None]]

# Errors that another attempt cannot fix: the model declines, or the question has used up its time or memory.
FINAL = ("declined", "memory", "time")


async def generate_sql(
    question: str | Request,
    schema: ResolvedSchema,
    form: PromptFormat,
    complete: Complete,
    *,
    max_repairs: int = 3,
    fit: TargetCheck | None = None,
) -> Text2SqlResult:
    """Return the SQL that answers a question.

    Args:
        question: a text, or a request whose messages are earlier questions and their SQL, the newest question last.
            Its options go along with every attempt.
        schema: the schema to query.
        form: the model's prompt form.
        complete: sends one request to the model.
        max_repairs: how often an error of the guard or DuckDB is sent back to the model.
        fit: SQL that passed → its translation for the database where it will run, or that database's error.

    Raises:
        RequestError: the newest turn is not a question.
    """
    request = Request.of(question) if isinstance(question, str) else question
    if not request.messages or request.messages[-1].role != "user":
        raise RequestError("the newest turn is no question", hint="llm_stack(previous, 'the next question')")
    values = await asyncio.to_thread(match_values, request.messages[-1].content, schema.schema)
    messages: tuple[Message, ...] | None = await asyncio.to_thread(
        form.build_messages, request.messages, schema.schema, values
    )
    detail = Text2SqlResult(None, Failure(*NO_SQL), 0, False, "", request.messages[:-1], Usage(), 0.0, schema.left_out)
    while messages is not None and detail.attempts <= max_repairs:
        response = await complete(structs.replace(request, messages=messages))
        detail = _add_attempt(detail, response)
        if response.error is not None:
            return replace(detail, error=response.error)
        output = response.output or ""
        if form.read is not None:
            output = await asyncio.to_thread(form.read, output, request.messages, schema.schema, values)
        sql, failure = await asyncio.to_thread(check_answer, output, schema.schema, schema.bindable)
        if fit and not failure:
            sql, failure = await asyncio.to_thread(fit, sql)
        if failure is None:
            history = (*request.messages, Message("assistant", sql))
            return replace(detail, sql=sql, error=None, bound=schema.bindable, history=history)
        detail = replace(detail, error=_with_query(failure, sql))
        messages = None if failure.code in FINAL else form.repair(messages, sql, failure.message)
    return detail


def _add_attempt(detail: Text2SqlResult, response: Response) -> Text2SqlResult:
    usage = Usage(
        detail.usage.input_tokens + response.usage.input_tokens,
        detail.usage.output_tokens + response.usage.output_tokens,
    )
    return replace(
        detail,
        attempts=detail.attempts + 1,
        usage=usage,
        model=response.model or detail.model,
        seconds=detail.seconds + response.seconds,
    )


def _with_query(failure: Failure, sql: str) -> Failure:
    """Append the failing SQL to the message for the user. (The model already has it in the conversation.)"""
    return structs.replace(failure, message=f"{failure.message}\n\nThe query was: {sql}") if sql else failure
