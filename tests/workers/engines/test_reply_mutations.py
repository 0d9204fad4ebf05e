"""Right replies, changed at every level, through the real client: each row is answered or has an error, soon.

    QUACKLLM_MUTATIONS=20000 python -m pytest tests/workers/engines/test_reply_mutations.py --timeout 7200 -s

tries so many replies that are read whole, as many streams, and as many again for vectors and through SQL. Without the
variable it is 2,000 in all.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from quackllm.workers.deployments.spec import make_spec
from quackllm.workers.errors import SetupError
from quackllm.workers.messages import Message, Request, Response
from quackllm.workers.serving.worker import Worker

import quackllm
from support.raw_service import RawReply, RawService, running_raw_service
from support.reply_mutations import chats, embeddings

MUTATIONS = int(os.environ.get("QUACKLLM_MUTATIONS", "800"))
SECONDS = 20.0
"""No reader waits that long: every reply is there at once."""
WIRES = ("openai", "dashscope")


def examples(count: int) -> Any:
    """Settings for so many examples, or as many times as the environment asks for."""
    quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    return settings(max_examples=count * MUTATIONS // 800, database=None, suppress_health_check=quiet)


class Asker:
    """A worker over a service that gives whatever reply a test draws, in one event loop."""

    def __init__(self, wire: str, service: RawService, runner: asyncio.Runner) -> None:
        params = {"saas.model": "m", "saas.base_url": service.url, "saas.api_key": "k", "limits.max_attempts": 1}
        self.worker = Worker(make_spec(name="m", type=wire, infer_params=params))
        self.service, self.runner = service, runner
        self.seen: Counter[str] = Counter()

    def ask(self, reply: RawReply, requests: Sequence[Request]) -> list[str | Response]:
        """Return what the worker says, in order; a refusal for all is no answer."""
        self.service.reply = reply

        async def main() -> list[str | Response]:
            async with asyncio.timeout(SECONDS):
                await self.worker.start()
                return [said async for batch in self.worker.answer(requests) for _, said in batch]

        try:
            said = self.runner.run(main())
        except SetupError as error:
            assert_text(str(error))
            self.seen["setup"] += 1
            return []
        for each in said:
            self.seen[each.error.code[:20] if isinstance(each, Response) and each.error else "text"] += 1
        return said


@contextmanager
def asking(wire: str) -> Iterator[Asker]:
    with running_raw_service() as service, asyncio.Runner() as runner:
        asker = Asker(wire, service, runner)
        yield asker
        runner.run(asker.worker.close())
        print(f"\n{wire}: {sum(asker.seen.values()):,} {asker.seen.most_common(12)}")


def assert_text(text: str | None) -> None:
    if text is not None:
        assert isinstance(text, str)
        text.encode()


def assert_sound(response: Response) -> None:
    """What the store, DuckDB and every reader can rely on."""
    for text in (response.output, response.reasoning, response.request_id, response.tool_calls):
        assert_text(text)
    assert (response.error is None) == (response.finish_reason == "stop")
    assert response.finish_reason in ("stop", "length", "filter", "cancelled", "error")
    if response.error:
        assert_text(response.error.code)
        assert_text(response.error.message)
        assert response.error.message
    for count in (response.usage.input_tokens, response.usage.output_tokens):
        assert type(count) is int
        assert 0 <= count < 2**63
    assert msgspec.json.decode(msgspec.json.encode(response), type=Response) == response
    assert response.error or response.output is not None or response.embedding is not None


@pytest.mark.parametrize("wire", WIRES)
def test_a_reply_that_is_read_whole(wire: str) -> None:
    with asking(wire) as asker:

        @examples(400)
        @given(chats(wire))
        def check(reply: RawReply) -> None:
            for response in asker.ask(reply, [Request.of("hello")]):
                assert isinstance(response, Response)
                assert_sound(response)

        check()


@pytest.mark.parametrize("wire", WIRES)
def test_a_reply_that_is_read_as_a_stream(wire: str) -> None:
    with asking(wire) as asker:

        @examples(400)
        @given(chats(wire))
        def check(reply: RawReply) -> None:
            said = asker.ask(reply, [replace(Request.of("hello"), streamed=True)])
            if said:
                *chunks, response = said
                assert isinstance(response, Response)
                assert_sound(response)
                text = "".join(map(str, chunks))
                assert_text(text)
                if response.error is None and "<" not in text and response.output != response.tool_calls:
                    assert text == response.output

        check()


@pytest.mark.parametrize("wire", WIRES)
def test_vectors(wire: str) -> None:
    with asking(wire) as asker:
        requests = [Request((Message("user", text),), kind="embed") for text in ("a", "b")]

        @examples(100)
        @given(embeddings(wire, 2))
        def check(reply: RawReply) -> None:
            said = asker.ask(reply, requests)
            assert len(said) in (0, 2)
            for response in said:
                assert isinstance(response, Response)
                assert_sound(response)

        check()


@pytest.mark.filterwarnings("ignore::quackllm.FailedRowsWarning")
def test_what_reaches_the_store_comes_back_as_it_was() -> None:
    """Through SQL: no statement ends but by a SetupError; a row is answered or has an error, now and from the store."""
    with running_raw_service() as service:
        params = {"saas.model": "m", "saas.base_url": service.url, "limits.max_attempts": 1}
        quackllm.deploy("m", "openai", infer_params=params)
        connection = quackllm.connect()
        prompts = iter(range(10**9))
        seen: Counter[str] = Counter()

        @examples(200)
        @given(st.lists(chats("openai"), min_size=1, max_size=4))
        def check(replies: list[RawReply]) -> None:
            names = [f"row {next(prompts)}" for _ in replies]
            given = dict(zip(names, replies, strict=True))
            service.reply = lambda received: given[received.body["messages"][-1]["content"]]
            query = f"SELECT r.output, r.error.code FROM (SELECT m(unnest({names!r})) AS r)"
            try:
                first = connection.execute(query).fetchall()
            except SetupError:
                seen["setup"] += 1
                return
            assert all(output is not None or code is not None for output, code in first)
            service.reply = RawReply.json({"error": "nobody is asked again"}, 400)
            again = connection.execute(query).fetchall()
            seen.update("text" if code is None else "error" for _, code in first)
            assert [row for row in again if row[1] is None] == [row for row in first if row[1] is None]

        check()
        print(f"\nSQL: {seen}")
