"""What runs inside Ray: the replica that hosts a worker, and the directory of all replicas."""

from __future__ import annotations

import asyncio
import io
import os
import pickle
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_put

from ..deployments.spec import ModelSpec
from ..errors import QuackLLMError
from ..log_events import log_event
from ..messages import Request
from ..serving.worker import ChunkBatch, Worker
from .metrics_exporter import start_replica_observability

NAMESPACE = "quackllm"
DIRECTORY = "directory"
KV_KEY, KV_NAMESPACE = b"deployments", b"quackllm"
# Where the classes of a directory that commit d85c759 wrote are now.
MOVED_MODULES = {
    "quackllm.workers.actor": "quackllm.workers.cluster.actors",
    "quackllm.workers.spec": "quackllm.workers.deployments.spec",
}
# Answers that complete within this time are sent in one message: a message for each costs more than its content.
GATHER_SECONDS = 0.004


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


class ReplicaActor:
    """The actor: one worker of one generation of a model. Ray restarts it when it dies."""

    def __init__(self, deployment: Deployment, name: str) -> None:
        start_replica_observability()
        log_event("started", replica=name, pid=os.getpid())
        self.name = name
        self.worker = Worker(deployment.spec)
        self._retired = False
        self._streams = 0
        self._start_recorded = ray.get_actor(DIRECTORY, NAMESPACE).record_start.remote(name)

    async def start(self) -> None:
        """Start the engine; a replica that Ray restarted starts it at its first request.

        Raises:
            SetupError: the engine cannot start; the message is the engine's.
        """
        if self._start_recorded is not None:
            recorded, self._start_recorded = self._start_recorded, None
            if workers := await recorded:  # After a restart there may be more or fewer than there were.
                await self.set_worker_count(workers)
        await self.worker.start()

    async def up(self) -> bool:
        """Answer a ping: this replica takes requests."""
        return not self._retired

    async def set_worker_count(self, workers: int) -> None:
        """Set this replica's share of the rate limits, now that there are so many replicas."""
        self.worker.retry.set_worker_count(workers)

    async def answer(self, requests: Sequence[Request]) -> AsyncIterator[ChunkBatch]:
        """Yield answers with their index in the batch, as they complete.

        Raises:
            RetiredError: this generation was replaced; call the newer one.
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
        log_event("retired", replica=self.name)

    async def status(self) -> dict[str, Any]:
        """Return the process, the node and the counts."""
        return {"pid": os.getpid(), "node": ray.get_runtime_context().get_node_id()[:8], **self.worker.status()}


class _Unpickler(pickle.Unpickler):
    """Reads what an earlier release wrote, whose classes lay in other modules."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the class, wherever it lies now."""
        return super().find_class(MOVED_MODULES.get(module, module), name)


def _read_deployments(pickled: bytes) -> dict[str, Deployment]:
    found: dict[str, Deployment] = _Unpickler(io.BytesIO(pickled)).load()
    return found


class ModelDirectory:
    """The actor that records which generation of each model answers, and how often each replica was started.

    It saves its state in Ray's key-value store, where a restarted directory finds it.
    """

    def __init__(self) -> None:
        saved = _internal_kv_get(KV_KEY, namespace=KV_NAMESPACE)
        self._deployments: dict[str, Deployment] = _read_deployments(saved) if saved else {}
        self._starts: dict[str, int] = {name: 1 for found in self._deployments.values() for name in found.replicas}

    async def deployments(self) -> dict[str, Deployment]:
        """Return the generation of each model that answers now."""
        return dict(self._deployments)

    async def publish(self, deployment: Deployment) -> None:
        """Let this generation, with so many replicas, answer from now on."""
        self._save({**self._deployments, deployment.spec.name: deployment})

    async def remove(self, name: str) -> None:
        """Forget the model."""
        self._save({saved: deployment for saved, deployment in self._deployments.items() if saved != name})

    def _save(self, deployments: dict[str, Deployment]) -> None:
        _internal_kv_put(KV_KEY, pickle.dumps(deployments), overwrite=True, namespace=KV_NAMESPACE)
        self._deployments = deployments

    async def record_start(self, replica: str) -> int | None:
        """Count a start of that replica; called by the replica itself.

        Returns:
            how many replicas its model has now; None: it is being deployed.
        """
        self._starts[replica] = self._starts.get(replica, 0) + 1
        name = replica.partition(":")[0]
        found = self._deployments.get(name)
        return found.spec.num_workers if found and replica in found.replicas else None

    async def starts(self) -> dict[str, int]:
        """Return how often each replica was started."""
        return dict(self._starts)
