"""The bodies that OpenAI's clients send, as pydantic models, and their conversion to requests."""

from __future__ import annotations

import difflib
import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from ....workers.deployments.spec import ModelSpec
from ....workers.engines import ToolEngine
from ....workers.errors import RequestError, did_you_mean
from ....workers.extra_fields import normalize_field
from ....workers.messages import Message, Request
from ....workers.options import Options, read_options
from ..error_replies import GatewayError
from .content import read_content
from .token_ids import text_from_token_ids

# Fields that have the same names as our options.
OPTIONS = frozenset(Options.model_fields) - {"extra", "timeout_seconds"}
# Fields that are passed to the service unchanged; an engine that does not support them reports an error.
PASSED_ON = {"logit_bias", "parallel_tool_calls", "reasoning_effort", "verbosity"}
TOOLS = {"tools", "tool_choice"}  # Fields for services that support tools.
# A name that is at least this similar to one of our fields is taken for a typing mistake, not for a service's field.
TYPO_CUTOFF = 0.9
MIN_INT, MAX_INT = -(2**63), 2**63 - 1


class RequestModel(BaseModel):
    """Something that a client sends; an unknown field is an error that names similar fields."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())
    passes_on: ClassVar[bool] = False  # Whether unknown fields are passed on to the service.

    @model_validator(mode="before")
    @classmethod
    def _declared_fields(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        unknown = [str(name) for name in given if name not in cls.model_fields]
        for name in unknown:
            if not cls.passes_on or difflib.get_close_matches(name, cls.model_fields, n=1, cutoff=TYPO_CUTOFF):
                hint = did_you_mean(name, cls.model_fields)
                raise PydanticCustomError("unknown_field", "there is no field {name}: {hint}", _shown(name, hint))
        # Vendors' clients send null for fields that were not given.
        return {name: value for name, value in given.items() if name in cls.model_fields or value is not None}


def _shown(name: str, hint: str) -> dict[str, Any]:
    return {"name": repr(name), "hint": hint}


class ChatMessage(RequestModel):
    """One message; fields that a client's library adds to an earlier answer are ignored."""

    model_config = ConfigDict(extra="allow")
    passes_on = True

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[str | dict[str, Any]] | None = Field(
        None, description="a text, or parts: texts, images, and whatever else the service accepts"
    )
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    refusal: Any = None
    annotations: Any = None
    audio: Any = None
    function_call: None = None
    reasoning_content: Any = None
    provider_specific_fields: Any = None

    @property
    def uses_tools(self) -> bool:
        """Whether the message has tool calls or a tool's result."""
        return bool(self.tool_calls) or self.role == "tool"

    def message(self, passed_on: bool) -> Message:
        """Return it as our `Message`.

        Args:
            passed_on: whether the engine passes parts and fields that we do not know on to its service.

        Raises:
            RequestError: a part of it cannot be parsed.
            GatewayError: it has parts that are neither text nor image, and the engine does not support others.
        """
        role = "system" if self.role == "developer" else self.role
        content = read_content(self.content)
        if content.unknown_types and not passed_on:
            message = f"the model accepts texts and images, not {', '.join(content.unknown_types)}"
            raise GatewayError(400, message, code="content_not_supported", param="messages")
        extra = {
            **(self.model_extra or {}),
            **self.model_dump(include={"tool_calls", "tool_call_id"}, exclude_none=True),
        }
        if content.parts:
            extra["content"] = content.parts
        written = json.dumps(extra, sort_keys=True) if extra and passed_on else ""
        return Message(role, content.text, content.images, written)


class StreamOptions(BaseModel):
    """Options of a stream; unknown ones are ignored."""

    include_usage: bool = False
    include_obfuscation: bool = False


def _texts(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _texts_or_token_ids(value: Any) -> Any:
    """Return texts; token ids, of one text or of several, are decoded."""
    if not isinstance(value, list) or not value or isinstance(value[0], str):
        return _texts(value)
    texts = [value] if all(isinstance(each, int) for each in value) else value
    if not all(_are_token_ids(each) for each in texts):
        return value
    try:
        return [text_from_token_ids(each) for each in texts]
    except RequestError as error:
        raise PydanticCustomError("token_ids", "{message}: {hint}", error.__dict__) from error


def _are_token_ids(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, int) and not isinstance(each, bool) for each in value)


class SamplingFields(RequestModel):
    """The fields that chats and completions share; what else a client sends is the service's to know."""

    model_config = ConfigDict(extra="allow")
    passes_on = True

    model: str = Field(description="a deployed model's name")
    temperature: float | None = Field(None, ge=0, le=2, description="left out: 0, the likeliest answer")
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=1, le=MAX_INT)
    max_tokens: int | None = Field(None, ge=1, le=MAX_INT)
    stop: Annotated[list[str] | None, BeforeValidator(_texts)] = Field(None, max_length=16)
    seed: int | None = Field(
        None,
        ge=MIN_INT,
        le=MAX_INT,
        description="another seed requests another answer; the same seed gives the same answer",
    )
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    n: int | None = Field(None, ge=1, le=16, description="number of answers, each sampled separately")
    draw: int = Field(0, ge=MIN_INT, le=2**62, description="another number requests a new answer to the same request")
    logit_bias: dict[str, float] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    extra: dict[str, Any] = Field(default_factory=dict, description="fields passed to the service as they are")
    user: Any = Field(None, description="accepted and ignored")
    user_id: Any = Field(None, description="accepted and ignored")
    request_id: Any = Field(None, description="accepted and ignored")

    @field_validator("extra")
    @classmethod
    def _only_fields_of_the_service(cls, extra: dict[str, Any]) -> dict[str, Any]:
        own = {normalize_field(name): name for name in cls.model_fields}
        for given in extra:
            if name := own.get(normalize_field(given)):
                message = "{name} is not allowed in `extra`: {hint}"
                raise PydanticCustomError("reserved_field", message, _shown(given, f"write {name!r} beside it"))
        return extra

    def options(self, **more: Any) -> Options:
        """Return the options in the body.

        Raises:
            RequestError: an option has an invalid value.
        """
        given = self.model_dump(include=set(OPTIONS), exclude_none=True) | more
        passed_on = self.model_dump(include=PASSED_ON | TOOLS, exclude_none=True)
        if not passed_on.get("tools", True):
            del passed_on["tools"]  # An empty list means no tools; services refuse an empty list.
        return read_options({**given, "extra": {**passed_on, **(self.model_extra or {}), **self.extra}})


class ChatBody(SamplingFields):
    """The body of `POST /v1/chat/completions`."""

    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1, le=MAX_INT, description="the newer name of max_tokens")
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    logprobs: Literal[False] | None = None
    top_logprobs: Literal[0] | None = None
    modalities: list[Literal["text"]] | None = None
    store: Any = Field(None, description="accepted and ignored")
    metadata: Any = Field(None, description="accepted and ignored")
    service_tier: Any = Field(None, description="accepted and ignored")
    safety_identifier: Any = Field(None, description="accepted and ignored")
    prompt_cache_key: Any = Field(None, description="accepted and ignored")

    def requests(self, spec: ModelSpec) -> list[Request]:
        """Return one request for each of the `n` answers.

        Raises:
            GatewayError: tools or message parts, for an engine that does not support them.
            RequestError: an invalid value.
        """
        takes_tools = isinstance(spec.plan().engine, ToolEngine)
        if not takes_tools and (self.tools or any(message.uses_tools for message in self.messages)):
            message = f"{spec.name} ({spec.type}) does not accept tools; a service with OpenAI's protocol does"
            raise GatewayError(400, message, code="tools_not_supported", param="tools")
        messages = tuple(message.message(takes_tools) for message in self.messages)
        newer_name = {} if self.max_completion_tokens is None else {"max_tokens": self.max_completion_tokens}
        options = self.options(**newer_name)
        return _drawn(messages, options, self.n or 1)


class CompletionBody(SamplingFields):
    """The body of `POST /v1/completions`; token ids are not supported."""

    prompt: Annotated[list[str], BeforeValidator(_texts)] = Field(min_length=1, max_length=256)
    echo: Literal[False] | None = None
    best_of: Literal[1] | None = None
    logprobs: None = None
    suffix: None = None

    def requests(self) -> list[Request]:
        """Return one request for each prompt and each of its `n` answers."""
        options = self.options()
        return [
            request for prompt in self.prompt for request in _drawn((Message("user", prompt),), options, self.n or 1)
        ]


class EmbeddingBody(RequestModel):
    """The body of `POST /v1/embeddings`."""

    model: str = Field(description="a deployed model that makes embeddings")
    input: Annotated[list[str], BeforeValidator(_texts_or_token_ids)] = Field(min_length=1, max_length=2048)
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, ge=1, description="must be the length of the model's vectors, or left out")
    user: Any = Field(None, description="accepted and ignored")
    user_id: Any = Field(None, description="accepted and ignored")
    request_id: Any = Field(None, description="accepted and ignored")

    def requests(self) -> list[Request]:
        """Return one request for each text."""
        return [Request((Message("user", text),), kind="embed") for text in self.input]


def _drawn(messages: tuple[Message, ...], options: Options, count: int) -> list[Request]:
    """Return `n` requests that differ only in their draw."""
    draws = [options.with_changes(draw=options.draw + number) for number in range(count)]
    return [Request(messages, draw) for draw in draws]
