"""What a call under way holds, and that nothing of it stays behind."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from quackllm.udf.calls.in_flight import InFlightCall
from quackllm.workers.messages import Request, Response

import quackllm


@pytest.fixture
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_answered_calls_leave_nothing_for_pythons_collector(collector_off: None):
    """A statement of 100,000 rows would otherwise stop, again and again, for the collector to look through them."""
    quackllm.deploy("under_way_chat", "echo")
    connection = quackllm.connect()
    assert connection.execute("SELECT count(llm_result(under_way_chat('p' || i))) FROM range(500) t(i)").fetchone() == (
        500,
    )
    left = [
        found.key for found in gc.get_objects() if type(found) is InFlightCall and found.spec.name == "under_way_chat"
    ]
    assert len(left) < 50, "those of the last batch may still be in the hands of the loop"


def test_the_collector_does_not_look_at_requests_and_responses():
    assert not gc.is_tracked(Request.of("p"))
    assert not gc.is_tracked(Response("a"))
