"""The OpenAI engine: every service that speaks OpenAI's chat protocol, through the official client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar

import httpx2
import openai
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ..errors import ProviderError
from ..messages import Message, Request, Response, Usage
from ..options import Options
from ..secret_refs import resolve
from .provider_replies import Growing, broken, empty_choice, finished, harmless, lost_connection, refusal, thinking

SECONDS = 600.0
"""How long a reply may take where neither the request nor the worker says so."""

LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=1000, keepalive_expiry=4.0)
"""An idle connection is kept for less than uvicorn's 5 s, so that none is used while the server closes it."""


class OpenAISettings(BaseModel):
    """Settings of the services that speak OpenAI's protocol: `infer_params` keys with `saas.` before them."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(description="the model's name at the service")
    base_url: str = Field("https://api.openai.com/v1", description="the service's address, up to and with its version")
    api_key: SecretStr | None = Field(None, description="`env:NAME`, `file:PATH`, or the key; none for a local server")
    proxy: str | None = Field(None, description="an HTTP proxy's address")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="sent with every request")
    organization: str | None = Field(None, description="OpenAI's organization id")
    extra: dict[str, Any] = Field(default_factory=dict, description="body fields sent with every request")
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
        self._key = ""
        self._client: openai.AsyncOpenAI

    async def start(self) -> None:
        """Read the key and open the client; nothing is sent yet.

        Raises:
            SetupError: the key is not there.
        """
        given = self.settings
        if given.api_key:
            self._key = resolve(given.api_key, f"the API key of {given.model}")
        self._client = openai.AsyncOpenAI(
            # A key of our own making keeps the client from sending OPENAI_API_KEY to whoever listens at base_url.
            api_key=self._key or "none",
            base_url=given.base_url,
            organization=given.organization,
            default_headers={name: resolve(value, f"the header {name}") for name, value in given.headers.items()},
            max_retries=0,
            timeout=SECONDS,
            # The client's own aiohttp transport: half its default's time per call at 64 connections, a sixth at 512.
            http_client=openai.DefaultAioHttpClient(limits=LIMITS, proxy=given.proxy),
        )

    async def answer(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            ProviderError: the service refused, or did not answer.
        """
        body = await self._post("/chat/completions", self._fields(request), request.options.timeout_seconds)
        choice = self._first_choice(body)
        message = choice.get("message") or {}
        return finished(
            choice.get("finish_reason") or "stop",
            message.get("content"),
            reasoning=thinking(message),
            words=message.get("refusal"),
            usage=_usage(body),
            request_id=_request_id(body),
            tool_calls=message.get("tool_calls"),
        )

    async def stream(self, request: Request) -> AsyncIterator[str | Response]:
        """Yield pieces of the answer, then the whole Response.

        Raises:
            ProviderError: the service refused, or broke off.
        """
        fields = {**self._fields(request), "stream": True, "stream_options": {"include_usage": True}}
        growing = Growing()
        try:
            async with await self._client.post(
                "/chat/completions",
                body=fields,
                cast_to=object,
                options=_within(request.options.timeout_seconds),
                stream=True,
                stream_cls=openai.AsyncStream[object],
            ) as chunks:
                async for chunk in chunks:
                    piece = _add(growing, chunk)
                    if piece:
                        yield piece
        except (openai.OpenAIError, ValueError) as error:
            raise self._failure(error) from harmless(error, self._key)
        yield growing.response()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector a text, in order.

        Raises:
            ProviderError: the service refused, or did not answer.
        """
        given = self.settings
        fields = {"model": given.model, "input": list(texts), "encoding_format": "float", **given.extra}
        items = (await self._post("/embeddings", fields, None)).get("data") or []
        if len(items) != len(texts):
            raise broken(f"the service answered with {len(items)} vectors for {len(texts)} texts")
        return [item["embedding"] for item in sorted(items, key=lambda item: item["index"])]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _post(self, path: str, fields: dict[str, Any], seconds: float | None) -> dict[str, Any]:
        """Send one body and return the reply's.

        The client's typed methods walk through every field of both for a quarter of a call's time.
        """
        try:
            body = await self._client.post(path, body=fields, cast_to=object, options=_within(seconds))
        except (openai.OpenAIError, ValueError) as error:
            raise self._failure(error) from harmless(error, self._key)
        if not isinstance(body, dict):
            raise broken(f"the service's reply is no JSON object: {str(body)[:200]!r}")
        return body

    def _fields(self, request: Request) -> dict[str, Any]:
        options, given = request.options, self.settings
        fields = option_fields(options, given.default_temperature)
        if options.max_tokens is not None:
            fields[given.max_tokens_field] = fields.pop("max_tokens")
        fields["model"] = given.model
        fields["messages"] = [_message(message) for message in request.messages]
        if options.top_k is not None:
            fields["top_k"] = options.top_k
        return {**fields, **given.extra, **options.extra}

    def _failure(self, error: openai.OpenAIError | ValueError) -> ProviderError:
        if isinstance(error, openai.APIConnectionError):
            return lost_connection(error.__cause__ or error)  # the client's own words are no more than a name
        if isinstance(error, openai.APIError):
            status = error.status_code if isinstance(error, openai.APIStatusError) else None
            headers = error.response.headers if isinstance(error, openai.APIStatusError) else {}
            words, code = _said(error.body)
            return refusal(words or error.message, code=code, status=status, headers=headers, secret=self._key)
        return broken(f"the service's reply cannot be read: {error}")

    def _first_choice(self, body: dict[str, Any]) -> dict[str, Any]:
        """Some services answer with status 200 and put what went wrong beside an empty list of choices."""
        if body.get("choices"):
            choice: dict[str, Any] = body["choices"][0]
            return choice
        if not body.get("error"):
            raise empty_choice()
        words, code = _said(body["error"])
        status = int(code) if code and code.isdigit() and len(code) == 3 else None
        raise refusal(words, code=code, status=status, secret=self._key)


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
        fields["response_format"] = wanted_format(options.response_format)
    return fields


def wanted_format(given: dict[str, Any]) -> dict[str, Any]:
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


def _add(growing: Growing, chunk: Any) -> str | None:
    """Add one chunk of a stream; return its piece of the output."""
    growing.request_id = growing.request_id or _request_id(chunk)
    if chunk.get("usage"):
        growing.usage = _usage(chunk)
    if not chunk.get("choices"):
        return None
    choice = chunk["choices"][0]
    return growing.add(choice.get("delta") or {}, choice.get("finish_reason"))


def _usage(body: dict[str, Any]) -> Usage:
    usage = body.get("usage") or {}
    return Usage(usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0)


def _request_id(body: dict[str, Any]) -> str | None:
    return body.get("request_id") or body.get("id")


def _within(seconds: float | None) -> Any:
    return {} if seconds is None else {"timeout": seconds}


def _said(body: object) -> tuple[str, str | None]:
    """Return the words and the code of an error's body, of which each service has its own shape."""
    if isinstance(body, list) and body:
        return _said(body[0])
    if not isinstance(body, Mapping):
        return str(body or ""), None
    inner = body.get("error")
    if inner:
        return _said(inner)
    words = body.get("message") or body.get("msg") or body.get("detail") or json.dumps(dict(body), ensure_ascii=False)
    code = body.get("code") or body.get("type")
    return str(words), str(code) if code else None
