"""The caller: the call store first, then the identical call under way, then a worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import uuid
from collections.abc import AsyncGenerator, Coroutine, Iterable, Sequence
from itertools import islice

from msgspec.structs import replace

from ...workers.deployments.spec import ModelSpec
from ...workers.errors import BudgetError, SetupError, StoreError
from ...workers.home import home
from ...workers.messages import Message, Request, Response
from ...workers.metrics import CACHE_HITS, MONEY
from ...workers.serving.fleet import Fleet
from ...workers.serving.worker import concurrency
from ..session.statement import Statement
from ..settings import StoreMode
from .async_store import SharedStore
from .in_flight import Asked
from .prices import Price, price_of
from .store import LEASE_SECONDS, Call, key_of

LOG = logging.getLogger("quackllm")
HOLDER = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
GLANCE_SECONDS = 0.05
"""How often a request that another process is asking is looked up."""
TOGETHER = 256
"""Requests of `ask_many` that are looked up, leased and sent together."""
UNDER_WAY = 8192
"""The most of them that wait at once, so that a slow one holds no other."""


class Caller:
    """Asks models on behalf of statements. Lives in the event loop; every method is called there."""

    def __init__(self, fleet: Fleet, store: SharedStore) -> None:
        self.fleet = fleet
        self.store = store
        self._under_way: dict[str, Asked] = {}
        self._answered: list[Asked] = []
        self._leased: set[str] = set()
        self._unused: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking_up = asyncio.Lock()
        self._settling = False
        self._beating = False

    async def ask(
        self, spec: ModelSpec, requests: Sequence[Request], statement: Statement, mode: StoreMode = "on"
    ) -> list[Response]:
        """Return one response a request, in order; identical requests are asked once.

        Args:
            spec: the model.
            requests: what to ask, repetitions allowed.
            statement: for whom; its memory of what failed is read and written.
            mode: 'on'; 'off': the store is neither read nor written; 'refresh': written, not read.

        Raises:
            SetupError: no request can succeed.
            StoreError: the call store cannot be opened.
            BudgetError: the statement may spend no more; what it paid for is in the store.
        """
        keys = _keys(spec, requests)
        wanted = dict(zip(keys, requests, strict=True))
        async with self._looking_up:  # One after another, so that the first are sent while the next are looked up.
            answers = await self._known(wanted, statement, mode)
        statement.spent.known += len(answers)
        CACHE_HITS.add(len(answers.keys() - statement.remembered.keys()), spec.name)
        if unknown := {key: request for key, request in wanted.items() if key not in answers}:
            fresh = await self._ask_unknown(spec, unknown, statement, mode)
            answers |= fresh
            statement.remembered |= {k: r for k, r in fresh.items() if not (r.whole and mode == "on")}
        return [_completed(answers[key], request, spec) for key, request in zip(keys, requests, strict=True)]

    async def known(
        self, spec: ModelSpec, requests: Sequence[Request], statement: Statement, mode: StoreMode = "on"
    ) -> list[Response | None]:
        """Return what `ask` would return without a call; None for each request that needs one."""
        keys = _keys(spec, requests)
        answers = await self._known(keys, statement, mode)
        pairs = zip(keys, requests, strict=True)
        return [_completed(answers[key], request, spec) if key in answers else None for key, request in pairs]

    async def ask_many(
        self, spec: ModelSpec, requests: Iterable[Request], statement: Statement, mode: StoreMode = "on"
    ) -> None:
        """Ask distinct requests, as many as there are, so that their answers are known.

        Few are held at a time of all that the statement asks of the model: those first that came first.

        Raises:
            SetupError, StoreError: as `ask` does; what was answered before is known.
        """
        most = max(UNDER_WAY, 4 * spec.num_workers * concurrency(spec))
        room = statement.rooms.setdefault(spec.name, asyncio.Semaphore(most // TOGETHER))
        waiting: set[asyncio.Task[None]] = set()
        rest = iter(requests)
        try:
            while part := list(islice(rest, TOGETHER)):
                await room.acquire()
                task = asyncio.create_task(self._ask_and_remember(spec, part, statement, mode))
                task.add_done_callback(lambda _: room.release())
                for ended in {task for task in waiting if task.done()}:
                    ended.result()
                waiting = {task for task in waiting if not task.done()} | {task}
            await asyncio.gather(*waiting)
        finally:
            for task in waiting:
                task.cancel()

    async def _ask_and_remember(
        self, spec: ModelSpec, requests: Sequence[Request], statement: Statement, mode: StoreMode
    ) -> None:
        """Ask, so that the statement need not look the answers up in the store."""
        for request, response in zip(requests, await self.ask(spec, requests, statement, mode), strict=True):
            statement.memory.keep((spec.name, mode, request), response)

    async def stream(
        self, spec: ModelSpec, request: Request, statement: Statement, mode: StoreMode = "on"
    ) -> AsyncGenerator[str | Response]:
        """Yield the answer's pieces as they come, then the Response.

        What is known, or cannot be streamed, is one piece. An answer that breaks off keeps in `output` what had
        come. Closing the iterator stops the engine, unless somebody else waits for the same answer.

        Raises:
            SetupError, StoreError, BudgetError: as `ask` does.
        """
        (key,) = _keys(spec, [request])
        known = (await self._known([key], statement, mode)).get(key)
        statement.spent.known += known is not None
        CACHE_HITS.add(known is not None, spec.name)
        said = ""
        if known is None:
            with contextlib.ExitStack() as leaving:
                (call,) = self._join_all(spec, {key: replace(request, streamed=True)}, statement, mode)
                leaving.callback(self._leave, call, statement)
                async for piece in call.growing():
                    said += piece
                    yield piece
                known = await asyncio.shield(call.answered)
        if known.output and not said:
            yield known.output
        yield _completed(replace(known, output=known.output or said or None), request, spec)

    async def _known(self, keys: Iterable[str], statement: Statement, mode: StoreMode) -> dict[str, Response]:
        answers = {key: statement.remembered[key] for key in keys if key in statement.remembered}
        if mode == "on" and (missing := [key for key in dict.fromkeys(keys) if key not in answers]):
            answers |= await self.store.find(missing)
        return answers

    async def _ask_unknown(
        self, spec: ModelSpec, unknown: dict[str, Request], statement: Statement, mode: StoreMode
    ) -> dict[str, Response]:
        asked = self._join_all(spec, unknown, statement, mode)
        try:
            responses = await _results([call.answered for call in asked])
        except BudgetError as error:
            await self._landing(statement)
            raise statement.spent.over(statement.wishes) or error from None
        finally:
            for call in asked:
                self._leave(call, statement)
        return dict(zip(unknown, responses, strict=True))

    def _join_all(
        self, spec: ModelSpec, unknown: dict[str, Request], statement: Statement, mode: StoreMode
    ) -> list[Asked]:
        """Wait with the statement for the calls that are under way, and launch the others."""
        new: list[Asked] = []
        price = _price(spec, statement)
        asked = [self._join(spec, key, request, price, mode, new) for key, request in unknown.items()]
        for call in asked:
            call.waiting.append(statement)
        if new:
            self._start(self._launch(new, leased=mode == "on"), new)
        return asked

    async def _landing(self, statement: Statement) -> None:
        """Wait for all that the statement has under way: the process may end with it, and it is paid for."""
        if under_way := [call.answered for call in self._under_way.values() if call.payer is statement]:
            await asyncio.wait(under_way)

    def _join(
        self, spec: ModelSpec, key: str, request: Request, price: Price | None, mode: StoreMode, new: list[Asked]
    ) -> Asked:
        call = self._under_way.get(key)
        if call is None:
            answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
            call = self._under_way[key] = Asked(
                request=request,
                caller=self,
                key=key,
                spec=spec,
                kept=mode != "off",
                price=price,
                answered=answered,
            )
            new.append(call)
        return call

    def _leave(self, call: Asked, statement: Statement) -> None:
        """Stop waiting; a call that nobody waits for is taken back, or lands in the store if it was sent.

        One that was streamed is stopped: whoever looked at it has seen enough.
        """
        call.waiting.remove(statement)
        if not call.waiting and not call.answered.done() and (call.request.streamed or not call.sent):
            call.take_back()
            self._give_back(call.key)
            self._finish(call, None)

    async def _launch(self, calls: list[Asked], *, leased: bool) -> None:
        """Send what no other process is asking; wait for the rest, and take over what its holder leaves."""
        pause = GLANCE_SECONDS
        while calls := [call for call in calls if not call.answered.done()]:
            granted = await self._claim(calls) if leased else {call.key for call in calls}
            for call in calls:
                if call.key in granted:
                    self._send(call)
            if not (calls := [call for call in calls if call.key not in granted]):
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)
            for key, response in (await self.store.find([call.key for call in calls])).items():
                self._finish(self._under_way[key], response)

    async def _claim(self, calls: list[Asked]) -> set[str]:
        granted = await self.store.claim([call.key for call in calls], HOLDER)
        self._leased |= granted
        if granted and not self._beating:
            self._beating = True
            self._start(self._beat())
        return granted

    async def _beat(self) -> None:
        """Keep this process's leases alive for as long as it has any."""
        await asyncio.sleep(LEASE_SECONDS / 3)
        while self._leased:
            await self.store.beat(HOLDER)
            await asyncio.sleep(LEASE_SECONDS / 3)
        self._beating = False

    def _send(self, call: Asked) -> None:
        if call.answered.done():
            self._give_back(call.key)
            return
        self.fleet.router(call.spec).submit(call)

    def may_go(self, call: Asked) -> bool:
        """Find a statement that pays for the call; where none of those that wait for it may, it is not made."""
        refused: BudgetError | None = None
        for statement in call.waiting if call.payer is None else ():
            if not (refused := statement.spent.over(statement.wishes)):
                call.payer = statement
                statement.spent.asked += 1
                break
        if refused:
            self._fail(call, refused)
            self._give_back(call.key)
        return call.payer is not None

    def landed(self, call: Asked, outcome: Response | BaseException) -> None:
        """Count what the answer cost, and keep it before anybody hears of it; an error is heard at once."""
        if isinstance(outcome, BaseException):
            self._fail(call, outcome)
            self._give_back(call.key)
            return
        call.response = outcome
        if call.payer:
            call.payer.spent.add(outcome, call.price)
        if call.price:
            MONEY.add(call.price.of(outcome.usage), call.spec.name)
        self._answered.append(call)
        if not self._settling:
            self._settling = True
            self._start(self._settle())

    async def _settle(self) -> None:
        """Record what has been answered, all that is there in one transaction, and only then hand it on."""
        while self._answered:
            calls, self._answered = self._answered, []
            self._leased.difference_update(call.key for call in calls)
            await self._start(self._record(calls), calls)
        self._settling = False

    async def _record(self, calls: list[Asked]) -> None:
        try:
            await self.store.settle([_as_recorded(call) for call in calls if call.kept])
        except StoreError as error:
            # The answers are paid for: better handed on and not kept than lost.
            LOG.error("%d answers could not be kept: %s", len(calls), error)
        for call in calls:
            self._finish(call, call.response)

    def _give_back(self, key: str) -> None:
        """Return a lease without an answer; those of one turn of the loop are one transaction."""
        if key in self._leased:
            self._leased.discard(key)
            self._unused.append(key)
            if len(self._unused) == 1:
                self._start(self._release())

    async def _release(self) -> None:
        keys, self._unused = self._unused, []
        await self.store.release(keys)

    def _finish(self, call: Asked, response: Response | None) -> None:
        if self._under_way.get(call.key) is call:
            del self._under_way[call.key]
        if not call.answered.done():
            if response is None:
                call.answered.cancel()
            else:
                for statement in {*call.waiting} - {call.payer}:
                    statement.spent.shared += 1
                call.answered.set_result(response)
        call.wake()

    def _fail(self, call: Asked, error: BaseException) -> None:
        if not call.answered.done():
            call.answered.set_exception(error)
            call.answered.exception()  # Seen, also where the last one who waited for it has left.
        self._finish(call, None)

    def _start(self, work: Coroutine[None, None, None], calls: Sequence[Asked] = ()) -> asyncio.Future[None]:
        """Run the work; an error in it, whosever it is, reaches everyone who waits for these calls."""
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


def _keys(spec: ModelSpec, requests: Sequence[Request]) -> list[str]:
    identity = spec.identity
    return [key_of(identity, request) for request in requests]


def _price(spec: ModelSpec, statement: Statement) -> Price | None:
    """Return what the model's tokens cost.

    Raises:
        SetupError: the statement has a budget of money, and nobody said what the model takes.
    """
    price = price_of(spec)
    if statement.wishes.llm_max_money is not None and price is None:
        raise SetupError(
            f"llm_max_money cannot be kept: no price of {spec.name} is known",
            hint=f"write {spec.name}: {{input: 2.4, output: 9.6}} in {home() / 'prices.yaml'}; 0 if it costs nothing",
        )
    return price


def _as_recorded(call: Asked) -> Call:
    assert call.response is not None
    return Call(call.key, call.spec.name, call.spec.type, call.request.messages[-1].content, call.response)


def _completed(response: Response, request: Request, spec: ModelSpec) -> Response:
    """Add the model and the history; a turn that failed leaves the history as it was."""
    history = (
        (*request.messages, Message("assistant", response.output or "")) if response.whole else request.messages[:-1]
    )
    return replace(response, model=spec.name, history=history)


async def _results(answered: Sequence[asyncio.Future[Response]]) -> list[Response]:
    """Return all results, or raise the first error; whoever stops waiting here cancels nothing."""
    done, _ = await asyncio.wait(answered, return_when=asyncio.FIRST_EXCEPTION)
    for future in done:
        future.result()
    return [future.result() for future in answered]
