"""The echo engine: answers with the prompt. For tests, dry runs, and a machine without any model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ..messages import Request, Response, Usage


class EchoSettings(BaseModel):
    """Settings of `type: echo`."""

    model_config = ConfigDict(extra="forbid")

    delay_seconds: float = Field(0.0, ge=0, description="how long an answer takes")
    dimensions: int = Field(8, ge=1, le=32, description="the length of an embedding")


class EchoEngine:
    """Answers `echo: <the last user message>`, always the same for the same request; it is no language model."""

    Settings: ClassVar[type[BaseModel]] = EchoSettings
    concurrency: ClassVar[int] = 256
    chat_batch: ClassVar[int] = 256
    embed_batch: ClassVar[int] = 256

    def __init__(self, settings: EchoSettings) -> None:
        self.settings = settings

    async def start(self) -> None:
        """Nothing to load."""

    async def answer(self, request: Request) -> Response:
        """Return the last message behind 'echo: '."""
        return (await self.answer_all([request]))[0]

    async def answer_all(self, requests: Sequence[Request]) -> list[Response]:
        """Return the last message of each behind 'echo: '."""
        if self.settings.delay_seconds:
            await asyncio.sleep(self.settings.delay_seconds)
        return [_echo(request) for request in requests]

    async def stream(self, request: Request) -> AsyncIterator[str | Response]:
        """Yield the answer line by line."""
        response = await self.answer(request)
        for line in (response.output or "").splitlines(keepends=True):
            yield line
        yield response

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return numbers in [0, 1] drawn from the text's hash."""
        return [[byte / 255 for byte in sha256(text.encode()).digest()[: self.settings.dimensions]] for text in texts]

    async def close(self) -> None:
        """Nothing to free."""


def _echo(request: Request) -> Response:
    output = f"echo: {request.messages[-1].content}"
    read = sum(len(message.content.split()) for message in request.messages)
    return Response(output, usage=Usage(read, len(output.split())))
