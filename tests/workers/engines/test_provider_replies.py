"""The contract of the engines that call a service: every fault, through the vendor's own client, read the same way."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from quackllm.workers.engines import EmbeddingEngine, StreamingEngine, find_engine
from quackllm.workers.errors import ProviderError
from quackllm.workers.messages import Message, Request, Response
from quackllm.workers.options import Options

from standin.fixtures import KEY, StandIn

HELLO = Request.of("hello there")
Ask = Callable[[Any, Request], Coroutine[Any, Any, Response]]


async def whole(engine: Any, request: Request) -> Response:
    return await engine.answer(request)


async def streamed(engine: Any, request: Request) -> Response:
    *pieces, response = [piece async for piece in engine.stream(request)]
    assert "".join(pieces) == (response.output or "")
    return response


@pytest.fixture(params=["openai", "dashscope"])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[whole, streamed])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param


def settings(service: StandIn, name: str, **more: Any) -> dict[str, Any]:
    url = service.openai_url if name == "openai" else service.dashscope_url
    return {"model": "standin", "base_url": url, "api_key": KEY, **more}


def run(service: StandIn, name: str, work: Callable[[Any], Coroutine[Any, Any, Any]], **more: Any) -> Any:
    """Start the engine, do the work with it, close it."""

    async def main() -> Any:
        kind = find_engine(name)
        engine = kind(kind.Settings(**settings(service, name, **more)))
        await engine.start()
        try:
            return await work(engine)
        finally:
            await engine.close()

    return asyncio.run(main())


def failure(service: StandIn, name: str, ask: Ask, fault: dict[str, Any], request: Request = HELLO) -> ProviderError:
    service.script([fault])
    with pytest.raises(ProviderError) as caught:
        run(service, name, lambda engine: ask(engine, request))
    assert service.count() == 1, "the client tried again by itself"
    return caught.value


def test_an_answer(service: StandIn, name: str, ask: Ask) -> None:
    response = run(service, name, lambda engine: ask(engine, HELLO))
    assert (response.output, response.finish_reason, response.error) == ("answer to: hello there", "stop", None)
    assert (response.usage.input_tokens, response.usage.output_tokens) == (3, 6)
    assert (response.request_id or "").startswith("request-")


def test_a_conversation(service: StandIn, name: str, ask: Ask) -> None:
    turns = ("你好，请记住我的名字，我叫祝威廉。", "记住", "请问我叫什么名字？")
    roles = ("user", "assistant", "user")
    request = Request(tuple(Message(role, text) for role, text in zip(roles, turns, strict=True)))
    assert run(service, name, lambda engine: ask(engine, request)).output == "你是祝威廉。"


def test_thinking(service: StandIn, name: str, ask: Ask) -> None:
    service.script([{"fault": "reply", "text": "42", "reasoning": "six times seven"}])
    response = run(service, name, lambda engine: ask(engine, HELLO))
    assert (response.output, response.reasoning) == ("42", "six times seven")


def test_each_option_is_sent(service: StandIn, name: str) -> None:
    options = Options(
        temperature=0.5,
        top_p=0.9,
        top_k=5,
        max_tokens=50,
        stop=("a", "b"),
        seed=7,
        presence_penalty=0.1,
        response_format={"type": "object", "properties": {"x": {"type": "integer"}}},
        extra={"enable_search": True},
        draw=3,
        timeout_seconds=5,
    )
    response = run(service, name, lambda engine: engine.answer(Request(HELLO.messages, options)), extra={"user": "u"})
    body = service.requests()[0]["body"]
    sent = body if name == "openai" else body["parameters"]
    assert body["model"] == "standin"
    given = {"temperature": 0.5, "top_p": 0.9, "top_k": 5, "max_tokens": 50, "stop": ["a", "b"], "seed": 7}
    assert {key: sent[key] for key in given} == given
    assert (sent["presence_penalty"], sent["enable_search"], sent["user"]) == (0.1, True, "u")
    assert sent["response_format"]["type"] == "json_schema"
    assert sent["response_format"]["json_schema"]["schema"]["properties"] == {"x": {"type": "integer"}}
    assert not sent.keys() & {"draw", "timeout_seconds", "extra", "extra_body"}
    assert response.output == '{"x": 1}'


def test_nothing_but_the_temperature_is_sent_unasked(service: StandIn, name: str) -> None:
    run(service, name, lambda engine: engine.answer(HELLO))
    body = service.requests()[0]["body"]
    sent = set(body) | set(body.get("parameters", {}))
    assert sent - {"input", "parameters", "result_format"} in (
        {"model", "messages", "temperature"},
        {"model", "temperature"},
    )


def test_the_services_own_response_format_is_passed_as_it_is(service: StandIn, name: str) -> None:
    request = Request(HELLO.messages, Options(response_format={"type": "json_object"}))
    assert run(service, name, lambda engine: engine.answer(request)).output == '{"answer": "answer to: hello there"}'


def test_an_image(service: StandIn, name: str, ask: Ask) -> None:
    request = Request((Message("user", "what is it?", ("data:image/png;base64,AAAA",)),))
    response = run(service, name, lambda engine: ask(engine, request))
    assert response.output == "answer to: what is it?"
    assert "data:image/png;base64,AAAA" in str(service.requests()[0]["body"])


@pytest.mark.parametrize(
    ("fault", "codes", "retryable", "setup"),
    [
        ("rate_limit", ("rate_limit_exceeded", "Throttling.RateQuota"), True, False),
        ("server_error", ("server_error", "InternalError"), True, False),
        ("overloaded", ("service_unavailable", "ModelServingError"), True, False),
        ("drop", ("connection", "connection"), True, False),
        ("drop_midway", ("connection", "connection"), True, False),
        ("half_json", ("broken_reply", "broken_reply"), True, False),
        ("empty_choice", ("empty_choice", "empty_choice"), True, False),
        ("empty_content", ("empty_choice", "empty_choice"), True, False),
        ("bad_request", ("invalid_value", "InvalidParameter"), False, False),
        ("context", ("context_length_exceeded", "InvalidParameter"), False, False),
        ("quota", ("insufficient_quota", "Arrearage"), False, True),
        ("wrong_key", ("invalid_api_key", "InvalidApiKey"), False, True),
        ("unknown_model", ("model_not_found", "ModelNotFound"), False, True),
    ],
)
def test_a_fault(
    service: StandIn, name: str, ask: Ask, fault: str, codes: tuple[str, str], retryable: bool, setup: bool
) -> None:
    error = failure(service, name, ask, {"fault": fault})
    assert error.code == codes[name == "dashscope"]
    assert (error.retryable, error.setup, error.finish_reason) == (retryable, setup, "error")
    assert error.message


def test_the_services_own_words_come_through(service: StandIn, name: str, ask: Ask) -> None:
    fault = {"fault": "bad_request", "code": "OddCode", "message": "第三行有误", "marker": "there"}
    error = failure(service, name, ask, fault)
    assert (error.message, error.code) == ("第三行有误", "OddCode")


def test_cut_off_is_not_whole(service: StandIn, name: str, ask: Ask) -> None:
    service.script([{"fault": "length"}])
    response = run(service, name, lambda engine: ask(engine, HELLO))
    assert response.finish_reason == response.error.code == "length"
    assert response.output == "answer to: h"


def test_refused_content(service: StandIn, name: str, ask: Ask) -> None:
    error = failure(service, name, ask, {"fault": "refused_content"})
    assert (error.finish_reason, error.retryable, error.setup) == ("filter", False, False)


def test_a_filtered_answer(service: StandIn, name: str, ask: Ask) -> None:
    service.script([{"fault": "filter"}])
    response = run(service, name, lambda engine: ask(engine, HELLO))
    assert (response.output, response.finish_reason, response.error.code) == (None, "filter", "content_filter")


@pytest.mark.parametrize(("header", "seconds"), [("2", 2), ("0", 0), ("soon", None), (None, None)])
def test_retry_after(service: StandIn, name: str, ask: Ask, header: str | None, seconds: float | None) -> None:
    error = failure(service, name, ask, {"fault": "rate_limit", "retry_after": header})
    assert error.retry_after_seconds == seconds


def test_retry_after_a_date_or_in_milliseconds(service: StandIn, name: str) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    error = failure(service, name, whole, {"fault": "server_error", "retry_after": later})
    assert error.retry_after_seconds == pytest.approx(29, abs=2)
    service.reset()
    error = failure(service, name, whole, {"fault": "rate_limit", "retry_after": 9, "retry_after_ms": 250})
    assert error.retry_after_seconds == 0.25


def test_a_request_has_its_own_time_limit(service: StandIn, name: str, ask: Ask) -> None:
    request = Request(HELLO.messages, Options(timeout_seconds=0.2))
    error = failure(service, name, ask, {"fault": "hang"}, request)
    assert (error.code, error.retryable) == ("timeout", True)


def test_nobody_listens(service: StandIn, name: str, ask: Ask) -> None:
    with pytest.raises(ProviderError, match=r"127\.0\.0\.1") as caught:
        run(service, name, lambda engine: ask(engine, HELLO), base_url="http://127.0.0.1:1/v1")
    assert (caught.value.code, caught.value.retryable) == ("connection", True)


def test_the_key_is_never_shown(
    service: StandIn, name: str, ask: Ask, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    error = failure(service, name, ask, {"fault": "wrong_key"})
    assert service.requests()[0]["headers"]["Authorization"] == f"Bearer {KEY}", "or else nothing is tested"
    assert "(hidden)" in error.message
    shown = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error)) + caplog.text
    kind = find_engine(name)
    shown += repr(kind.Settings(**settings(service, name)))
    assert KEY not in shown + "".join(capfd.readouterr())


def test_vectors(service: StandIn, name: str) -> None:
    texts = [f"text {number}" for number in range(5)]
    vectors = run(service, name, lambda engine: engine.embed(texts))
    assert [len(vector) for vector in vectors] == [8] * 5
    assert vectors[1] == run(service, name, lambda engine: engine.embed(["text 1"]))[0]
    assert len({tuple(vector) for vector in vectors}) == 5


@pytest.mark.parametrize("fault", ["rate_limit", "drop", "drop_midway", "half_json"])
def test_vectors_fail_like_answers(service: StandIn, name: str, fault: str) -> None:
    service.script([{"fault": fault}])
    with pytest.raises(ProviderError) as caught:
        run(service, name, lambda engine: engine.embed(["text"]))
    assert caught.value.retryable


def test_many_at_once(service: StandIn, name: str) -> None:
    service.script([{"fault": "slow", "seconds": 0.2}])

    async def work(engine: Any) -> list[Response]:
        return await asyncio.gather(*(engine.answer(Request.of(f"row {number}")) for number in range(200)))

    responses = run(service, name, work)
    assert [response.output for response in responses] == [f"answer to: row {number}" for number in range(200)]
    assert service.most_at_once() > 100


def test_a_stream_grows(service: StandIn, name: str) -> None:
    service.script([{"fault": "slow", "piece_seconds": 0.02}])

    async def work(engine: Any) -> list[Any]:
        return [piece async for piece in engine.stream(Request.of("a longer question than most"))]

    *pieces, response = run(service, name, work)
    assert len(pieces) > 3
    assert response.output == "answer to: a longer question than most"


def test_a_key_that_is_not_there(service: StandIn, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(Exception, match="NO_SUCH_KEY is not set") as caught:
        run(service, name, lambda engine: engine.answer(HELLO), api_key="env:NO_SUCH_KEY")
    assert type(caught.value).__name__ == "SetupError"


def test_the_protocols(name: str) -> None:
    kind = find_engine(name)
    engine = kind(kind.Settings(model="m"))
    assert isinstance(engine, StreamingEngine)
    assert isinstance(engine, EmbeddingEngine)


def test_a_proxy_of_the_deployment(service: StandIn, name: str) -> None:
    address = "http://service.example/v1" if name == "openai" else "http://service.example/api/v1"
    response = run(service, name, lambda engine: engine.answer(HELLO), base_url=address, proxy=service.url)
    assert response.output == "answer to: hello there"
    assert service.requests()[0]["headers"]["Host"] == "service.example"


def test_a_proxy_of_the_environment(service: StandIn, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(ProviderError, match=r"127\.0\.0\.1:1"):
        run(service, name, lambda engine: engine.answer(HELLO))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert run(service, name, lambda engine: engine.answer(HELLO)).output == "answer to: hello there"
