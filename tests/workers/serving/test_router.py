"""The router: the least loaded replica, bounded in flight, and what happens when one is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from quackllm.workers.errors import SetupError
from quackllm.workers.messages import Request, Response
from quackllm.workers.serving.router import ReplicaLostError, RequestState, RoutedRequest, Router
from quackllm.workers.serving.worker import ChunkBatch

from support.virtual_time import run_in_virtual_time


class Replica:
    """Answers after some seconds; dies after `dies_after` answers."""

    def __init__(self, seconds: float = 0.001, dies_after: int | None = None, error: Exception | None = None) -> None:
        self.seconds, self.dies_after, self.error = seconds, dies_after, error
        self.answered: list[str] = []
        self.under_way = self.most_under_way = 0

    @property
    def dead(self) -> bool:
        return self.dies_after is not None and len(self.answered) >= self.dies_after

    async def answer(self, requests: Sequence[Request]) -> AsyncIterator[ChunkBatch]:
        self.under_way += len(requests)
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            for place, request in enumerate(requests):
                await asyncio.sleep(self.seconds)
                if self.error:
                    raise self.error
                if self.dead:
                    raise ReplicaLostError("dead")
                self.answered.append(request.messages[-1].content)
                self.under_way -= 1
                yield [(place, Response(request.messages[-1].content))]
        finally:
            self.under_way = 0 if self.dies_after is not None else self.under_way


class Waited(RoutedRequest):
    """A request whose answer is waited for."""

    def __init__(self, prompt: str) -> None:
        super().__init__(request=Request.of(prompt))
        self.chunks: list[str] = []
        self.answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def admit(self) -> bool:
        return True

    def on_chunk(self, chunk: str) -> None:
        self.chunks.append(chunk)

    def on_result(self, outcome: Response | BaseException) -> None:
        if isinstance(outcome, BaseException):
            self.answered.set_exception(outcome)
        else:
            self.answered.set_result(outcome)


def submitted(router: Router, prompts: list[str]) -> list[Waited]:
    jobs = [Waited(prompt) for prompt in prompts]
    for job in jobs:
        router.submit(job)
    return jobs


def route(replicas: list[Replica], prompts: list[str], concurrency: int = 4) -> list[Response]:
    async def run() -> list[Response]:
        async def found() -> list[Replica]:
            return [replica for replica in replicas if not replica.dead]

        router = Router(found, concurrency)
        return await asyncio.gather(*(job.answered for job in submitted(router, prompts)))

    return run_in_virtual_time(run())


@settings(max_examples=25)
@given(rows=st.integers(0, 60), replicas=st.integers(1, 4), concurrency=st.integers(1, 9))
def test_every_request_gets_its_own_answer_once(rows: int, replicas: int, concurrency: int):
    crew = [Replica(0) for _ in range(replicas)]
    prompts = [f"p{row}" for row in range(rows)]
    assert [response.output for response in route(crew, prompts, concurrency)] == prompts
    assert sorted(prompt for replica in crew for prompt in replica.answered) == sorted(prompts)


def test_no_replica_is_sent_much_more_than_it_works_on():
    crew = [Replica(0.0005), Replica(0.0005)]
    route(crew, [f"p{row}" for row in range(400)], concurrency=16)
    assert max(replica.most_under_way for replica in crew) <= 20
    assert min(len(replica.answered) for replica in crew) > 100


def test_a_slow_replica_gets_less():
    slow, quick = Replica(0.01), Replica(0.001)
    route([slow, quick], [f"p{row}" for row in range(200)], concurrency=4)
    assert len(quick.answered) > 8 * len(slow.answered), "it is ten times slower"


@settings(max_examples=10)
@given(dies_after=st.integers(0, 30))
def test_what_a_lost_replica_had_not_answered_is_answered_by_another(dies_after: int):
    mortal, other = Replica(0, dies_after=dies_after), Replica(0)
    prompts = [f"p{row}" for row in range(60)]
    assert [response.output for response in route([mortal, other], prompts)] == prompts
    assert sorted(mortal.answered + other.answered) == sorted(prompts), "nothing was answered twice"


@pytest.mark.parametrize("error", [SetupError("no key"), ZeroDivisionError("a mistake in an engine")])
def test_an_error_reaches_everyone_who_waits(error: Exception):
    with pytest.raises(type(error), match=str(error)):
        route([Replica(error=error)], ["a", "b", "c"])


def test_a_request_that_was_taken_back_is_not_sent():
    replica = Replica(0.005)

    async def run() -> None:
        async def found() -> list[Replica]:
            return [replica]

        router = Router(found, 1)
        jobs = submitted(router, [f"p{row}" for row in range(10)])
        await jobs[0].answered
        for job in jobs:
            if job.state is RequestState.QUEUED:
                job.cancel()
        await asyncio.gather(*(job.answered for job in jobs if job.state is not RequestState.CANCELLED))
        await router.join()

    run_in_virtual_time(run())
    assert len(replica.answered) <= 4


@pytest.mark.parametrize("chunks", [0, 1])
def test_a_stream_that_has_begun_is_not_sent_again(chunks: int):
    class Stream:
        sent = 0

        async def answer(self, requests: Sequence[Request]) -> AsyncIterator[ChunkBatch]:
            self.sent += 1
            await asyncio.sleep(0.001)
            for _ in range(chunks):
                yield [(0, "half")]
            if self.sent == 1:
                raise ReplicaLostError("dead")
            yield [(0, Response("whole"))]

    stream = Stream()

    async def run() -> Response:
        async def found() -> list[Stream]:
            return [stream]

        streamed = Waited("p")
        streamed.request = replace(streamed.request, streamed=True)
        Router(found, 1).submit(streamed)
        response = await streamed.answered
        assert streamed.state is RequestState.DONE
        return response

    response = run_in_virtual_time(run())
    assert (response.output, stream.sent) == ((None, 1) if chunks else ("whole", 2))
    assert (response.error and response.error.code) == ("worker_lost" if chunks else None)
