"""The OpenAI engine: every service that speaks OpenAI's chat protocol.

Source of the protocol: OpenAI's API reference, chat completions and embeddings, as public in November 2026.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ..errors import ProviderError
from ..messages import Message, Request, Response
from ..options import Options
from ..secret_refs import Redactor, resolve_all, resolve_secret, secrets_of_settings
from .http_client import HttpClient
from .provider_replies import OPENAI, ReplyReader, read_vectors
from .reply_events import ReplyEvent

STREAM_OPTIONS = "stream_options"
"""Asks for the tokens at a stream's end; some services refuse a field that they do not know."""


class OpenAISettings(BaseModel):
    """Settings of the services that speak OpenAI's protocol: `infer_params` keys with `saas.` before them."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(description="the model's name at the service")
    base_url: str = Field("https://api.openai.com/v1", description="the service's address, up to and with its version")
    api_key: SecretStr | None = Field(None, description="`env:NAME`, `file:PATH`, or the key; none for a local server")
    proxy: SecretStr | None = Field(None, description="an HTTP proxy's address")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="sent with every request")
    query: dict[str, SecretStr] = Field(default_factory=dict, description="parameters of the address, e.g. a key")
    organization: str | None = Field(None, description="OpenAI's organization id")
    extra: dict[str, Any] = Field(
        default_factory=dict, description="body fields sent with every request; null leaves one out that is sent else"
    )
    default_temperature: float | None = Field(0.0, description="sent where a request gives none; null: none is sent")
    max_tokens_field: str = Field("max_tokens", description="how the service calls the most tokens of an answer")


class OpenAIEngine:
    """Answers through `POST {base_url}/chat/completions`."""

    Settings: ClassVar[type[BaseModel]] = OpenAISettings
    concurrency: ClassVar[int] = 64
    embed_batch: ClassVar[int] = 32
    takes_tools: ClassVar[bool] = True

    def __init__(self, settings: OpenAISettings) -> None:
        self.settings = settings
        self._client: HttpClient
        self._extra: dict[str, Any] = {}
        self._takes_stream_options = True

    async def start(self) -> None:
        """Read the key and open the connections; nothing is sent yet.

        Raises:
            SetupError: a key is not there, or the address is none.
        """
        given = self.settings
        headers: dict[str, str] = resolve_all(given.headers, "the header ")
        if given.api_key and "authorization" not in {name.lower() for name in headers}:
            headers["Authorization"] = f"Bearer {resolve_secret(given.api_key, f'the API key of {given.model}')}"
        if given.organization:
            headers["OpenAI-Organization"] = given.organization
        self._extra = resolve_all(given.extra, "the body field ")
        self._client = HttpClient(
            given.base_url,
            headers,
            query=resolve_all(given.query, "the parameter "),
            proxy=resolve_secret(given.proxy, "the proxy") if given.proxy else None,
            redactor=Redactor(secrets_of_settings(given)),
        )
        self._client.open()

    async def answer(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            ProviderError: the service refused, or did not answer.
        """
        with self._client.redactor.errors():
            fields, seconds = self._fields(request), request.options.timeout_seconds
            events, headers = await self._client.post("/chat/completions", fields, seconds)
            reader = ReplyReader(OPENAI, headers)
            for event in events:
                reader.add(event)
            return reader.response(request)

    async def stream(self, request: Request) -> AsyncIterator[str | Response]:
        """Yield pieces of the answer, then the whole Response.

        Raises:
            ProviderError: the service refused, or broke off.
        """
        with self._client.redactor.errors():
            reader: ReplyReader | None = None
            async for event, headers in self._events(request):
                reader = reader or ReplyReader(OPENAI, headers)
                if piece := reader.add(event):
                    yield piece
            reader = reader or ReplyReader(OPENAI, {})
            if piece := reader.last_piece():
                yield piece
            yield reader.response(request)

    async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...] | None]:
        """Return one vector a text, in order; None for a text whose vector is none.

        Raises:
            ProviderError: the service refused, or did not answer.
        """
        with self._client.redactor.errors():
            fields = {"model": self.settings.model, "input": list(texts), "encoding_format": "float", **self._extra}
            events, headers = await self._client.post("/embeddings", without_nulls(fields))
            return read_vectors(events, len(texts), OPENAI, headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _events(self, request: Request) -> AsyncIterator[tuple[ReplyEvent, Mapping[str, str]]]:
        """Yield the values of a stream; a service that refuses `stream_options` is asked without it from then on."""
        fields = {"stream": True, STREAM_OPTIONS: {"include_usage": True}, **self._fields(request)}
        if self._extra.get(STREAM_OPTIONS, True) is None or not self._takes_stream_options:
            del fields[STREAM_OPTIONS]
        try:
            async for event in self._client.stream("/chat/completions", fields, request.options.timeout_seconds):
                yield event
        except ProviderError as error:
            if STREAM_OPTIONS not in fields or error.status not in (400, 422) or not _blames(error, STREAM_OPTIONS):
                raise
            self._takes_stream_options = False
            async for event in self._events(request):
                yield event

    def _fields(self, request: Request) -> dict[str, Any]:
        options, given = request.options, self.settings
        fields = option_fields(options, given.default_temperature)
        if options.max_tokens is not None:
            fields[given.max_tokens_field] = fields.pop("max_tokens")
        fields["model"] = given.model
        fields["messages"] = [_message(message) for message in request.messages]
        if options.top_k is not None:
            fields["top_k"] = options.top_k
        return without_nulls({**fields, **self._extra, **options.extra})


def without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body fields that are sent: null leaves one out."""
    return {name: value for name, value in fields.items() if value is not None}


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
    if options.response_format is not None:
        fields["response_format"] = response_format_field(options.response_format)
    return fields


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


def _blames(error: ProviderError, field: str) -> bool:
    return field in error.message or field in error.code
