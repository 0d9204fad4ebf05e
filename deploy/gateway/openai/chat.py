"""`/v1/chat/completions` and `/v1/completions`, whole and streamed."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import Response as HttpResponse

from ..admission import Admitted
from ..errors import OPENAI_ERRORS
from .completion import Answering, store_mode
from .requests import ChatBody, CompletionBody, Sampling
from .responses import Wire

router = APIRouter(prefix="/v1", tags=["chat"], responses=OPENAI_ERRORS)


@router.post("/chat/completions", summary="Answer a conversation")
async def chat(body: ChatBody, request: HttpRequest, visit: Admitted) -> HttpResponse:
    """Answer the last message; the caller keeps the conversation and sends all of it."""
    spec = await visit.model(body.model)
    wire = Wire(body.model, chat=True)
    return await _answered(Answering(visit, spec, body.requests(spec), wire, store_mode(request)), body, request)


@router.post("/completions", summary="Answer a text")
async def complete(body: CompletionBody, request: HttpRequest, visit: Admitted) -> HttpResponse:
    """Answer a prompt, or each of several: a conversation of one turn."""
    spec = await visit.model(body.model)
    wire = Wire(body.model, chat=False)
    return await _answered(Answering(visit, spec, body.requests(), wire, store_mode(request)), body, request)


async def _answered(answering: Answering, body: Sampling, request: HttpRequest) -> HttpResponse:
    if not body.stream:
        return await answering.whole()
    include_usage = body.stream_options is not None and body.stream_options.include_usage
    return await answering.streamed(request, include_usage)
