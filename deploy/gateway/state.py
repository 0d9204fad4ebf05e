"""The state of one gateway process: its models, the client that calls them, and the ledger of API keys."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from time import monotonic

from fastapi import Request as HttpRequest

from ...udf.calls.async_store import open_store
from ...udf.calls.caching_client import CachingClient
from ...udf.calls.scope import CallScope
from ...udf.settings import StoreMode
from ...workers import connect_fleet, event_loop
from ...workers.deployments.spec import ModelSpec
from ...workers.messages import Request, Response
from ...workers.serving.fleet import BUILTIN_MODELS, Fleet, unknown_model
from .auth.async_ledger import open_shared_ledger
from .databases.registry import Databases
from .error_replies import GatewayError
from .request_metrics import Metrics
from .settings import GatewaySettings

MODELS_SECONDS = 0.5  # How long the list of deployed models is cached.


class Gateway:
    """State that all routes share. One for each process; its methods may be awaited in any event loop."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.fleet: Fleet = connect_fleet(settings.cluster)
        self.client = CachingClient(self.fleet, open_store(self.fleet))
        self.ledger = open_shared_ledger(settings.keys_path, settings.cluster)
        self.metrics = Metrics()
        self.databases = Databases(settings.databases_path, settings.statement_limits, settings.database_urls)
        # Requests in flight in this process, by the name of their key.
        self.in_flight: Counter[str | None] = Counter()
        self._models: Mapping[str, ModelSpec] = {}
        self._looked_up = -MODELS_SECONDS

    def close(self) -> None:
        """Close the ledger and the databases."""
        self.ledger.close()
        self.databases.close()

    async def models(self, fresh: bool = False) -> Mapping[str, ModelSpec]:
        """Return every model that can be called, by name: the deployed ones and the built-in ones."""
        if fresh or monotonic() - self._looked_up > MODELS_SECONDS:
            deployed = await asyncio.to_thread(self.fleet.deployed)  # On a cluster this waits for an actor.
            self._models, self._looked_up = {**BUILTIN_MODELS, **deployed}, monotonic()
        return self._models

    async def model(self, name: str) -> ModelSpec:
        """Return the model of that name; ignores case and punctuation: `CodeLlama-7b-hf` finds codellama_7b_hf.

        Raises:
            UnknownModelError: it is not deployed; the hint lists similar names.
        """
        for fresh in (False, True):
            models = await self.models(fresh)
            if found := models.get(name) or models.get(normalize_model_name(name)):
                return found
        raise unknown_model(name, models)

    def acquire_slot(self, key: str | None, limit: int | None) -> None:
        """Count a request as in flight.

        Raises:
            GatewayError: too many requests are in flight, of all clients or of this key.
        """
        if self.in_flight.total() >= self.settings.most_at_once:
            raise GatewayError(503, "too many requests are in flight", code="overloaded", retry_after_seconds=1)
        if limit is not None and self.in_flight[key] >= limit:
            message = f"the key {key} may have {limit} requests in flight"
            raise GatewayError(429, message, code="too_many_at_once", retry_after_seconds=1)
        self.in_flight[key] += 1

    def release_slot(self, key: str | None) -> None:
        """Count a request as finished."""
        self.in_flight[key] -= 1

    async def complete(
        self, spec: ModelSpec, requests: Sequence[Request], scope: CallScope, mode: StoreMode
    ) -> list[Response]:
        """Return one response for each request, in order: `CachingClient.complete`, callable from any event loop."""
        return await event_loop.run_inside_loop(self.client.complete(spec, requests, scope, mode))

    async def cached(
        self, spec: ModelSpec, requests: Sequence[Request], scope: CallScope, mode: StoreMode
    ) -> list[Response | None]:
        """Return the cached responses, without any call; None for each request that needs one."""
        return await event_loop.run_inside_loop(self.client.cached(spec, requests, scope, mode))

    def stream(
        self, spec: ModelSpec, request: Request, scope: CallScope, mode: StoreMode
    ) -> AsyncGenerator[str | Response, None]:
        """Yield the chunks of the answer, then the complete Response; closing it stops the engine."""
        return event_loop.iterate_inside_loop(self.client.stream(spec, request, scope, mode))


def normalize_model_name(name: str) -> str:
    """Return the name under which a model of that name at Hugging Face would be deployed."""
    return "".join(letter if letter.isalnum() else "_" for letter in name.lower())


def find_gateway(request: HttpRequest) -> Gateway:
    """Return the gateway of a request: a dependency of the routes."""
    gateway: Gateway = request.app.state.gateway
    return gateway
