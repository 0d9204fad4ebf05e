"""Answers that have arrived are read before the next request is sent."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from quackllm.workers.engines.http_client import Call, HttpClient
from quackllm.workers.engines.send_gate import BUSY_SECONDS, MAX_SENDS, MAX_TURNS, SendGate
from quackllm.workers.secret_refs import Redactor

from support.raw_service import RawReply, running_raw_service

REQUESTS = 10
LATENCY = 0.3  # Seconds.


def test_every_answer_that_has_arrived_is_read_before_a_request_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []

    async def main() -> None:
        client = HttpClient(service.url, {}, redactor=Redactor())
        client.open()
        request = client._session.request  # type: ignore[union-attr]

        def send(*given: Any, **options: Any) -> Any:
            events.append("sent")
            return request(*given, **options)

        monkeypatch.setattr(client._session, "request", send)

        async def two_calls() -> None:
            await client.post(Call("/chat", {"a": 1}))
            events.append("read")
            await client.post(Call("/chat", {"a": 2}))

        calls = asyncio.gather(*[two_calls() for _ in range(REQUESTS)])
        while len(service.received) < REQUESTS:
            await asyncio.sleep(0.001)
        time.sleep(2 * LATENCY)  # The loop is busy, so all answers wait in the network's buffers.
        await calls
        await client.close()

    with running_raw_service() as service:
        service.reply = RawReply(b'{"choices": []}', seconds=LATENCY)
        asyncio.run(main())
    assert events == ["sent"] * REQUESTS + ["read"] * REQUESTS + ["sent"] * REQUESTS


def passed_while(turn_seconds: float, turns: int) -> list[int]:
    """Return how many of 20 requests had passed after each turn of a loop whose turns take that long."""

    async def main() -> list[int]:
        gate, passed = SendGate(), list[int]()
        for number in range(2 * REQUESTS):
            waiting = asyncio.ensure_future(gate.wait())
            waiting.add_done_callback(lambda _, number=number: passed.append(number))
        counts = []
        for _ in range(turns):
            time.sleep(turn_seconds)
            await asyncio.sleep(0)
            counts.append(len(passed))
        assert passed == sorted(passed)
        return counts

    return asyncio.run(main())


def test_a_few_requests_pass_in_each_short_turn() -> None:
    counts = passed_while(0, 100)
    assert counts[-1] == 2 * REQUESTS
    assert {MAX_SENDS, 2 * MAX_SENDS} <= {*counts}


def test_long_turns_hold_requests_back_for_a_limited_number_of_turns() -> None:
    counts = passed_while(2 * BUSY_SECONDS, MAX_TURNS + 10)
    assert counts[MAX_TURNS - 5] == 0
    assert counts[-1] == 2 * REQUESTS


def test_a_request_that_is_cancelled_holds_no_other_back() -> None:
    async def main() -> None:
        gate = SendGate()
        first, second = asyncio.ensure_future(gate.wait()), asyncio.ensure_future(gate.wait())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait_for(second, 5)

    asyncio.run(main())
