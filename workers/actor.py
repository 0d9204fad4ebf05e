"""What runs inside Ray: the replica that hosts a worker, and the directory of all replicas."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import ray

from .errors import QuackLLMError
from .spec import ModelSpec
from .values import Request
from .worker import Finished, Worker

NAMESPACE = "quackllm"
DIRECTORY = "directory"
GATHER_SECONDS = 0.004
"""Answers that complete within this time travel together: a message for each would cost more than it carries."""


class RetiredError(QuackLLMError):
    """The replica belongs to an earlier generation and takes nothing new."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One generation of a model: a change of its spec makes a new one."""

    spec: ModelSpec
    generation: str

    @property
    def replicas(self) -> list[str]:
        """The names of its actors."""
        return [f"{self.spec.name}:{self.generation}:{number}" for number in range(self.spec.num_workers)]


class Replica:
    """The actor: one worker of one generation of a model. Ray restarts it when it dies."""

    def __init__(self, deployment: Deployment, name: str) -> None:
        self.deployment = deployment
        self.name = name
        self.worker = Worker(deployment.spec)
        self.published = False
        self._retired = False
        self._streams = 0
        directory = ray.get_actor(DIRECTORY, NAMESPACE)
        directory.note_start.remote(name)

    async def start(self) -> None:
        """Start the engine; a replica that Ray restarted starts it at its first request.

        Raises:
            SetupError: the engine cannot start, in its own words.
        """
        await self.worker.start()

    async def publish(self) -> Deployment:
        """Note that the directory has taken this replica in, for a directory that was restarted."""
        self.published = True
        return self.deployment

    async def answer(self, requests: Sequence[Request]) -> AsyncIterator[Finished]:
        """Yield answers with their places in the batch, as they complete.

        Raises:
            RetiredError: ask the newer generation.
            SetupError: no request can succeed.
        """
        if self._retired:
            raise RetiredError(f"{self.name} is retired")
        await self.start()
        self._streams += 1
        try:
            async for finished in self.worker.answer(requests):
                yield finished
                await asyncio.sleep(GATHER_SECONDS)
        finally:
            self._streams -= 1

    async def retire(self) -> None:
        """Take nothing new, and return when all that was taken has been answered."""
        self._retired = True
        while self._streams:
            await asyncio.sleep(0.05)
        await self.worker.close()

    async def status(self) -> dict[str, Any]:
        """Return the process, the node and the counts."""
        return {"pid": os.getpid(), "node": ray.get_runtime_context().get_node_id()[:8], **asdict(self.worker.counts)}

    async def deployed(self) -> Deployment | None:
        """Return what this replica belongs to, once it is published."""
        return self.deployment if self.published and not self._retired else None


class Directory:
    """The actor that knows which generation of each model answers, and how often each replica was started."""

    def __init__(self) -> None:
        self._deployments: dict[str, Deployment] = {}
        self._starts: dict[str, int] = {}
        self._recovered: asyncio.Task[None] | None = None

    async def _recover(self) -> None:
        """After a restart of the directory itself, ask the replicas what they belong to."""
        for entry in ray.util.list_named_actors(all_namespaces=True):
            if entry["namespace"] == NAMESPACE and entry["name"].count(":") == 2:
                deployment = await ray.get_actor(entry["name"], NAMESPACE).deployed.remote()
                if deployment:
                    self._deployments.setdefault(deployment.spec.name, deployment)
                    self._starts.setdefault(entry["name"], 1)

    async def deployments(self) -> dict[str, Deployment]:
        """Return the generation of each model that answers now."""
        if self._recovered is None:
            self._recovered = asyncio.create_task(self._recover())
        await self._recovered
        return dict(self._deployments)

    async def publish(self, deployment: Deployment) -> None:
        """Let this generation answer from now on."""
        await self.deployments()
        self._deployments[deployment.spec.name] = deployment

    async def remove(self, name: str) -> None:
        """Forget the model."""
        self._deployments.pop(name, None)

    async def note_start(self, replica: str) -> None:
        """Count a start of that replica; called by the replica itself."""
        self._starts[replica] = self._starts.get(replica, 0) + 1

    async def starts(self) -> dict[str, int]:
        """Return how often each replica was started."""
        return dict(self._starts)
