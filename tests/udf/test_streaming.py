"""Answers that are read while they grow: known ones, stopped ones, and those that break off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace
from quackllm.udf.streaming import StreamedAnswer
from quackllm.workers.errors import BudgetError, SetupError, UnknownModelError
from quackllm.workers.messages import Message, Request, Response

import quackllm
from standin.fixtures import StandIn

LONG = "a question that is long enough to come in a good many pieces"
SLOW = [{"fault": "slow", "piece_seconds": 0.05}]


@pytest.fixture(params=["openai", "dashscope"])
def connection(request: pytest.FixtureRequest, service: StandIn) -> Iterator[quackllm.Connection]:
    if request.param == "openai":
        quackllm.deploy("chat", "saas/openai", infer_params=service.openai_params())
    else:
        quackllm.deploy("chat", "saas/qianwen", infer_params=service.dashscope_params())
    with quackllm.connect() as opened:
        yield opened


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_pieces_come_before_the_whole_answer_which_is_kept(connection, service: StandIn):
    *pieces, response = StreamedAnswer(connection, Request.of(LONG))
    assert len(pieces) > 5
    assert "".join(pieces) == response.output == f"answer to: {LONG}"
    assert response.history == (Message("user", LONG), Message("assistant", response.output))
    assert response.model == "chat"
    assert response.usage.output_tokens > 0
    assert list(StreamedAnswer(connection, Request.of(LONG))) == [response.output, replace(response, from_store=True)]
    assert connection.execute("SELECT llm_result(chat(?))", [LONG]).fetchall() == [(response.output,)]
    assert service.count() == 1


def test_a_stopped_answer_is_marked_and_the_service_is_left(connection, service: StandIn):
    service.script(SLOW)
    streaming = StreamedAnswer(connection, Request.of(LONG))
    first = next(iter(streaming))
    began = time.monotonic()
    response = streaming.stop()
    assert time.monotonic() - began < 1
    assert response.finish_reason == "cancelled"
    assert response.error is not None
    assert response.error.code == "cancelled"
    assert isinstance(first, str)
    assert (response.output or "").startswith(first)
    assert len(response.output or "") < len(LONG)
    worker = quackllm.status("chat").replicas[0]
    until(lambda: quackllm.status("chat").replicas[0].under_way == 0)
    assert worker.answered == 0
    service.script([])
    assert list(StreamedAnswer(connection, Request.of(LONG)))[-1].output == f"answer to: {LONG}", (
        "nothing half was kept"
    )


def test_two_that_read_the_same_answer_pay_once_and_one_may_leave(connection, service: StandIn):
    service.script(SLOW)
    first, second = StreamedAnswer(connection, Request.of(LONG)), StreamedAnswer(connection, Request.of(LONG))
    next(iter(first))
    first.stop()
    assert list(second)[-1].output == f"answer to: {LONG}"
    assert service.count() == 1


def test_an_answer_that_breaks_off_keeps_what_had_come(connection, service: StandIn):
    service.script([{"fault": "drop_midway", "times": 1}])
    *pieces, response = StreamedAnswer(connection, Request.of(LONG))
    assert response.finish_reason == "error"
    assert response.error is not None
    assert response.output == "".join(pieces)
    assert list(StreamedAnswer(connection, Request.of(LONG)))[-1].finish_reason == "stop", "asked again, not remembered"


def test_a_service_that_is_busy_at_first_is_asked_again(connection, service: StandIn):
    service.script([{"fault": "rate_limit", "times": 2}])
    assert list(StreamedAnswer(connection, Request.of(LONG)))[-1].output == f"answer to: {LONG}"
    assert service.count() == 3


def test_what_nobody_can_answer_is_an_error(connection, service: StandIn):
    with pytest.raises(UnknownModelError, match="nobody"):
        StreamedAnswer(connection, Request.of("hello"), model="nobody")
    service.script([{"fault": "wrong_key"}])
    with pytest.raises(SetupError, match=r"(?i)api.?key"):
        list(StreamedAnswer(connection, Request.of("hello")))


def test_the_budget_of_the_connection_holds(connection, service: StandIn):
    connection.execute("SET VARIABLE llm_max_calls = 0")
    with pytest.raises(BudgetError):
        list(StreamedAnswer(connection, Request.of("hello")))
    assert service.count() == 0


def test_an_engine_that_cannot_stream_gives_one_piece():
    with quackllm.connect() as connection:
        question = Request.of("CREATE TABLE t (a INTEGER)\n\nHow many rows are there?")
        *pieces, response = StreamedAnswer(connection, question, model="builtin_text2sql")
    assert isinstance(response, Response)
    assert pieces == ([response.output] if response.output else [])
