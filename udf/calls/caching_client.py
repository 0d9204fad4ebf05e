"""The caching client: look in the call store first, then join an identical call in flight, then send to a worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Coroutine, Iterable, Sequence
from itertools import islice

from msgspec.structs import replace

from ...workers.deployments.spec import ModelSpec
from ...workers.errors import BudgetError, SetupError, StoreError
from ...workers.home import home_folder
from ...workers.messages import Message, Request, Response
from ...workers.metrics import CACHE_HITS, MONEY, series
from ...workers.serving.fleet import Fleet
from ...workers.serving.router import RequestState
from ...workers.serving.worker import worker_concurrency
from ..settings import StoreMode
from .async_store import AsyncCallStore
from .call_record import CallRecord, context_json
from .call_store import CallStore
from .in_flight import InFlightCall
from .leases import Leases, owner
from .prices import Price, find_price
from .request_key import Key, request_key
from .scope import CallScope
from .write_ahead_log import WriteAheadLog

LOG = logging.getLogger("quackllm")
LEASE_POLL_SECONDS = 0.05  # First interval for looking up the answer to a request that another process sends.
BATCH_SIZE = 256  # Requests of `prefetch` that are looked up, leased and sent together.
MAX_QUEUED = 8192  # Requests of `prefetch` that may wait at the same time, so that a slow one blocks no other.


class CachingClient:
    """Calls models on behalf of scopes (statements, HTTP requests). Runs in the event loop; call every method there."""

    def __init__(self, fleet: Fleet, store: AsyncCallStore) -> None:
        self.fleet = fleet
        self.store = store
        self.leases = Leases(store, self._start)
        self._log = WriteAheadLog(None if fleet.address else home_folder() / "calls.sqlite", owner())
        self._in_flight: dict[Key, InFlightCall] = {}
        self._answered: list[InFlightCall] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking_up = asyncio.Lock()
        self._settling = False
        self._store_failing = False

    async def complete(
        self, spec: ModelSpec, requests: Sequence[Request], scope: CallScope, mode: StoreMode = "on"
    ) -> list[Response]:
        """Return one response for each request, in order; identical requests are sent once.

        Args:
            spec: the model.
            requests: the requests; they may repeat.
            scope: on whose behalf; its failed responses are reused and added to.
            mode: 'on': the store is read and written; 'off': neither; 'refresh': written, not read.

        Raises:
            SetupError: no request can succeed.
            StoreError: the call store cannot be opened.
            BudgetError: the scope has reached a limit; the answers it paid for are in the store.
        """
        keys = _keys(spec, requests)
        wanted = dict(zip(keys, requests, strict=True))
        async with self._looking_up:  # One at a time, so that the first requests are sent while the next are looked up.
            answers = await self._cached(wanted, scope, mode)
        hits = len(answers.keys() - scope.uncached_responses.keys())
        scope.usage.cached += hits
        series(CACHE_HITS, spec.name).inc(hits)
        if unknown := {key: request for key, request in wanted.items() if key not in answers}:
            fresh = await self._send_missing(spec, unknown, scope, mode)
            answers |= fresh
            scope.uncached_responses |= {k: r for k, r in fresh.items() if not (r.is_complete and mode == "on")}
        return [_with_history(answers[key], request, spec) for key, request in zip(keys, requests, strict=True)]

    async def cached(
        self, spec: ModelSpec, requests: Sequence[Request], scope: CallScope, mode: StoreMode = "on"
    ) -> list[Response | None]:
        """Return what `complete` can return without a call; None for each request that needs one."""
        keys = _keys(spec, requests)
        answers = await self._cached(keys, scope, mode)
        pairs = zip(keys, requests, strict=True)
        return [_with_history(answers[key], request, spec) if key in answers else None for key, request in pairs]

    async def prefetch(
        self, spec: ModelSpec, requests: Iterable[Request], scope: CallScope, mode: StoreMode = "on"
    ) -> None:
        """Send any number of distinct requests, so that their answers are cached.

        At any time only a limited number of the scope's requests for one model are held, in order of arrival.

        Raises:
            SetupError, StoreError: as `complete` does; answers that arrived before stay cached.
        """
        most = max(MAX_QUEUED, 4 * spec.num_workers * worker_concurrency(spec))
        room = scope.queue_slots.setdefault(spec.name, asyncio.Semaphore(most // BATCH_SIZE))
        waiting: set[asyncio.Task[None]] = set()
        rest = iter(requests)
        try:
            while part := list(islice(rest, BATCH_SIZE)):
                await room.acquire()
                task = asyncio.create_task(self._complete_and_cache(spec, part, scope, mode))
                task.add_done_callback(lambda _: room.release())
                for ended in {task for task in waiting if task.done()}:
                    ended.result()
                waiting = {task for task in waiting if not task.done()} | {task}
            await asyncio.gather(*waiting)
        finally:
            for task in waiting:
                task.cancel()

    async def _complete_and_cache(
        self, spec: ModelSpec, requests: Sequence[Request], scope: CallScope, mode: StoreMode
    ) -> None:
        """Call the model and put the answers into the scope's memory, so that it need not look them up in the store."""
        for request, response in zip(requests, await self.complete(spec, requests, scope, mode), strict=True):
            scope.answers.put((spec.name, mode, request), response)

    async def stream(
        self, spec: ModelSpec, request: Request, scope: CallScope, mode: StoreMode = "on"
    ) -> AsyncGenerator[str | Response]:
        """Yield the answer's chunks as they arrive, then the Response.

        An answer that is cached, or cannot be streamed, is one chunk. If an answer breaks off, `output` holds the part
        that arrived. Closing the iterator stops the engine, unless somebody else waits for the same answer.

        Raises:
            SetupError, StoreError, BudgetError: as `complete` does.
        """
        (key,) = _keys(spec, [request])
        cached = (await self._cached([key], scope, mode)).get(key)
        scope.usage.cached += cached is not None
        series(CACHE_HITS, spec.name).inc(cached is not None)
        received = ""
        if cached is None:
            with contextlib.ExitStack() as leaving:
                (call,) = self._attach_all(spec, {key: replace(request, streamed=True)}, scope, mode)
                leaving.callback(self._detach, call, scope)
                async for piece in call.stream():
                    received += piece
                    yield piece
                cached = await asyncio.shield(call.result)
        if cached.output and not received:
            yield cached.output
        yield _with_history(replace(cached, output=cached.output or received or None), request, spec)

    async def _cached(self, keys: Iterable[Key], scope: CallScope, mode: StoreMode) -> dict[Key, Response]:
        answers = {key: scope.uncached_responses[key] for key in keys if key in scope.uncached_responses}
        if mode == "on" and (missing := [key for key in dict.fromkeys(keys) if key not in answers]):
            answers |= await self.store.call(CallStore.get_many, missing)
        return answers

    async def _send_missing(
        self, spec: ModelSpec, unknown: dict[Key, Request], scope: CallScope, mode: StoreMode
    ) -> dict[Key, Response]:
        if error := scope.setup_errors.get(spec.name):
            raise error
        calls = self._attach_all(spec, unknown, scope, mode)
        try:
            responses = await _results([call.result for call in calls])
        except SetupError as error:
            scope.setup_errors[spec.name] = error
            raise
        except BudgetError as error:
            await self._drain(scope)
            raise scope.usage.budget_error(scope.options) or error from None
        finally:
            for call in calls:
                self._detach(call, scope)
        return dict(zip(unknown, responses, strict=True))

    def _attach_all(
        self, spec: ModelSpec, unknown: dict[Key, Request], scope: CallScope, mode: StoreMode
    ) -> list[InFlightCall]:
        """Let the scope wait for the calls in flight, and start the missing ones."""
        new: list[InFlightCall] = []
        price = check_price(spec, scope)
        calls = [self._attach(spec, key, request, price, mode, new) for key, request in unknown.items()]
        for call in new:
            call.stoppable |= scope.stops_calls
        for call in calls:
            call.waiting.append(scope)
        if new:
            self._start(self._dispatch(new, leased=mode == "on"), new)
        return calls

    async def _drain(self, scope: CallScope) -> None:
        """Wait for all calls in flight of the scope: the process may end after it, and the calls are paid for."""
        if in_flight := [call.result for call in self._in_flight.values() if call.payer is scope]:
            await asyncio.wait(in_flight)

    def _attach(
        self, spec: ModelSpec, key: Key, request: Request, price: Price | None, mode: StoreMode, new: list[InFlightCall]
    ) -> InFlightCall:
        call = self._in_flight.get(key)
        if call is None:
            answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
            call = self._in_flight[key] = InFlightCall(
                request=request,
                owner=self,
                key=key,
                spec=spec,
                cacheable=mode != "off",
                price=price,
                result=answered,
            )
            new.append(call)
        return call

    def _detach(self, call: InFlightCall, scope: CallScope) -> None:
        """Stop waiting for a call. If nobody else waits, cancel it if it is queued; otherwise store its answer later.

        A call that is streamed, or whose HTTP client has disconnected, is cancelled even if it was sent.
        """
        call.waiting.remove(scope)
        if not call.waiting and not call.result.done() and (call.stoppable or call.state is RequestState.QUEUED):
            call.cancel()
            self.leases.release(call.key)
            self._finish(call, None)

    async def _dispatch(self, calls: list[InFlightCall], *, leased: bool) -> None:
        """Send requests that no other process sends; wait for the others, and take over expired leases."""
        pause = LEASE_POLL_SECONDS
        while calls := [call for call in calls if not call.result.done()]:
            keys = [call.key for call in calls]
            granted = await self.leases.claim(keys) if leased else {*keys}
            for call in calls:
                if call.key in granted:
                    self._send(call)
            if not (calls := [call for call in calls if call.key not in granted]):
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)
            for key, response in (await self.store.call(CallStore.get_many, [call.key for call in calls])).items():
                self._finish(self._in_flight[key], response)

    def _send(self, call: InFlightCall) -> None:
        if call.result.done():
            self.leases.release(call.key)
            return
        self.fleet.router(call.spec).submit(call)

    def admit(self, call: InFlightCall) -> bool:
        """Find a waiting scope whose budget allows the call and let it pay; if there is none, fail the call."""
        refused: BudgetError | None = None
        for scope in call.waiting if call.payer is None else ():
            if not (refused := scope.usage.budget_error(scope.options)):
                call.payer = scope
                scope.usage.sent += 1
                break
        if refused:
            self._fail(call, refused)
            self.leases.release(call.key)
        return call.payer is not None

    def on_result(self, call: InFlightCall, outcome: Response | BaseException) -> None:
        """Count the answer's cost and store it before it is handed on. An error is handed on at once."""
        if isinstance(outcome, BaseException):
            self._fail(call, outcome)
            self.leases.release(call.key)
            return
        call.response = outcome
        if call.payer:
            call.payer.usage.add(outcome, call.price)
        if call.price:
            series(MONEY, call.spec.name).inc(call.price.cost(outcome.usage))
        if call.cacheable:
            self._log.append(_as_recorded(call))
        self._answered.append(call)
        if not self._settling:
            self._settling = True
            self._start(self._flush())

    async def _flush(self) -> None:
        """Store all answers that have arrived, in one transaction, and only then hand them on."""
        while self._answered:
            calls, self._answered = self._answered, []
            self.leases.settled(call.key for call in calls)
            written = self._log.rotate()
            await self._start(self._write_batch(calls), calls)
            self._log.clear(written)
        self._settling = False

    async def _write_batch(self, calls: list[InFlightCall]) -> None:
        try:
            if cacheable := [_as_recorded(call) for call in calls if call.cacheable]:
                await self.store.call(CallStore.record, cacheable, owner())
                self._store_failing = False
        except StoreError as error:
            # The answers are paid for, so hand them on even if they cannot be stored.
            if not self._store_failing:
                LOG.error("answers cannot be stored, so the same requests will call the model again: %s", error)
            self._store_failing = True
        for call in calls:
            self._finish(call, call.response)

    def _finish(self, call: InFlightCall, response: Response | None) -> None:
        if self._in_flight.get(call.key) is call:
            del self._in_flight[call.key]
        if not call.result.done():
            if response is None:
                call.result.cancel()
            else:
                for scope in {*call.waiting} - {call.payer}:
                    scope.usage.joined += 1
                call.result.set_result(response)
        call.notify()

    def _fail(self, call: InFlightCall, error: BaseException) -> None:
        if not call.result.done():
            call.result.set_exception(error)
            call.result.exception()  # Mark it as retrieved: nobody may be waiting any more, and asyncio would log it.
        self._finish(call, None)

    def _start(self, work: Coroutine[None, None, None], calls: Sequence[InFlightCall] = ()) -> asyncio.Future[None]:
        """Run the work as a task; any error in it is raised to everyone who waits for these calls."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def end(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if error := None if task.cancelled() else task.exception():
                for call in calls:
                    self._fail(call, error)
            ended.set_result(None)

        task.add_done_callback(end)
        return ended


def _keys(spec: ModelSpec, requests: Sequence[Request]) -> list[Key]:
    identity = spec.identity
    return [request_key(identity, request) for request in requests]


def check_price(spec: ModelSpec, scope: CallScope) -> Price | None:
    """Return the model's price.

    Raises:
        SetupError: the scope has a limit of money, and `prices.yaml` has no price for the model.
    """
    price = find_price(spec)
    if scope.options.llm_max_money is not None and price is None:
        raise SetupError(
            f"llm_max_money cannot be checked: there is no price for {spec.name}",
            hint=f"write {spec.name}: {{input: 2.4, output: 9.6}} in {home_folder() / 'prices.yaml'}; 0 if free",
        )
    return price


def _as_recorded(call: InFlightCall) -> CallRecord:
    assert call.response is not None
    messages, function = call.request.messages, call.request.function
    prompt, context = messages[-1].content, context_json(messages)
    statement = call.payer.statement if call.payer else ""
    return CallRecord(call.key, call.spec.name, call.spec.type, prompt, call.response, context, function, statement)


def _with_history(response: Response, request: Request, spec: ModelSpec) -> Response:
    """Add the model and the history; a failed turn is not added to the history."""
    history = (
        (*request.messages, Message("assistant", response.output or ""))
        if response.is_complete
        else request.messages[:-1]
    )
    return replace(response, model=spec.name, history=history)


async def _results(answered: Sequence[asyncio.Future[Response]]) -> list[Response]:
    """Return all results, or raise the first error. Cancelling this coroutine does not cancel the futures."""
    done, _ = await asyncio.wait(answered, return_when=asyncio.FIRST_EXCEPTION)
    for future in done:
        future.result()
    return [future.result() for future in answered]
