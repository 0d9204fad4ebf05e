"""An engine whose answers can stand in a predicate: yes or no, a digit, a colour, a text; always the same ones.

The first word of a prompt says what kind of answer is wanted (`yn:`, `num:`, `cls:`, `say:`). A prompt with FAIL
in it always fails, one with CUT is always cut off. Every request that comes in is counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import EntryPoint, EntryPoints
from typing import ClassVar
from unittest.mock import patch

from pydantic import BaseModel, ConfigDict
from quackllm.workers.deployments.models_yaml import save_model
from quackllm.workers.deployments.spec import make_spec
from quackllm.workers.engines import ENTRY_POINT_GROUP
from quackllm.workers.errors import ProviderError
from quackllm.workers.messages import Request, Response, Usage

KINDS = {"yn": ("yes", "no"), "num": tuple("0123456789"), "cls": ("red", "green", "blue")}


class OracleSettings(BaseModel):
    """`salt` tells two oracles apart."""

    model_config = ConfigDict(extra="forbid")

    salt: str = ""
    delay_seconds: float = 0.0


class OracleEngine:
    """Answers by the hash of all that was asked."""

    Settings: ClassVar[type[BaseModel]] = OracleSettings
    concurrency: ClassVar[int] = 256
    embed_batch: ClassVar[int] = 256
    asked: ClassVar[list[str]] = []
    """The last message of every request that came in, oldest first."""

    def __init__(self, settings: OracleSettings) -> None:
        self.settings = settings

    async def start(self) -> None:
        """There is nothing to load."""

    async def answer(self, request: Request) -> Response:
        """Return the answer that the prompt's first word calls for."""
        prompt = request.messages[-1].content
        self.asked.append(prompt)
        if self.settings.delay_seconds:
            await asyncio.sleep(self.settings.delay_seconds)
        if "FAIL" in prompt:
            raise ProviderError("I would rather not", code="refused")
        text = self._said(request)
        usage = Usage(len(prompt.split()), len(text.split()))
        if "CUT" in prompt:
            return Response(text[:1], finish_reason="length", usage=usage)
        return Response(text, usage=usage)

    def _said(self, request: Request) -> str:
        kind, _, rest = request.messages[-1].content.partition(": ")
        spoken = [(message.role, message.content) for message in request.messages]
        number = sha256(f"{self.settings.salt} {spoken} {request.options.canonical_json}".encode()).digest()[0]
        if kind in KINDS:
            return KINDS[kind][number % len(KINDS[kind])]
        if "CREATE TABLE" in kind + rest:
            return f"SELECT {number % 3} FROM singer"
        return f"{rest[:12]} {'abc'[number % 3]}".strip()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return two numbers drawn from the text."""
        self.asked.extend(texts)
        return [[byte / 8 for byte in sha256(text.encode()).digest()[:2]] for text in texts]

    async def close(self) -> None:
        """There is nothing to give back."""


@contextmanager
def oracles(delay_seconds: float = 0.0) -> Iterator[list[str]]:
    """Deploy the models `orc` and `elf` in QUACKLLM_HOME, and give the list of what they are asked."""
    points = EntryPoints([EntryPoint("oracle", "support.sql_oracle:OracleEngine", ENTRY_POINT_GROUP)])
    with patch("quackllm.workers.engines.entry_points", lambda group: points):
        for name in ("orc", "elf"):
            params = {"salt": name, "delay_seconds": delay_seconds}
            save_model(make_spec(name=name, type="oracle", infer_params=params))
        OracleEngine.asked.clear()
        yield OracleEngine.asked
