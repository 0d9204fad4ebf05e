"""Engines: one small protocol, and a registry of what implements it.

An engine turns one Request into one Response. It raises `ProviderError` for a request that fails
and `SetupError` where none can succeed; retries, rate limits, history and timing are the worker's.
Another package adds an engine through the entry-point group `quackllm.engines`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel

from ..errors import SetupError, did_you_mean
from ..messages import Request, Response


class Engine(Protocol):
    """What answers requests. `Settings` checks the `infer_params` of a deployment without loading anything."""

    Settings: ClassVar[type[BaseModel]]
    concurrency: ClassVar[int]  # Requests that one worker has in flight, unless the deployment sets another number.

    def __init__(self, settings: Any) -> None:
        """Store the settings; nothing is loaded yet."""

    async def start(self) -> None:
        """Load weights, resolve the key, open the client. Runs once, in the worker's event loop."""

    async def answer(self, request: Request) -> Response:
        """Answer one request; many may be in flight at once."""

    async def close(self) -> None:
        """Give back what `start` took."""


@runtime_checkable
class StreamingEngine(Protocol):
    """An engine that can hand over its answer as it grows."""

    def stream(self, request: Request) -> AsyncIterator[str | Response]:
        """Yield pieces of the output, then the whole Response last."""


@runtime_checkable
class BatchEngine(Protocol):
    """An engine that can answer several requests in one call, in the time of one or little more.

    A request that is streamed or has a time limit of its own is answered alone.
    """

    chat_batch: ClassVar[int]  # The most requests of one call.

    async def answer_all(self, requests: Sequence[Request]) -> list[Response]:
        """Return one answer a request, in order. Where it raises a `ProviderError`, each is answered alone."""


@runtime_checkable
class EmbeddingEngine(Protocol):
    """An engine that can turn texts into vectors."""

    embed_batch: ClassVar[int]  # The most texts of one call.

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector a text, in order, all of one length."""


@runtime_checkable
class ToolEngine(Protocol):
    """An engine that passes tools to its model and returns the tool calls that the model requests."""

    takes_tools: ClassVar[bool]


ENTRY_POINT_GROUP = "quackllm.engines"

ENGINES = {
    "echo": "quackllm.workers.engines.echo:EchoEngine",
    "openai": "quackllm.workers.engines.openai:OpenAIEngine",
    "dashscope": "quackllm.workers.engines.dashscope:DashscopeEngine",
    "transformers": "quackllm.workers.engines.transformers.engine:TransformersEngine",
    "vllm": "quackllm.workers.engines.vllm.engine:VllmEngine",
    "llama_cpp": "quackllm.workers.engines.llama_cpp.engine:LlamaCppEngine",
    "builtin": "quackllm.workers.engines.builtin:BuiltinEngine",
    "encoder": "quackllm.workers.engines.encoder:EncoderEngine",
}


def find_engine(name: str) -> type[Engine]:
    """Return the engine class of that name, importing its module now.

    Raises:
        SetupError: no engine has that name.
    """
    point = EntryPoint(name, ENGINES[name], ENTRY_POINT_GROUP) if name in ENGINES else _installed_engine(name)
    engine: type[Engine] = point.load()
    return engine


def _installed_engine(name: str) -> EntryPoint:
    # Scanning the installed packages takes milliseconds, so built-in engines are found without it.
    installed = entry_points(group=ENTRY_POINT_GROUP)
    if name not in installed.names:
        raise SetupError(f"no engine is called {name!r}", hint=did_you_mean(name, engine_names()))
    return installed[name]


def engine_names() -> set[str]:
    """Return the names of all engines, those of other packages too."""
    return {*ENGINES, *entry_points(group=ENTRY_POINT_GROUP).names}
