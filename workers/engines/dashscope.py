"""The DashScope engine: Qwen and its neighbours over Alibaba Cloud's own protocol, through the vendor's client."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from dashscope.client.base_api import BaseAioApi
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ..errors import ProviderError
from ..messages import Message, Request, Response, Usage
from ..secret_refs import resolve
from .openai import SECONDS, option_fields
from .provider_replies import Growing, broken, empty_choice, finished, harmless, lost_connection, refusal, thinking

CHAT = {"task_group": "aigc", "task": "text-generation", "function": "generation"}
CHAT_WITH_IMAGES = {"task_group": "aigc", "task": "multimodal-generation", "function": "generation"}
EMBEDDING = {"task_group": "embeddings", "task": "text-embedding", "function": "text-embedding"}

FAILURES = (aiohttp.ClientError, TimeoutError, ValueError, KeyError)
"""What comes out of the client: a lost connection, a late reply, half a JSON, an error without its code."""


class DashscopeSettings(BaseModel):
    """Settings of `saas/qianwen`: `infer_params` keys with `saas.` before them."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(description="the model's name at the service, e.g. qwen-plus")
    base_url: str = Field("https://dashscope.aliyuncs.com/api/v1", description="the service's address")
    api_key: SecretStr | None = Field(None, description="`env:NAME`, `file:PATH`, or the key")
    workspace: str | None = Field(None, description="the workspace that the key belongs to")
    proxy: str | None = Field(None, description="an HTTP proxy's address")
    extra: dict[str, Any] = Field(default_factory=dict, description="parameters sent with every request")
    default_temperature: float | None = Field(0.0, description="sent where a request gives none; null: none is sent")
    multimodal: bool | None = Field(None, description="served at the multimodal address; null: by the model's name")


class DashscopeEngine:
    """Answers through `POST {base_url}/services/aigc/text-generation/generation`."""

    Settings: ClassVar[type[BaseModel]] = DashscopeSettings
    concurrency: ClassVar[int] = 64
    embed_batch: ClassVar[int] = 10

    def __init__(self, settings: DashscopeSettings) -> None:
        self.settings = settings
        by_name = not {"vl", "omni", "ocr"}.isdisjoint(settings.model.split("-"))
        self._multimodal = by_name if settings.multimodal is None else settings.multimodal
        self._key = ""
        self._session: aiohttp.ClientSession

    async def start(self) -> None:
        """Read the key and open the connections; nothing is sent yet.

        Raises:
            SetupError: the key is not there.
        """
        given = self.settings
        if given.api_key:
            self._key = resolve(given.api_key, f"the API key of {given.model}")
        connector = aiohttp.TCPConnector(limit=1000, keepalive_timeout=15)
        self._session = aiohttp.ClientSession(
            connector=connector, proxy=given.proxy or _proxy_for(given.base_url), middlewares=(self._once,)
        )
        if "DASHSCOPE_LOGGING_LEVEL" not in os.environ:
            # The client writes a traceback for every row that fails; here a row's failure is its value.
            logging.getLogger("dashscope").setLevel(logging.CRITICAL)

    async def answer(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            ProviderError: the service refused, or did not answer.
        """
        try:
            reply = await self._call(request)
        except FAILURES as error:
            raise self._failure(error) from harmless(error, self._key)
        message, reason = _read(self._accepted(reply))
        return finished(
            reason or "stop",
            message.get("content"),
            reasoning=thinking(message),
            usage=_usage(reply),
            request_id=reply.request_id,
        )

    async def stream(self, request: Request) -> AsyncIterator[str | Response]:
        """Yield pieces of the answer, then the whole Response.

        Raises:
            ProviderError: the service refused, or broke off.
        """
        growing = Growing()
        try:
            replies = await self._call(request, stream=True, incremental_output=True)
            async for reply in replies:
                growing.request_id, growing.usage = reply.request_id, _usage(reply)
                piece = growing.add(*_read(self._accepted(reply)))
                if piece:
                    yield piece
        except FAILURES as error:
            raise self._failure(error) from harmless(error, self._key)
        yield growing.response()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector a text, in order.

        Raises:
            ProviderError: the service refused, or did not answer.
        """
        given = self.settings
        try:
            reply = await self._send(EMBEDDING, {"texts": list(texts)}, None, given.extra)
        except FAILURES as error:
            raise self._failure(error) from harmless(error, self._key)
        items = (self._accepted(reply).output or {}).get("embeddings") or []
        if len(items) != len(texts):
            raise broken(f"the service answered with {len(items)} vectors for {len(texts)} texts")
        return [item["embedding"] for item in sorted(items, key=lambda item: item["text_index"])]

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _once(self, request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        """See two things that the vendor's client would hide.

        It sends a request again when the connection is lost, whether or not the service had begun to answer (and to
        bill): the error that comes out here is none that it knows. And it drops the words of a refusal that came with
        status 200.
        """
        try:
            reply = await send(request)
        except aiohttp.ClientConnectionError as error:
            raise lost_connection(error) from error
        if reply.status == 200 and reply.content_type == "application/json" and b'"output"' not in await reply.read():
            body = await reply.json()
            words, code = str(body.get("message", body)), str(body.get("code", "no_output"))
            raise refusal(words, code=code, status=400, headers=reply.headers, secret=self._key)
        return reply

    async def _call(self, request: Request, **more: Any) -> Any:
        options = request.options
        fields = option_fields(options, self.settings.default_temperature) | {"result_format": "message", **more}
        if options.top_k is not None:
            fields["top_k"] = options.top_k
        in_parts = self._multimodal or any(message.images for message in request.messages)
        messages = [_message(message, in_parts) for message in request.messages]
        path = CHAT_WITH_IMAGES if in_parts else CHAT
        fields = {**fields, **self.settings.extra, **options.extra}
        return await self._send(path, {"messages": messages}, options.timeout_seconds, fields)

    async def _send(
        self, path: dict[str, str], given: dict[str, Any], seconds: float | None, fields: dict[str, Any]
    ) -> Any:
        """Send one body; the layer under the client's AioGeneration, which alone has embeddings and opens no files."""
        return await BaseAioApi.call(
            self.settings.model,
            given,
            **path,
            api_key=self._key,
            workspace=self.settings.workspace,
            base_address=self.settings.base_url,
            session=self._session,
            request_timeout=seconds or SECONDS,
            **fields,
        )

    def _accepted(self, reply: Any) -> Any:
        """Return a reply that is an answer.

        Raises:
            ProviderError: it is none.
        """
        if reply.code == "Unknown" and reply.status_code == 500 and reply.message.lstrip().startswith("{"):
            raise broken(f"the service's reply cannot be read: {reply.message[:200]!r}")
        if reply.code or reply.status_code != 200:
            code = None if reply.code == "Unknown" else reply.code
            raise refusal(
                reply.message, code=code, status=reply.status_code, headers=reply.headers or {}, secret=self._key
            )
        return reply

    def _failure(self, error: Exception) -> ProviderError:
        if isinstance(error, ValueError | KeyError | aiohttp.ContentTypeError):
            return broken(f"the service's reply cannot be read: {error}")
        return lost_connection(error)


def _proxy_for(address: str) -> str | None:
    """Return the environment's proxy: looked up once, where aiohttp's trust_env looks for each call (0.3 ms)."""
    parts = urlsplit(address)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


def _message(message: Message, in_parts: bool) -> dict[str, Any]:
    if not in_parts:
        return {"role": message.role, "content": message.content}
    images = [{"image": image} for image in message.images]
    return {"role": message.role, "content": [*images, {"text": message.content}]}


def _read(reply: Any) -> tuple[dict[str, Any], str | None]:
    """Return the message of a reply, its content as one text, and its finish reason ('null' while it goes on)."""
    choices = (reply.output or {}).get("choices")
    if not choices:
        raise empty_choice()
    message = choices[0].get("message") or {}
    if isinstance(message.get("content"), list):
        message = {**message, "content": "".join(part.get("text", "") for part in message["content"])}
    reason = choices[0].get("finish_reason")
    return message, None if reason == "null" else reason


def _usage(reply: Any) -> Usage:
    usage = reply.usage or {}
    return Usage(usage.get("input_tokens") or 0, usage.get("output_tokens") or 0)
