"""A caching client that sends what a statement needs through the services' batch APIs, at half the price."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from msgspec import structs

from ...workers.deployments.spec import ModelSpec
from ...workers.engines.batch_api import (
    HALF_PRICE,
    MAX_BYTES,
    MAX_REQUESTS,
    BatchApi,
    BatchStatus,
    unanswered_response,
)
from ...workers.errors import BatchPendingError, ProviderError, RequestError, SetupError
from ...workers.home import home_folder
from ...workers.messages import Request, Response, Usage
from ...workers.serving.fleet import Fleet
from ...workers.serving.retry import estimate_tokens
from ..settings import StoreMode
from .async_store import AsyncCallStore
from .batch_jobs import BatchJobs, SubmittedBatch, split_requests
from .caching_client import CachingClient, check_price
from .call_record import CallRecord, context_json
from .call_store import CallStore
from .leases import owner
from .prices import Price, find_price
from .request_key import Key, request_key
from .scope import CallScope

SERVICES = ("openai", "zhipu", "chatglm", "qianwen", "qwen", "qianwen_compatible")
ANSWER_TOKENS = 100  # Estimated tokens of an answer whose request gives no limit.
FIRST_POLL_SECONDS, MAX_POLL_SECONDS = 1.0, 60.0
ATTEMPTS = 5
Report = Callable[[str], None]
Result = TypeVar("Result")


class BatchClient(CachingClient):
    """Sends the calls that a plan has found as batches, and fetches their answers into the call store.

    Models that run here answer at once, as ever.

    Args:
        fleet: the models.
        store: where the answers land.
        report: shows what is sent, what it costs, and how far it is.
        wait: until the batches have ended; otherwise a statement that needs their answers is stopped.
    """

    def __init__(self, fleet: Fleet, store: AsyncCallStore, report: Report, *, wait: bool) -> None:
        super().__init__(fleet, store)
        self._jobs = BatchJobs(home_folder() / "batches")
        self._report = report
        self._waits = wait
        self._shown = ""
        self._under_way: set[Key] = set()  # What a statement that does not wait is stopped by.

    async def fetch_ended(self) -> None:
        """Fetch the answers of all batches that have ended, whatever statement needs them.

        Raises:
            SetupError, ProviderError: a service cannot be reached.
        """
        specs = {spec.identity: spec for spec in self.fleet.deployed().values()}
        for identity in {job.identity for job in self._jobs.all()} & specs.keys():
            async with _opened(specs[identity]) as api:
                async with self._jobs.locked():
                    jobs = [await self._begin(api, job) for job in self._jobs.all() if job.identity == identity]
                for job in jobs:
                    await self._look(api, specs[identity], job, CallScope())

    async def prefetch(
        self, spec: ModelSpec, requests: Iterable[Request], scope: CallScope, mode: StoreMode = "on"
    ) -> None:
        """Send the requests as a batch, unless they are cached or in one already, and wait for the answers.

        Raises:
            SetupError: the service has no batch API that we know, or refuses the batch.
            RequestError: the call store is off, or a request is for a vector.
            BudgetError: the batch would cost more than the statement may spend.
        """
        if not _is_service(spec):
            await super().prefetch(spec, requests, scope, mode)
            return
        wanted = {request_key(spec.identity, request): request for request in requests}
        # Again where another process fetched the batch: it knows what failed, and we do not.
        while missing := await self._missing(spec, wanted, scope, mode):
            async with _opened(spec) as api:
                await self._send_batches(api, spec, missing, scope)
                await self._fetch(api, spec, set(missing), scope)
            if not self._waits:
                self._under_way |= (await self._missing(spec, wanted, scope, mode)).keys()
                return

    async def cached(
        self, spec: ModelSpec, requests: Sequence[Request], scope: CallScope, mode: StoreMode = "on"
    ) -> list[Response | None]:
        """Return what is cached, as `CachingClient` does.

        Raises:
            BatchPendingError: a request is in a batch, and this client does not wait.
        """
        responses = await super().cached(spec, requests, scope, mode)
        missing = (request for request, response in zip(requests, responses, strict=True) if response is None)
        self._check_pending(spec, (request_key(spec.identity, request) for request in missing))
        return responses

    async def complete(
        self, spec: ModelSpec, requests: Sequence[Request], scope: CallScope, mode: StoreMode = "on"
    ) -> list[Response]:
        """Return one response for each request, of those that are cached or whose batch has failed.

        Raises:
            BatchPendingError: a request is in a batch, and this client does not wait.
            RequestError: one is neither: the statement could not be planned.
        """
        wanted = {request_key(spec.identity, request): request for request in requests}
        if _is_service(spec) and (missing := await self._missing(spec, wanted, scope, mode)):
            self._check_pending(spec, missing)
            raise RequestError(
                f"a call of {spec.name} cannot go into a batch: nobody knew of it before the statement ran",
                hint="run it without --batch; a question to text2sql, and a statement that is not planned, cannot wait",
            )
        return await super().complete(spec, requests, scope, mode)

    def _check_pending(self, spec: ModelSpec, missing: Iterable[Key]) -> None:
        if self._under_way and not self._under_way.isdisjoint(missing):
            raise BatchPendingError(f"{spec.name} has not answered yet", hint="type the command again later")

    async def _missing(
        self, spec: ModelSpec, wanted: dict[Key, Request], scope: CallScope, mode: StoreMode
    ) -> dict[Key, Request]:
        if mode != "on":
            raise RequestError("a batch needs the call store", hint="SET VARIABLE llm_store = 'on'")
        cached = await self._cached(wanted, scope, mode)
        missing = {key: request for key, request in wanted.items() if key not in cached}
        if any(request.kind == "embed" for request in missing.values()):
            raise RequestError(f"vectors of {spec.name} cannot go into a batch", hint="run it without --batch")
        return missing

    async def _send_batches(
        self, api: BatchApi, spec: ModelSpec, missing: dict[Key, Request], scope: CallScope
    ) -> None:
        """Write down jobs for the requests that are in none, and begin all jobs that have not begun."""
        async with self._jobs.locked():
            jobs = [job for job in self._jobs.all() if job.identity == spec.identity]
            sent = {key for job in jobs for key in job.keys}
            if new := {key: request for key, request in missing.items() if key not in sent}:
                self._check_budget(spec, list(new.values()), scope)
                lines = {key: (request, api.line(key.hex(), request)) for key, request in new.items()}
                parts = split_requests(lines, MAX_REQUESTS, MAX_BYTES)
                jobs += [self._jobs.add(spec.name, spec.identity, part) for part in parts]
                scope.usage.sent += len(new)
            for job in jobs:
                await self._begin(api, job)

    async def _begin(self, api: BatchApi, job: SubmittedBatch) -> SubmittedBatch:
        """Upload a job's file and begin its batch; what an earlier process has done of it is not done again.

        Raises:
            SetupError: the service refused; the job is forgotten, because nothing of it was paid for.
        """
        try:
            if job.input_file is None:
                input_file = await _retried(lambda: api.upload(each.line for each in job.requests))
                job = structs.replace(job, input_file=input_file)
                self._jobs.save(job)
            if job.batch is None:
                file = str(job.input_file)
                job = structs.replace(job, batch=(await _retried(lambda: _find_or_create(api, file))).id)
                self._jobs.save(job)
                self._report(f"{job.model}: batch {job.batch} with {len(job.requests):,} requests is on its way")
        except ProviderError as error:
            if not error.retryable:
                self._jobs.remove(job)
            raise SetupError(f"{job.model} has begun no batch: {error.message}", hint=error.hint) from error
        return job

    async def _fetch(self, api: BatchApi, spec: ModelSpec, missing: set[Key], scope: CallScope) -> None:
        """Put the answers of the batches that have these requests into the call store, when they have ended."""
        pause = FIRST_POLL_SECONDS
        while jobs := [job for job in self._jobs.all() if job.identity == spec.identity and job.keys & missing]:
            ended = [await self._look(api, spec, job, scope) for job in jobs]
            if not self._waits:
                return
            if not all(ended):
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, MAX_POLL_SECONDS)

    async def _look(self, api: BatchApi, spec: ModelSpec, job: SubmittedBatch, scope: CallScope) -> bool:
        """Collect a batch if it has ended; return whether it has."""
        batch = job.batch
        if batch is None:  # Another process writes it down in a moment.
            return False
        try:
            status = await _retried(lambda: api.status(batch))
        except ProviderError as error:
            hint = f"rm '{self._jobs.path(job)}'   gives its answers up, and asks again" if error.status == 404 else ""
            raise SetupError(f"{spec.name} says nothing of the batch {batch}: {error.message}", hint=hint) from error
        if status.has_ended:
            await self._collect(api, spec, job, status, scope)
        else:
            done, total = status.counts[1], status.counts[0] or len(job.requests)
            self._report_once(f"{spec.name}: batch {batch} is {status.status}: {done:,} of {total:,}")
        return status.has_ended

    def _report_once(self, line: str) -> None:
        """Show a line, unless it is as it was: a batch may take a day."""
        if line != self._shown:
            self._shown = line
            self._report(line)

    async def _collect(
        self, api: BatchApi, spec: ModelSpec, job: SubmittedBatch, status: BatchStatus, scope: CallScope
    ) -> None:
        """Store the answers of a batch that has ended, remember what failed, and forget the job."""
        requests = {each.key: Request(each.messages, function=each.function) for each in job.requests}
        responses: dict[str, Response] = {}
        for file in status.result_files:
            async for custom_id, line in api.results(file):
                if custom_id in requests:
                    responses.setdefault(custom_id, api.read_response(line, requests[custom_id]))
        unanswered = unanswered_response(status)
        responses = {custom_id: responses.get(custom_id, unanswered) for custom_id in requests}
        async with self._jobs.locked():
            await self._record(spec, requests, responses, scope)
            self._jobs.remove(job)
        done = sum(response.is_complete for response in responses.values())
        self._report(f"{spec.name}: batch {status.id} is {status.status}: {done:,} of {len(requests):,} answers")
        if status.status == "failed" and not done:
            raise SetupError(f"{spec.name} has refused the batch {status.id}: {status.message or 'it says no reason'}")

    async def _record(
        self, spec: ModelSpec, requests: dict[str, Request], responses: dict[str, Response], scope: CallScope
    ) -> None:
        keys = {custom_id: bytes.fromhex(custom_id) for custom_id in responses}
        stored = await self.store.call(CallStore.get_many, [*keys.values()])
        price = half_price(spec)
        records = []
        for custom_id, response in responses.items():
            key = keys[custom_id]
            if key in stored:  # A process that was killed while it stored them has been here before.
                continue
            scope.usage.add(response, price)
            records.append(_as_recorded(key, spec, requests[custom_id], response, scope))
            if not response.is_complete:
                scope.uncached_responses[key] = response
        if records:
            await self.store.call(CallStore.record, records, owner())

    def _check_budget(self, spec: ModelSpec, requests: Sequence[Request], scope: CallScope) -> None:
        """Show what a batch will cost, before it is sent.

        Raises:
            BudgetError: it is more than the statement may spend.
        """
        read = sum(map(estimate_tokens, requests))
        written = sum(request.options.max_tokens or ANSWER_TOKENS for request in requests)
        price = half_price(spec)
        money = f", about {price.cost(Usage(read, written)):,.4g} at half price" if price else ""
        self._report(f"{spec.name}: {len(requests):,} requests, about {read:,} + {written:,} tokens{money}")
        check_price(spec, scope)
        if error := scope.usage.budget_error_ahead(scope.options, len(requests), Usage(read, written), price):
            raise error


def _as_recorded(key: Key, spec: ModelSpec, request: Request, response: Response, scope: CallScope) -> CallRecord:
    prompt, context = request.messages[-1].content, context_json(request.messages)
    names = key, spec.name, spec.type, prompt, response, context, request.function, scope.statement
    return CallRecord(*names, price_part=HALF_PRICE)


def half_price(spec: ModelSpec) -> Price | None:
    """Return what a model's tokens cost in a batch; None if it has no price."""
    price = find_price(spec)
    return price and Price(input=price.input * HALF_PRICE, output=price.output * HALF_PRICE)


def _is_service(spec: ModelSpec) -> bool:
    """Whether a model is at a service, and so in a batch.

    Raises:
        SetupError: the service has no batch API that we know.
    """
    family, _, name = spec.type.partition("/")
    if family == "saas" and name not in SERVICES:
        hint = f"those that we know: {', '.join(SERVICES)}; run it without --batch"
        raise SetupError(f"{spec.name} is at saas/{name}, of which no batch API is known", hint=hint)
    return family == "saas"


@asynccontextmanager
async def _opened(spec: ModelSpec) -> AsyncIterator[BatchApi]:
    api = BatchApi(spec.plan().settings)  # type: ignore[arg-type]
    await api.start()
    try:
        yield api
    finally:
        await api.close()


async def _find_or_create(api: BatchApi, input_file: str) -> BatchStatus:
    """Begin the batch of a file, unless the service has begun it and nobody heard."""
    return await api.find(input_file) or await api.create(input_file)


async def _retried(call: Callable[[], Awaitable[Result]]) -> Result:
    """Return what a call returns; if it fails in a way that may pass, it is tried again."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return await call()
        except ProviderError as error:
            if not error.retryable:
                raise
            await asyncio.sleep(error.retry_after_seconds or 2.0**attempt)
    return await call()
