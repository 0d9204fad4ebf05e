"""What OpenAI's clients send: each body as pydantic reads it, and the requests that it stands for."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ....workers.deployments.spec import ModelSpec
from ....workers.engines import ToolEngine
from ....workers.errors import did_you_mean
from ....workers.messages import Message, Request
from ....workers.options import Options, read_options
from ..errors import GatewayError

OPTIONS = frozenset(Options.model_fields) - {"extra", "timeout_seconds"}
"""Fields that are options of ours under the same name."""
PASSED_ON = {"logit_bias", "parallel_tool_calls", "reasoning_effort", "verbosity"}
"""Fields that go to the service as they are; an engine that does not know them says so."""
TOOLS = {"tools", "tool_choice"}
"""Fields that go to services that take tools."""


class Body(BaseModel):
    """Something that a client sends; a field that nobody knows is an error which names the near ones."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for name in given:
                if name not in cls.model_fields:
                    hint = did_you_mean(str(name), cls.model_fields)
                    passing = "; `extra` passes fields on to the service" if "extra" in cls.model_fields else ""
                    words = "there is no field {name}: {hint}" + passing
                    raise PydanticCustomError("unknown_field", words, {"name": repr(name), "hint": hint})
        return given


class Text(Body):
    """A piece of text in a message."""

    type: Literal["text"]
    text: str


class ImageAddress(Body):
    """Where an image is."""

    url: str = Field(description="an address, or `data:image/png;base64,…`")
    detail: str | None = None


class Image(Body):
    """An image in a message."""

    type: Literal["image_url"]
    image_url: ImageAddress


class ChatMessage(Body):
    """One message; what a client's library adds to an answer that it sends back is read and left out."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Annotated[Text | Image, Field(discriminator="type")]] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    refusal: Any = None
    annotations: Any = None
    audio: None = None
    function_call: None = None
    reasoning_content: Any = None

    def message(self) -> Message:
        """Return the message that it stands for."""
        role = "system" if self.role == "developer" else self.role
        parts = self.content if isinstance(self.content, list) else [Text(type="text", text=self.content or "")]
        texts = [part.text for part in parts if isinstance(part, Text)]
        images = tuple(part.image_url.url for part in parts if isinstance(part, Image))
        extra = self.model_dump(include={"name", "tool_calls", "tool_call_id"}, exclude_none=True)
        return Message(role, "\n".join(texts), images, json.dumps(extra, sort_keys=True) if extra else "")


class StreamOptions(Body):
    """How a stream is to look."""

    include_usage: bool = False
    include_obfuscation: bool = False


def _texts(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Sampling(Body):
    """The fields that chats and completions share."""

    model: str = Field(description="a deployed model's name")
    temperature: float | None = Field(None, ge=0, le=2, description="left out: 0, the likeliest answer")
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=1)
    max_tokens: int | None = Field(None, ge=1)
    stop: Annotated[list[str] | None, BeforeValidator(_texts)] = Field(None, max_length=16)
    seed: int | None = Field(None, description="another seed asks for another answer; the same gives the same")
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    n: int | None = Field(None, ge=1, le=16, description="so many answers, each a draw of its own")
    draw: int = Field(0, description="another number asks for a fresh answer to the same request")
    logit_bias: dict[str, float] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    extra: dict[str, Any] = Field(default_factory=dict, description="fields passed to the service as they are")
    user: str | None = Field(None, description="read and left out")

    def options(self, **more: Any) -> Options:
        """Return the options that the body says.

        Raises:
            RequestError: a value that no option takes.
        """
        given = self.model_dump(include=set(OPTIONS), exclude_none=True) | more
        passed_on = self.model_dump(include=PASSED_ON | TOOLS, exclude_none=True)
        return read_options({**given, "extra": {**passed_on, **self.extra}})


class ChatBody(Sampling):
    """The body of `POST /v1/chat/completions`."""

    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1, description="the newer name of max_tokens")
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    logprobs: Literal[False] | None = None
    top_logprobs: Literal[0] | None = None
    modalities: list[Literal["text"]] | None = None
    store: bool | None = Field(None, description="read and left out")
    metadata: dict[str, Any] | None = Field(None, description="read and left out")
    service_tier: str | None = Field(None, description="read and left out")
    safety_identifier: str | None = Field(None, description="read and left out")
    prompt_cache_key: str | None = Field(None, description="read and left out")

    def requests(self, spec: ModelSpec) -> list[Request]:
        """Return one request for each of the `n` answers.

        Raises:
            GatewayError: tools, for an engine that does not take them.
        """
        messages = tuple(message.message() for message in self.messages)
        if self.tools or any(message.extra for message in messages):
            _check_takes_tools(spec)
        newer_name = {} if self.max_completion_tokens is None else {"max_tokens": self.max_completion_tokens}
        options = self.options(**newer_name)
        return _drawn(messages, options, self.n or 1)


class CompletionBody(Sampling):
    """The body of `POST /v1/completions`; token ids are not read."""

    prompt: Annotated[list[str], BeforeValidator(_texts)] = Field(min_length=1, max_length=256)
    echo: Literal[False] | None = None
    best_of: Literal[1] | None = None
    logprobs: None = None
    suffix: None = None

    def requests(self) -> list[Request]:
        """Return one request for each of the prompts and of the `n` answers to it."""
        options = self.options()
        return [
            request for prompt in self.prompt for request in _drawn((Message("user", prompt),), options, self.n or 1)
        ]


class EmbeddingBody(Body):
    """The body of `POST /v1/embeddings`; token ids are not read."""

    model: str = Field(description="a deployed model that makes embeddings")
    input: Annotated[list[str], BeforeValidator(_texts)] = Field(min_length=1, max_length=2048)
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, ge=1, description="must be what the model makes, or left out")
    user: str | None = Field(None, description="read and left out")

    def requests(self) -> list[Request]:
        """Return one request a text."""
        return [Request((Message("user", text),), kind="embed") for text in self.input]


def _check_takes_tools(spec: ModelSpec) -> None:
    if not isinstance(spec.plan().engine, ToolEngine):
        message = f"{spec.name} ({spec.type}) takes no tools; a service behind OpenAI's protocol does"
        raise GatewayError(400, message, code="tools_not_supported", param="tools")


def _drawn(messages: tuple[Message, ...], options: Options, count: int) -> list[Request]:
    """Return as many requests that differ in nothing but their draw."""
    draws = [options.model_copy(update={"draw": options.draw + number}) for number in range(count)]
    return [Request(messages, draw) for draw in draws]
