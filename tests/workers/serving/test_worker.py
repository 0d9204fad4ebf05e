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
from quackllm.workers.serving.worker import Worker


class ToldEngine(EchoEngine):
    """Does what the prompt says."""

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


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> ModelSpec:
    ToldEngine.calls.clear()
    monkeypatch.setattr("quackllm.workers.deployments.spec.find_engine", lambda name: ToldEngine)
    return make_spec(name="told", type="echo", worker_concurrency=8)


def ask(spec: ModelSpec, requests: Sequence[Request]) -> list[list[tuple[int, Response]]]:
    async def run() -> list[list[tuple[int, Response]]]:
        worker = Worker(spec)
        await worker.start()
        try:
            return [finished async for finished in worker.answer(requests)]
        finally:
            await worker.close()

    return asyncio.run(run())


def texts(*prompts: str) -> list[Request]:
    return [Request.of(prompt) for prompt in prompts]


def test_a_slow_row_holds_no_other(spec: ModelSpec):
    finished = ask(spec, texts("sleep 0.2", "a", "b"))
    assert [place for batch in finished for place, _ in batch] == [1, 2, 0]


def test_each_outcome_is_told(spec: ModelSpec):
    answers = dict(answer for batch in ask(spec, texts("fine", "refuse", "cut", " ")) for answer in batch)
    assert {place: (a.output, a.finish_reason, a.error and a.error.code) for place, a in answers.items()} == {
        0: ("fine", "stop", None),
        1: (None, "filter", "refused"),
        2: ("half", "length", "length"),
        3: (None, "error", "empty_prompt"),
    }
    assert {answer.model for answer in answers.values()} == {"told"}


def test_what_no_row_can_survive_is_raised_after_what_was_answered(spec: ModelSpec):
    with pytest.raises(SetupError, match="no such key") as caught:
        ask(spec, texts("a", "setup"))
    assert caught.value.hint == "get one"


def test_texts_to_embed_share_calls_and_a_bad_one_fails_alone(spec: ModelSpec):
    requests = [Request((Message("user", text),), kind="embed") for text in ("a", "bb", "bad", "ccc", "dddd", "e")]
    answers = dict(answer for batch in ask(spec, requests) for answer in batch)
    assert [answers[place].embedding for place in range(6)] == [(1.0,), (2.0,), None, (3.0,), (4.0,), (1.0,)]
    assert answers[2].error is not None
    assert answers[2].error.code == "400"
    assert sorted(ToldEngine.calls) == [1, 1, 1, 1, 2, 4], "two shared calls, and the failed one again one by one"


@pytest.mark.parametrize(("prompt", "reason"), [("go on", "stop"), ("refuse", "error")])
def test_a_stream_ends_with_the_whole_response(spec: ModelSpec, prompt: str, reason: str):
    request = replace(Request.of(prompt), streamed=True)
    *pieces, last = [said for batch in ask(spec, [request]) for _, said in batch]
    assert pieces == (["half", " done"] if reason == "stop" else ["half"])
    assert isinstance(last, Response)
    assert (last.finish_reason, last.model) == (reason, "told")


def test_counts_are_kept(spec: ModelSpec):
    async def run() -> Worker:
        worker = Worker(spec)
        async for _ in worker.answer(texts("a", "b", "refuse")):
            pass
        return worker

    counts = asyncio.run(run()).counts
    assert (counts.answered, counts.failed, counts.under_way) == (2, 1, 0)
