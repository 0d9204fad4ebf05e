"""From requests to a reply: asked through the call store, whole or while it grows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, StreamingResponse

from ....udf.settings import StoreMode, load_settings
from ....workers.deployments.spec import ModelSpec
from ....workers.messages import Request, Response
from ..admission import RequestContext
from ..errors import GatewayError, raise_for_failure, timeout_error
from .responses import ReplyFormatter
from .streaming import AnswerStream, SseResponse

CALLS = "X-Quackllm-Calls"
"""The header that says how many calls of models a reply has cost; 0: the call store knew the answer."""


def store_mode(request: HttpRequest) -> StoreMode:
    """Return how the call store is used, by `Cache-Control`: `no-cache` asks anew, `no-store` leaves no trace in it."""
    wanted = {word.strip().lower() for word in request.headers.get("Cache-Control", "").split(",")}
    return "off" if "no-store" in wanted else "refresh" if "no-cache" in wanted else load_settings().llm_store


async def complete(
    context: RequestContext, spec: ModelSpec, requests: list[Request], mode: StoreMode
) -> tuple[list[Response], int]:
    """Return one answer a request, and how many calls they cost.

    Args:
        context: for whom.
        spec: the model.
        requests: what to ask.
        mode: how the call store is used.

    Raises:
        GatewayError: one of them failed (the others are in the call store), or they took too long.
    """
    seconds = context.gateway.settings.request_seconds
    try:
        async with asyncio.timeout(seconds):
            responses, calls = await complete_in_parts(context, spec, requests, mode)
    except TimeoutError as error:
        raise timeout_error(seconds) from error
    for response in responses:
        raise_for_failure(response)
    return responses, calls


async def complete_in_parts(
    context: RequestContext, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode
) -> tuple[list[Response], int]:
    """Return one answer a request, asked as many at a time as the key's budget allows, and how many calls they cost.

    Raises:
        GatewayError: the budget ends before the last one; the others are in the call store.
    """
    responses: list[Response] = []
    calls = 0
    while len(responses) < len(requests):
        spending, part = await context.begin(spec, requests[len(responses) :], mode)
        try:
            responses += await context.gateway.complete(spec, part, spending.scope, mode)
        except asyncio.CancelledError:
            spending.stopped = True
            raise
        calls += spending.scope.usage.sent
        await context.settle(spending)
    return responses, calls


@dataclass
class CompletionReply:
    """The requests that one HTTP request stands for, and how their answers are written."""

    context: RequestContext
    spec: ModelSpec
    requests: list[Request]
    formatter: ReplyFormatter
    mode: StoreMode

    async def full(self) -> JSONResponse:
        """Return all answers at once."""
        responses, calls = await complete(self.context, self.spec, self.requests, self.mode)
        return JSONResponse(self.formatter.full_reply(responses), headers={CALLS: str(calls)})

    async def streamed(self, include_usage: bool) -> StreamingResponse:
        """Return the answer as a stream of events, once its first piece is there.

        Raises:
            GatewayError: more than one answer is wanted, or it failed before its first piece.
        """
        if len(self.requests) > 1:
            raise GatewayError(400, "a stream holds one answer to one prompt", code="invalid_request", param="stream")
        stream = await AnswerStream.start(self.context, self.spec, self.requests[0], self.mode)
        headers = {CALLS: str(stream.calls), "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return SseResponse(stream, self.formatter, include_usage, headers)
