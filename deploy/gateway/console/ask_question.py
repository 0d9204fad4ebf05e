"""`POST /console/question`: a question about a database → SQL, with everything that was sent and what it cost."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from pydantic import BaseModel, Field

from ....udf.calls.prices import find_price
from ....udf.text2sql.result import MAX_VOTES, QuestionKey
from ....workers.messages import Message, Request
from ..admission import Admitted
from ..error_styles import GatewayRoute
from ..openai.completion import store_mode
from ..openai.requests import RequestModel
from ..text2sql import MAX_QUESTION_CHARACTERS, Exchange, QuestionTarget, choose_database, text2sql_model
from .local_reader import KEY_OR_THIS_MACHINE

router = APIRouter(
    prefix="/console", include_in_schema=False, route_class=GatewayRoute, dependencies=[KEY_OR_THIS_MACHINE]
)


class Turn(BaseModel):
    """An earlier question, or the SQL that answered it."""

    role: Literal["user", "assistant"]
    content: str = Field(max_length=100_000)


class ConsoleQuestion(RequestModel):
    """The body of `POST /console/question`."""

    question: str = Field(min_length=1, max_length=MAX_QUESTION_CHARACTERS)
    database: str
    model: str | None = None
    notes: str = Field("", max_length=MAX_QUESTION_CHARACTERS, description="what else the model should know")
    votes: int = Field(1, ge=1, le=MAX_VOTES, description="how many answers are drawn at most; the largest group wins")
    history: list[Turn] = Field([], max_length=40, description="earlier questions and their SQL, for a follow-up")


@router.post("/question")
async def answer_question(body: ConsoleQuestion, context: Admitted, request: HttpRequest) -> dict[str, Any]:
    """Return the SQL for a question, or why there is none; the rows come from `POST /console/sql`."""
    opened = choose_database(context, body.database, None)
    spec, remarks = await text2sql_model(context, body.model, "Choose one in the list Model, e.g. {}")
    target = QuestionTarget(context, spec, opened, "", None, remarks=remarks)
    messages = [Message(turn.role, turn.content) for turn in body.history]
    question = Request((*messages, Message("user", body.question)))
    key = QuestionKey(question, notes=body.notes.strip() or None, votes=body.votes)
    detail = await target.answer(key, store_mode(request))
    return {
        "sql": detail.sql,
        "error": detail.error and {"code": detail.error.code, "message": detail.error.message},
        "model": target.spec.name,
        "attempts": detail.attempts,
        "seconds": round(detail.seconds, 2),
        "confidence": detail.confidence,
        "warnings": list(detail.warnings),
        "alternatives": list(detail.alternatives),
        "sent": [_exchange(exchange) for exchange in target.exchanges],
        **_cost(target),
    }


def _exchange(exchange: Exchange) -> dict[str, Any]:
    return {
        "messages": [{"role": each.role, "content": each.content} for each in exchange.request.messages],
        "answer": exchange.answer.output,
        "calls": exchange.calls,
    }


def _cost(target: QuestionTarget) -> dict[str, Any]:
    """Return what the question's calls cost; answers from the call store cost nothing."""
    paid = [exchange for exchange in target.exchanges if exchange.calls]
    price = find_price(target.spec)
    return {
        "calls": sum(exchange.calls for exchange in paid),
        "input_tokens": sum(exchange.answer.usage.input_tokens for exchange in paid),
        "output_tokens": sum(exchange.answer.usage.output_tokens for exchange in paid),
        "money": price and sum(price.cost(exchange.answer.usage) for exchange in paid),
    }
