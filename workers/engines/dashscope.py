"""The DashScope engine: Qwen and its neighbours over Alibaba Cloud's own protocol.

Source of the protocol: Alibaba Cloud Model Studio's API reference, and what the vendor's Python client sends, which a
test compares with what is sent here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ..messages import Message, Request, Response
from ..secret_refs import Redactor, resolve_all, resolve_secret, secrets_of_settings
from .http_client import HttpClient
from .openai import option_fields, without_nulls
from .provider_replies import DASHSCOPE, ReplyReader, read_vectors
from .reply_events import ReplyEvent

CHAT = "/services/aigc/text-generation/generation"
CHAT_WITH_IMAGES = "/services/aigc/multimodal-generation/generation"
EMBEDDING = "/services/embeddings/text-embedding/text-embedding"
STREAMED = {"X-DashScope-SSE": "enable", "Accept": "text/event-stream"}


class DashscopeSettings(BaseModel):
    """Settings of `saas/qianwen`: `infer_params` keys with `saas.` before them."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(description="the model's name at the service, e.g. qwen-plus")
    base_url: str = Field("https://dashscope.aliyuncs.com/api/v1", description="the service's address")
    api_key: SecretStr | None = Field(None, description="`env:NAME`, `file:PATH`, or the key")
    workspace: str | None = Field(None, description="the workspace that the key belongs to")
    proxy: SecretStr | None = Field(None, description="an HTTP proxy's address")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="sent with every request")
    query: dict[str, SecretStr] = Field(default_factory=dict, description="parameters of the address, e.g. a key")
    extra: dict[str, Any] = Field(
        default_factory=dict, description="parameters sent with every request; null leaves one out that is sent else"
    )
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
        self._client: HttpClient
        self._extra: dict[str, Any] = {}

    async def start(self) -> None:
        """Read the key and open the connections; nothing is sent yet.

        Raises:
            SetupError: a key is not there, or the address is none.
        """
        given = self.settings
        headers: dict[str, str] = resolve_all(given.headers, "the header ")
        if given.api_key and "authorization" not in {name.lower() for name in headers}:
            headers["Authorization"] = f"Bearer {resolve_secret(given.api_key, f'the API key of {given.model}')}"
        if given.workspace:
            headers["X-DashScope-WorkSpace"] = given.workspace
        self._extra = resolve_all(given.extra, "the parameter ")
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
            path, body = self._body(request)
            events, headers = await self._client.post(path, body, request.options.timeout_seconds)
            reader = ReplyReader(DASHSCOPE, headers)
            for event in events:
                reader.add(event)
            if len(events) == 1:
                reader.add(ReplyEvent(None, ends=True))
            return reader.response(request)

    async def stream(self, request: Request) -> AsyncIterator[str | Response]:
        """Yield pieces of the answer, then the whole Response.

        Raises:
            ProviderError: the service refused, or broke off.
        """
        with self._client.redactor.errors():
            path, body = self._body(request, incremental_output=True)
            reader: ReplyReader | None = None
            async for event, headers in self._client.stream(path, body, request.options.timeout_seconds, STREAMED):
                reader = reader or ReplyReader(DASHSCOPE, headers)
                if piece := reader.add(event):
                    yield piece
            reader = reader or ReplyReader(DASHSCOPE, {})
            if piece := reader.last_piece():
                yield piece
            yield reader.response(request)

    async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...] | None]:
        """Return one vector a text, in order; None for a text whose vector is none.

        Raises:
            ProviderError: the service refused, or did not answer.
        """
        with self._client.redactor.errors():
            body = self._with_parameters({"texts": list(texts)}, self._extra)
            events, headers = await self._client.post(EMBEDDING, body)
            return read_vectors(events, len(texts), DASHSCOPE, headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _body(self, request: Request, **more: Any) -> tuple[str, dict[str, Any]]:
        options = request.options
        fields = option_fields(options, self.settings.default_temperature) | {"result_format": "message", **more}
        if options.top_k is not None:
            fields["top_k"] = options.top_k
        in_parts = self._multimodal or any(message.images for message in request.messages)
        messages = [_message(message, in_parts) for message in request.messages]
        body = self._with_parameters({"messages": messages}, {**fields, **self._extra, **options.extra})
        return CHAT_WITH_IMAGES if in_parts else CHAT, body

    def _with_parameters(self, given: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {"model": self.settings.model, "parameters": without_nulls(parameters), "input": given}


def _message(message: Message, in_parts: bool) -> dict[str, Any]:
    if not in_parts:
        return {"role": message.role, "content": message.content}
    images = [{"image": image} for image in message.images]
    return {"role": message.role, "content": [*images, {"text": message.content}]}
