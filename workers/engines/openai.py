"""The OpenAI engine: every service that speaks OpenAI's chat protocol.

Source of the protocol: OpenAI's API reference, chat completions and embeddings, as public in November 2026.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from ..errors import ProviderError
from ..messages import Message, Request
from ..options import Options
from .http_client import Call
from .http_engine import HttpEngine, HttpSettings, without_nulls
from .provider_replies import OPENAI, Wire
from .reply_events import ReplyEvent

STREAM_OPTIONS = "stream_options"
"""Asks for the tokens at a stream's end; some services refuse a field that they do not know."""


class OpenAISettings(HttpSettings):
    """Settings of the services that speak OpenAI's protocol: `infer_params` keys with `saas.` before them."""

    base_url: str = Field("https://api.openai.com/v1", description="the service's address, up to and with its version")
    organization: str | None = Field(None, description="OpenAI's organization id")
    max_tokens_field: str = Field(
        "max_tokens", description="the service's field for the maximum number of tokens of an answer"
    )


class OpenAIEngine(HttpEngine):
    """Answers through `POST {base_url}/chat/completions`."""

    Settings: ClassVar[type[BaseModel]] = OpenAISettings
    concurrency: ClassVar[int] = 64
    embed_batch: ClassVar[int] = 32
    takes_tools: ClassVar[bool] = True
    wire: ClassVar[Wire] = OPENAI
    settings: OpenAISettings

    def __init__(self, settings: OpenAISettings) -> None:
        super().__init__(settings)
        self._takes_stream_options = True

    def own_headers(self) -> dict[str, str]:
        """Return the organization, where there is one."""
        return {"OpenAI-Organization": self.settings.organization} if self.settings.organization else {}

    def chat_call(self, request: Request, *, streamed: bool) -> Call:
        """Return the call for an answer."""
        options, given = request.options, self.settings
        fields = option_fields(options, given.default_temperature)
        if options.max_tokens is not None:
            fields[given.max_tokens_field] = fields.pop("max_tokens")
        fields |= logprobs_fields(request)
        fields["model"] = given.model
        fields["messages"] = [_message(message) for message in request.messages]
        if options.top_k is not None:
            fields["top_k"] = options.top_k
        if streamed:
            fields |= {"stream": True, STREAM_OPTIONS: {"include_usage": True}}
        fields = without_nulls({**fields, **self.extra, **options.extra})
        if not self._takes_stream_options:
            fields.pop(STREAM_OPTIONS, None)
        return Call("/chat/completions", fields, seconds=options.timeout_seconds)

    def embed_call(self, texts: Sequence[str]) -> Call:
        """Return the call for vectors."""
        fields = {"model": self.settings.model, "input": list(texts), "encoding_format": "float", **self.extra}
        return Call("/embeddings", without_nulls(fields))

    async def events(self, request: Request) -> AsyncIterator[tuple[ReplyEvent, Mapping[str, str]]]:
        """Yield the values of a stream; if a service refuses `stream_options`, later requests leave it out."""
        try:
            async for event in super().events(request):
                yield event
        except ProviderError as error:
            blamed = STREAM_OPTIONS in f"{error.code} {error.message}" and error.status in (400, 422)
            if not blamed or not self._takes_stream_options:
                raise
            self._takes_stream_options = False
            async for event in super().events(request):
                yield event


def option_fields(options: Options, default_temperature: float | None) -> dict[str, Any]:
    """Return the options as OpenAI's body fields; DashScope names them the same."""
    temperature = options.temperature or default_temperature
    fields: dict[str, Any] = {} if temperature is None else {"temperature": temperature}
    for name in ("top_p", "max_tokens", "seed", "presence_penalty", "frequency_penalty"):
        value = getattr(options, name)
        if value is not None:
            fields[name] = value
    if options.stop:
        fields["stop"] = list(options.stop)
    if options.response_format is not None and options.response_format.keys() == {"choice"}:
        fields["structured_outputs"] = dict(options.response_format)  # vLLM's own field.
    elif options.response_format is not None:
        fields["response_format"] = response_format_field(options.response_format)
    return fields


def logprobs_fields(request: Request) -> dict[str, Any]:
    """Return what asks for the likeliest tokens; DashScope names it the same."""
    return {"logprobs": True, "top_logprobs": request.top_logprobs} if request.top_logprobs else {}


def response_format_field(given: dict[str, Any]) -> dict[str, Any]:
    """Return a response_format: the service's own object as it is, a bare JSON schema wrapped."""
    if given.get("type") in ("json_object", "json_schema", "text"):
        return given
    # OpenAI's strict mode takes closed objects only, and would refuse any other schema.
    strict = given.get("additionalProperties") is False
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": given, "strict": strict}}


def _message(message: Message) -> dict[str, Any]:
    content: str | list[dict[str, Any]] = message.content
    if message.images:
        images = [{"type": "image_url", "image_url": {"url": image}} for image in message.images]
        content = [{"type": "text", "text": message.content}, *images]
    return {"role": message.role, "content": content, **(json.loads(message.extra) if message.extra else {})}
