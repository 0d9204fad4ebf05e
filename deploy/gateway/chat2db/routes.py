"""`POST /`: Chat2DB's custom AI, and other clients of ChatGLM's `api.py`; the reply is a plain JSON string."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from ....udf.text2sql.prompts.formats import format_for_model
from ....udf.text2sql.result import QuestionKey
from ....workers.errors import RequestError
from ....workers.messages import Message, Request
from ....workers.options import Options, read_options
from ..admission import Admitted
from ..error_replies import GatewayError
from ..error_styles import route_class_with_errors
from ..openai.completion import complete, store_mode
from ..text2sql import MAX_QUESTION_CHARACTERS, MAX_SCHEMA_CHARACTERS, QuestionTarget, choose_database, text2sql_model
from .parse_prompt import ParsedPrompt, parse_prompt

# The prompt form of models that get the prompt unchanged; other forms are those of models trained on them.
PASS_THROUGH_FORMAT = "chat"
# The prompt forms of models that are not language models, and cannot explain or improve SQL.
SQL_ONLY_FORMATS = ("builtin",)


def error_reply(error: GatewayError) -> Response:
    """Return an error as a plain string: Chat2DB shows the body, whatever the status."""
    return JSONResponse(error.message, error.status_code)


router = APIRouter(tags=["chat2db"], route_class=route_class_with_errors(error_reply))


class EarlierMessage(BaseModel):
    """An earlier message of the conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class PromptBody(BaseModel):
    """The body that Chat2DB sends. Its versions send various other fields; unknown ones are ignored."""

    model_config = ConfigDict(extra="ignore")

    prompt: str = Field(
        min_length=1,
        max_length=MAX_SCHEMA_CHARACTERS,
        validation_alias=AliasChoices("prompt", "question"),
        description="a question with its tables, as Chat2DB writes it; some versions call it `question`",
    )
    history: list[tuple[str, str] | EarlierMessage] | None = Field(
        None, max_length=200, description="earlier turns: [question, answer], or {role, content}"
    )
    max_length: int | None = Field(None, ge=1, description="maximum number of tokens of the answer")
    top_p: float | None = Field(None, gt=0, le=1)
    temperature: float | None = Field(None, ge=0, le=2)

    def options(self) -> Options:
        """Return the options in the body."""
        given = {name: getattr(self, name) for name in ("max_length", "top_p", "temperature")}
        return read_options({name: value for name, value in given.items() if value is not None})

    def earlier(self) -> tuple[Message, ...]:
        """Return the conversation before the prompt."""
        turns: list[Message] = []
        for turn in self.history or ():
            if isinstance(turn, EarlierMessage):
                turns.append(Message(turn.role, turn.content))
            else:
                turns += [Message("user", turn[0]), Message("assistant", turn[1])]
        return tuple(turns)


@router.post("/", summary="Chat2DB's custom AI", response_model=str)
async def chat2db(
    body: PromptBody, visit: Admitted, request: HttpRequest, model: str | None = None, database: str | None = None
) -> Any:
    """Return a plain JSON string; a chat model gets the prompt unchanged, others the question in their own form."""
    spec, _ = await text2sql_model(visit, model)
    form, prompt = format_for_model(spec), parse_prompt(body.prompt)
    writes_sql_alone = form.name in SQL_ONLY_FORMATS or form.read is not None
    if form.name == PASS_THROUGH_FORMAT or not (prompt.wants_sql or writes_sql_alone):
        wanted = Request((*body.earlier(), Message("user", body.prompt)), body.options())
        (answer,), _ = await complete(visit, spec, [wanted], store_mode(request))
        return answer.output or ""
    if not prompt.wants_sql:
        raise RequestError(f"{spec.name} only writes SQL", hint="deploy a chat model to explain SQL")
    opened = choose_database(visit, database, prompt.schema)
    target = QuestionTarget(visit, spec, opened, prompt.schema, None if opened else prompt.dialect)
    detail = await target.answer(QuestionKey(_question(prompt, body)), store_mode(request))
    if detail.sql is None:
        message = detail.error.message if detail.error else ""
        raise GatewayError(422, f"{spec.name} found no SQL for this question: {message}", code="no_sql")
    return f"{detail.sql};"


def _question(prompt: ParsedPrompt, body: PromptBody) -> Request:
    """Return the question after the earlier questions, all without the tables that were sent with them."""
    if len(prompt.question) > MAX_QUESTION_CHARACTERS:
        raise RequestError(f"the question is longer than {MAX_QUESTION_CHARACTERS:,} characters")
    earlier = (
        Message(turn.role, parse_prompt(turn.content).question if turn.role == "user" else turn.content.rstrip("; "))
        for turn in body.earlier()
    )
    return Request((*earlier, Message("user", prompt.question)), body.options())
