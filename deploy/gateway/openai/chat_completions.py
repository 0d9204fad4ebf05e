"""`/v1/chat/completions` and `/v1/completions`, complete and streamed."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import Response as HttpResponse

from ..admission import Admitted
from ..error_replies import OPENAI_ERRORS
from ..error_styles import GatewayRoute
from .completion import CompletionReply, store_mode
from .requests import ChatBody, CompletionBody, SamplingFields
from .responses import ReplyFormatter

router = APIRouter(prefix="/v1", tags=["chat"], responses=OPENAI_ERRORS, route_class=GatewayRoute)


@router.post("/chat/completions", summary="Answer a conversation")
async def chat(body: ChatBody, request: HttpRequest, context: Admitted) -> HttpResponse:
    """Answer the last message; the client sends the whole conversation each time."""
    spec = await context.model(body.model)
    formatter = ReplyFormatter(body.model, chat=True)
    return await _answered(CompletionReply(context, spec, body.requests(spec), formatter, store_mode(request)), body)


@router.post("/completions", summary="Answer a text")
async def complete(body: CompletionBody, request: HttpRequest, context: Admitted) -> HttpResponse:
    """Answer one prompt or several; each is a conversation of one turn."""
    spec = await context.model(body.model)
    formatter = ReplyFormatter(body.model, chat=False)
    return await _answered(CompletionReply(context, spec, body.requests(), formatter, store_mode(request)), body)


async def _answered(reply: CompletionReply, body: SamplingFields) -> HttpResponse:
    if not body.stream:
        return await reply.full()
    include_usage = body.stream_options is not None and body.stream_options.include_usage
    return await reply.streamed(include_usage)
