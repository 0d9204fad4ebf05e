"""The worker: answers as they complete, streams, and texts that share a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

import pytest
from msgspec.structs import replace
from quackllm.workers.deployments.spec import ModelSpec, make_spec
from quackllm.workers.engines.echo import EchoEngine
from quackllm.workers.errors import ProviderError, SetupError
from quackllm.workers.messages import Message, Request, Response
from quackllm.workers.options import Options
from quackllm.workers.serving.worker import Worker
from quackllm.workers.vectors import vector_bytes

from support.installed_engines import InstallEngine
from support.virtual_time import run_in_virtual_time


class ScriptedEngine(EchoEngine):
    """Does what the prompt says, e.g. `sleep 0.2`."""

    chat_batch: ClassVar[int] = 1
    embed_batch: ClassVar[int] = 4
    calls: ClassVar[list[int]] = []

    async def answer(self, request: Request) -> Response:
        word, _, rest = request.messages[-1].content.partition(" ")
        if word == "sleep":
            await asyncio.sleep(float(rest))
        if word == "refuse":
            raise ProviderError("no", code="refused", finish_reason="filter")
        if word == "cut":
            return Response("half", finish_reason="length")
        if word == "setup":
            raise ProviderError("no such key", code="401", setup=True, hint="get one")
        return Response(request.messages[-1].content)

    async def stream(self, request: Request) -> AsyncIterator[str | Response]:
        yield "half"
        if request.messages[-1].content == "refuse":
            raise ProviderError("no", code="refused")
        yield " done"
        yield Response("half done")

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.calls.append(len(texts))
        if "bad" in texts:
            raise ProviderError("one of them is bad", code="400")
        return [[float(len(text))] for text in texts]


class SharingEngine(ScriptedEngine):
    """Answers three requests in one call, unless one of them is refused."""

    chat_batch: ClassVar[int] = 3

    async def answer_all(self, requests: Sequence[Request]) -> list[Response]:
        self.calls.append(len(requests))
        return [await self.answer(request) for request in requests]


class ShortEngine(SharingEngine):
    """Returns one answer too few."""

    async def answer_all(self, requests: Sequence[Request]) -> list[Response]:
        return (await super().answer_all(requests))[1:]


@pytest.fixture
def spec(install_engine: InstallEngine) -> ModelSpec:
    ScriptedEngine.calls.clear()
    install_engine("scripted", ScriptedEngine)
    return make_spec(name="actor", type="scripted", worker_concurrency=8)


def answer(spec: ModelSpec, requests: Sequence[Request]) -> list[list[tuple[int, Response]]]:
    async def run() -> list[list[tuple[int, Response]]]:
        worker = Worker(spec)
        await worker.start()
        try:
            return [finished async for finished in worker.answer(requests)]
        finally:
            await worker.close()

    return run_in_virtual_time(run())


def texts(*prompts: str) -> list[Request]:
    return [Request.of(prompt) for prompt in prompts]


def test_a_slow_row_holds_no_other(spec: ModelSpec):
    finished = answer(spec, texts("sleep 0.2", "a", "b"))
    assert [index for batch in finished for index, _ in batch] == [1, 2, 0]


def test_each_outcome_is_reported(spec: ModelSpec):
    answers = dict(answer for batch in answer(spec, texts("fine", "refuse", "cut", " ")) for answer in batch)
    assert {index: (a.output, a.finish_reason, a.error and a.error.code) for index, a in answers.items()} == {
        0: ("fine", "stop", None),
        1: (None, "filter", "refused"),
        2: ("half", "length", "length"),
        3: (None, "error", "empty_prompt"),
    }
    assert {answer.model for answer in answers.values()} == {"actor"}


def test_what_no_row_can_survive_is_raised_after_what_was_answered(spec: ModelSpec):
    with pytest.raises(SetupError, match="no such key") as caught:
        answer(spec, texts("a", "setup"))
    assert caught.value.hint == "get one"


def test_texts_to_embed_share_calls_and_a_bad_one_fails_alone(spec: ModelSpec):
    requests = [Request((Message("user", text),), kind="embed") for text in ("a", "bb", "bad", "ccc", "dddd", "e")]
    answers = dict(answer for batch in answer(spec, requests) for answer in batch)
    vectors = [vector_bytes([length]) for length in (1.0, 2.0, 3.0, 4.0, 1.0)]
    assert [answers[index].embedding for index in range(6)] == [*vectors[:2], None, *vectors[2:]]
    assert answers[2].error is not None
    assert answers[2].error.code == "400"
    assert sorted(ScriptedEngine.calls) == [1, 1, 1, 1, 2, 4], "two shared calls, and the failed one again one by one"


class CountingEngine(EchoEngine):
    """Notes how many requests it works on at once."""

    at_once: ClassVar[list[int]] = []
    now = 0

    async def answer_all(self, requests: Sequence[Request]) -> list[Response]:
        self.now += len(requests)
        self.at_once.append(self.now)
        answers = await super().answer_all(requests)
        self.now -= len(requests)
        return answers


def test_requests_that_share_a_call_count_each(install_engine: InstallEngine):
    CountingEngine.at_once.clear()
    install_engine("counting", CountingEngine)
    spec = make_spec(name="actor", type="counting", worker_concurrency=4, infer_params={"delay_seconds": 1})
    answer(spec, texts(*map(str, range(10))))
    assert CountingEngine.at_once == [4, 4, 2]


def test_requests_share_calls_and_a_bad_one_fails_alone(install_engine: InstallEngine):
    ScriptedEngine.calls.clear()
    install_engine("sharing", SharingEngine)
    own_limit = replace(Request.of("x"), options=Options(timeout_seconds=5.0))
    requests = [*texts("a", "b", "c", "d", "refuse", "e", " "), own_limit, replace(Request.of("y"), streamed=True)]
    finished = answer(make_spec(name="actor", type="sharing"), requests)
    answers = {index: found for batch in finished for index, found in batch if isinstance(found, Response)}
    outputs = ["a", "b", "c", "d", None, "e", None, "x", "half done"]
    assert [answers[index].output for index in range(9)] == outputs
    assert [answers[index].finish_reason for index in (4, 6)] == ["filter", "error"]
    assert ScriptedEngine.calls == [3, 3], "the last three, and those of the call that failed, are answered alone"


def test_requests_share_no_call_where_they_are_counted(install_engine: InstallEngine):
    ScriptedEngine.calls.clear()
    install_engine("sharing", SharingEngine)
    limits = {"limits.requests_per_minute": 6000}
    answer(make_spec(name="actor", type="sharing", infer_params=limits), texts("a", "b", "c"))
    assert ScriptedEngine.calls == []


def test_no_row_gets_the_answer_of_another(install_engine: InstallEngine):
    install_engine("short", ShortEngine)
    finished = answer(make_spec(name="actor", type="short"), texts("a", "b", "c"))
    answers = dict(one for batch in finished for one in batch)
    assert [answers[index].output for index in range(3)] == ["a", "b", "c"]


@pytest.mark.parametrize(("prompt", "reason"), [("go on", "stop"), ("refuse", "error")])
def test_a_stream_ends_with_the_whole_response(spec: ModelSpec, prompt: str, reason: str):
    request = replace(Request.of(prompt), streamed=True)
    *chunks, last = [item for batch in answer(spec, [request]) for _, item in batch]
    assert chunks == (["half", " done"] if reason == "stop" else ["half"])
    assert isinstance(last, Response)
    assert (last.finish_reason, last.model) == (reason, "actor")


def test_answers_are_counted(spec: ModelSpec):
    async def run() -> Worker:
        worker = Worker(spec)
        async for _ in worker.answer(texts("a", "b", "refuse")):
            pass
        return worker

    counts = run_in_virtual_time(run()).counts
    assert (counts.answered, counts.failed, counts.under_way) == (2, 1, 0)
