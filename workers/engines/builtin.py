"""The engine of `builtin/text2sql`: a small text-to-SQL model in numpy, with no key, no download and no torch."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field
from threadpoolctl import ThreadpoolController

from ..builtin.network.numpy_network import Network, load_network
from ..builtin.network.weights_file import release_name
from ..builtin.semantic_parser import DeclinedError, NoSchemaError, Parsed, parse
from ..errors import ProviderError, SetupError
from ..messages import Message, Request, Response, Usage

# One BLAS thread: the matrices are small, and on busy cores several threads wait for each other (15 times slower).
_LIBRARIES = ThreadpoolController()
_ALONE = threading.Lock()  # The thread limit holds for the whole process: one thread at a time sets it and restores it.


class BuiltinSettings(BaseModel):
    """Settings of `type: builtin/text2sql`."""

    model_config = ConfigDict(extra="forbid")

    release: str = Field(
        default_factory=release_name, description="which weights and code: the beginning of their SHA-256"
    )
    min_confidence: float = Field(
        default=0.0, ge=0, le=1, description="the model declines a question if it is less sure than this"
    )


class BuiltinEngine:
    """Answers a question about a database with one SELECT. It is no language model and can do nothing else."""

    Settings: ClassVar[type[BaseModel]] = BuiltinSettings
    concurrency: ClassVar[int] = 1

    def __init__(self, settings: BuiltinSettings) -> None:
        self.settings = settings
        self.network: Network | None = None

    async def start(self) -> None:
        """Load the weights.

        Raises:
            SetupError: the settings name another release than this.
        """
        if self.settings.release != release_name():
            hint = "leave `release` out to use the one that is installed"
            raise SetupError(f"the built-in model here is release {release_name()}", hint=hint)
        self.network = await asyncio.to_thread(load_network)

    async def answer(self, request: Request) -> Response:
        """Return the SQL.

        Raises:
            ProviderError: `declined` where no query on the schema answers; `no_schema` where there is none.
        """
        turns, question = split_turns(request.messages)
        parsed = await asyncio.to_thread(self._parse, request.system or "", turns, question)
        return Response(parsed.sql, reasoning=remarks(parsed), usage=Usage(parsed.read, parsed.written))

    def _parse(self, schema: str, turns: Sequence[tuple[str, str]], question: str) -> Parsed:
        assert self.network is not None, "start() comes first"
        try:
            with _ALONE, _LIBRARIES.limit(limits=1, user_api="blas"):
                return parse(self.network, schema, turns, question, self.settings.min_confidence)
        except NoSchemaError:
            message = "the built-in model answers questions about a database only; chat needs a real model"
            hint = "deploy one: deploy('chat', 'saas/…', infer_params={…})"
            raise ProviderError(message, code="no_schema", hint=hint) from None
        except DeclinedError as error:
            raise ProviderError(str(error), code="declined") from None

    async def close(self) -> None:
        """Let go of the weights."""
        self.network = None


def remarks(parsed: Parsed) -> str:
    """Return what the model says about its answer, a line each: see "What a model says" in docs/text2sql.md."""
    lines = [f"confidence: {parsed.confidence:.2f}"]
    lines += [f"alternative: {sql}" for sql in parsed.alternatives]
    lines += [f"warning: {warning}" for warning in parsed.warnings]
    return "\n".join(f"-- {line}" for line in lines)


def split_turns(messages: Sequence[Message]) -> tuple[list[tuple[str, str]], str]:
    """Return the earlier turns, each a question and its SQL ('' where there was none), and the current question."""
    turns: list[tuple[str, str]] = []
    for message in messages:
        if message.role == "user":
            turns.append((message.content, ""))
        elif message.role == "assistant" and turns:
            turns[-1] = (turns[-1][0], message.content)
    return turns[:-1], turns[-1][0] if turns else ""
