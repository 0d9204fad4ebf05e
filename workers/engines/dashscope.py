"""The DashScope engine: Qwen and its neighbours over Alibaba Cloud's own protocol.

Source of the protocol: Alibaba Cloud Model Studio's API reference, and what the vendor's Python client sends, which a
test compares with what is sent here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from ..messages import Message, Request
from .http_client import Call
from .http_engine import HttpEngine, HttpSettings, without_nulls
from .openai import logprobs_fields, option_fields
from .provider_replies import DASHSCOPE, Wire

CHAT = "/services/aigc/text-generation/generation"
CHAT_WITH_IMAGES = "/services/aigc/multimodal-generation/generation"
EMBEDDING = "/services/embeddings/text-embedding/text-embedding"
STREAMED = {"X-DashScope-SSE": "enable", "Accept": "text/event-stream"}


class DashscopeSettings(HttpSettings):
    """Settings of `saas/qianwen`: `infer_params` keys with `saas.` before them."""

    model: str = Field(description="the model's name at the service, e.g. qwen-plus")
    base_url: str = Field("https://dashscope.aliyuncs.com/api/v1", description="the service's address")
    workspace: str | None = Field(None, description="the workspace that the key belongs to")
    extra: dict[str, Any] = Field(
        default_factory=dict,
        description="parameters sent with every request; null removes a field that is sent by default",
    )
    multimodal: bool | None = Field(None, description="served at the multimodal address; null: by the model's name")


class DashscopeEngine(HttpEngine):
    """Answers through `POST {base_url}/services/aigc/text-generation/generation`."""

    Settings: ClassVar[type[BaseModel]] = DashscopeSettings
    concurrency: ClassVar[int] = 64
    embed_batch: ClassVar[int] = 10
    wire: ClassVar[Wire] = DASHSCOPE
    settings: DashscopeSettings

    def __init__(self, settings: DashscopeSettings) -> None:
        super().__init__(settings)
        by_name = not {"vl", "omni", "ocr"}.isdisjoint(settings.model.split("-"))
        self._multimodal = by_name if settings.multimodal is None else settings.multimodal

    def own_headers(self) -> dict[str, str]:
        """Return the workspace, where there is one."""
        return {"X-DashScope-WorkSpace": self.settings.workspace} if self.settings.workspace else {}

    def chat_call(self, request: Request, *, streamed: bool) -> Call:
        """Return the call for an answer."""
        options = request.options
        parameters = option_fields(options, self.settings.default_temperature) | {"result_format": "message"}
        parameters |= logprobs_fields(request)
        if streamed:
            parameters["incremental_output"] = True
        if options.top_k is not None:
            parameters["top_k"] = options.top_k
        in_parts = self._multimodal or any(message.images for message in request.messages)
        messages = [_message(message, in_parts) for message in request.messages]
        fields = self._fields({"messages": messages}, {**parameters, **self.extra, **options.extra})
        headers = STREAMED if streamed else None
        return Call(CHAT_WITH_IMAGES if in_parts else CHAT, fields, headers, options.timeout_seconds)

    def embed_call(self, texts: Sequence[str]) -> Call:
        """Return the call for vectors."""
        return Call(EMBEDDING, self._fields({"texts": list(texts)}, self.extra))

    def _fields(self, given: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {"model": self.settings.model, "parameters": without_nulls(parameters), "input": given}


def _message(message: Message, in_parts: bool) -> dict[str, Any]:
    if not in_parts:
        return {"role": message.role, "content": message.content}
    images = [{"image": image} for image in message.images]
    return {"role": message.role, "content": [*images, {"text": message.content}]}
