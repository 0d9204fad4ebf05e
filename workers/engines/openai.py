"""The OpenAI engine: every service that speaks OpenAI's chat protocol, through the official client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar

import httpx2
import openai
from openai.types.chat import ChatCompletion, ChatCompletionMessage
from openai.types.completion_usage import CompletionUsage
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ..errors import ProviderError
from ..options import Options
from ..secrets import resolve
from ..values import Message, Request, Response, Usage
from .replies import broken, empty_choice, finished, harmless, lost_connection, refusal

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


class OpenAIEngine:
    """Answers through `POST {base_url}/chat/completions`."""

    Settings: ClassVar[type[BaseModel]] = OpenAISettings
    concurrency: ClassVar[int] = 64
    embed_batch: ClassVar[int] = 32

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
        try:
            completion = await self._client.chat.completions.create(**self._fields(request))
        except (openai.OpenAIError, ValueError) as error:
            raise self._failure(error) from harmless(error, self._key)
        if not isinstance(completion, ChatCompletion):
            raise broken(f"the service's reply is no JSON: {str(completion)[:200]!r}")
        if not completion.choices:
            raise self._nothing(completion)
        choice = completion.choices[0]
        return finished(
            choice.finish_reason or "stop",
            _text(choice.message),
            reasoning=_reasoning(choice.message),
            words=choice.message.refusal,
            usage=_usage(completion.usage),
            request_id=completion._request_id or completion.id,
        )

    async def stream(self, request: Request) -> AsyncIterator[str | Response]:
        """Yield pieces of the answer, then the whole Response.

        Raises:
            ProviderError: the service refused, or broke off.
        """
        try:
            async with await self._client.chat.completions.create(
                **self._fields(request), stream=True, stream_options={"include_usage": True}
            ) as chunks:
                growing = Growing(chunks.response.headers.get("x-request-id"))
                async for chunk in chunks:
                    piece = growing.add(chunk)
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
        try:
            reply = await self._client.embeddings.create(
                model=given.model, input=list(texts), encoding_format="float", extra_body=given.extra or None
            )
        except (openai.OpenAIError, ValueError) as error:
            raise self._failure(error) from harmless(error, self._key)
        if len(reply.data) != len(texts):
            raise broken(f"the service answered with {len(reply.data)} vectors for {len(texts)} texts")
        return [item.embedding for item in sorted(reply.data, key=lambda item: item.index)]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _fields(self, request: Request) -> dict[str, Any]:
        options = request.options
        fields = option_fields(options)
        fields["model"] = self.settings.model
        fields["messages"] = [_message(message) for message in request.messages]
        extra = {**self.settings.extra, **options.extra}
        if options.top_k is not None:
            extra["top_k"] = options.top_k
        if extra:
            fields["extra_body"] = extra
        if options.timeout_seconds is not None:
            fields["timeout"] = options.timeout_seconds
        return fields

    def _failure(self, error: openai.OpenAIError | ValueError) -> ProviderError:
        if isinstance(error, openai.APIConnectionError):
            return lost_connection(error)
        if isinstance(error, openai.APIError):
            status = error.status_code if isinstance(error, openai.APIStatusError) else None
            headers = error.response.headers if isinstance(error, openai.APIStatusError) else {}
            words, code = _said(error.body)
            return refusal(words or error.message, code=code, status=status, headers=headers, secret=self._key)
        return broken(f"the service's reply cannot be read: {error}")

    def _nothing(self, completion: ChatCompletion) -> ProviderError:
        """Some services answer with status 200 and put what went wrong beside an empty list of choices."""
        error = (completion.model_extra or {}).get("error")
        if not error:
            return empty_choice()
        words, code = _said(error)
        status = int(code) if code and code.isdigit() and len(code) == 3 else None
        return refusal(words, code=code, status=status, secret=self._key)


class Growing:
    """An answer that arrives in pieces."""

    def __init__(self, request_id: str | None) -> None:
        self.request_id = request_id
        self.output: list[str] = []
        self.reasoning: list[str] = []
        self.words: str | None = None
        self.reason: str | None = None
        self.usage = Usage()

    def add(self, chunk: Any) -> str | None:
        """Take one chunk of a stream; return its piece of the output."""
        self.request_id = self.request_id or chunk.id
        if chunk.usage:
            self.usage = _usage(chunk.usage)
        if not chunk.choices:
            return None
        choice = chunk.choices[0]
        self.reason = choice.finish_reason or self.reason
        self.words = choice.delta.refusal or self.words
        self.reasoning.append(_reasoning(choice.delta) or "")
        self.output.append(choice.delta.content or "")
        return self.output[-1]

    def response(self) -> Response:
        """Return the whole answer.

        Raises:
            ProviderError: the stream ended before the answer did.
        """
        output = "".join(self.output)
        if self.reason is None:
            raise broken("the stream ended before the answer did") if output else empty_choice()
        reasoning = "".join(self.reasoning)
        return finished(
            self.reason,
            output,
            reasoning=reasoning,
            words=self.words,
            usage=self.usage,
            request_id=self.request_id,
        )


def option_fields(options: Options) -> dict[str, Any]:
    """Return the options as OpenAI's body fields; dashscope and others name most of them the same."""
    fields: dict[str, Any] = {"temperature": options.temperature}
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
    schema = {"name": given.get("title", "answer"), "schema": given, "strict": True}
    return {"type": "json_schema", "json_schema": schema}


def _message(message: Message) -> dict[str, Any]:
    if not message.images:
        return {"role": message.role, "content": message.content}
    images = [{"type": "image_url", "image_url": {"url": image}} for image in message.images]
    return {"role": message.role, "content": [{"type": "text", "text": message.content}, *images]}


def _text(message: ChatCompletionMessage) -> str | None:
    if message.content or not message.tool_calls:
        return message.content
    calls = [call.model_dump(exclude_none=True) for call in message.tool_calls]
    return json.dumps(calls, ensure_ascii=False)


def _reasoning(message: BaseModel) -> str | None:
    """Return the thinking that came before the answer: DeepSeek's field name, or vLLM's and OpenRouter's."""
    more = message.model_extra or {}
    reasoning: str | None = more.get("reasoning_content") or more.get("reasoning")
    return reasoning


def _usage(usage: CompletionUsage | None) -> Usage:
    return Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0) if usage else Usage()


def _said(body: object) -> tuple[str, str | None]:
    """Return the words and the code of an error's body, of which each service has its own shape."""
    if not isinstance(body, Mapping):
        return str(body or ""), None
    inner = body.get("error")
    if inner:
        return _said(inner)
    words = body.get("message") or body.get("msg") or body.get("detail") or json.dumps(dict(body), ensure_ascii=False)
    code = body.get("code") or body.get("type")
    return str(words), str(code) if code else None
