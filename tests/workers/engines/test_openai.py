"""What the OpenAI engine does beside the contract of `test_provider_replies.py`."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from quackllm.workers.engines.openai import OpenAIEngine, OpenAISettings, response_format_field
from quackllm.workers.errors import ProviderError
from quackllm.workers.messages import Message, Request, Response
from quackllm.workers.options import Options

from standin.fixtures import KEY, StandIn
from support.raw_service import RawReply, RawService, Received, running_raw_service


def answer(service: StandIn, options: Options | None = None, **settings: Any) -> Response:
    async def main() -> Response:
        given = {"model": "standin", "base_url": service.openai_url, "api_key": KEY, **settings}
        engine = OpenAIEngine(OpenAISettings(**given))
        await engine.start()
        try:
            return await engine.answer(Request(Request.of("hello").messages, options or Options()))
        finally:
            await engine.close()

    return asyncio.run(main())


def test_a_local_server_gets_no_key_of_the_environment(service: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody")
    answer(service, api_key=None)
    assert "sk-of-somebody" not in str(service.requests())


def test_the_key_is_read_from_its_reference(service: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-from-the-environment")
    answer(service, api_key="env:SOME_KEY", headers={"X-Team": "env:SOME_KEY"}, organization="org-1")
    headers = {name.lower(): value for name, value in service.requests()[0]["headers"].items()}
    assert headers["authorization"] == "Bearer sk-from-the-environment"
    assert (headers["x-team"], headers["openai-organization"]) == ("sk-from-the-environment", "org-1")


def test_a_model_with_its_own_temperature_and_field_names(service: StandIn) -> None:
    more = {"default_temperature": None, "max_tokens_field": "max_completion_tokens"}
    answer(service, Options(max_tokens=9), **more)
    answer(service, Options(temperature=0.5), **more)
    first, second = (request["body"] for request in service.requests())
    assert "temperature" not in first
    assert first["max_completion_tokens"] == 9
    assert "max_tokens" not in first
    assert second["temperature"] == 0.5


def test_a_schema_is_wrapped_once() -> None:
    schema = {"type": "object", "title": "一个人", "properties": {}}
    wrapped = response_format_field(schema)
    assert wrapped == {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": False}}
    assert response_format_field(wrapped) is wrapped
    closed = response_format_field({**schema, "additionalProperties": False})
    assert closed["json_schema"]["strict"] is True


@pytest.mark.parametrize("reason", ["tool_calls", "function_call"])
def test_a_tool_call_is_an_answer(reason: str, raw: RawService) -> None:
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    choice = {"finish_reason": reason, "message": {"role": "assistant", "content": None, "tool_calls": calls}}
    assert json.loads(said({"choices": [choice]}, raw).output or "") == calls


@pytest.fixture
def raw() -> Iterator[RawService]:
    """A service that answers with any bytes."""
    with running_raw_service() as service:
        yield service


async def ask(raw: RawService, stream: bool, **settings: Any) -> Response:
    engine = OpenAIEngine(OpenAISettings(model="m", base_url=raw.url, **settings))
    await engine.start()
    try:
        if not stream:
            return await engine.answer(Request.of("hello"))
        *pieces, response = [piece async for piece in engine.stream(Request.of("hello"))]
        assert "".join(pieces) == (response.output or "")
        return response
    finally:
        await engine.close()


def said(body: Any, raw: RawService, stream: bool = False, **settings: Any) -> Response:
    """Return what the engine makes of a reply's body."""
    raw.reply = body if isinstance(body, RawReply) or callable(body) else RawReply.json(body)
    return asyncio.run(ask(raw, stream, **settings))


@pytest.mark.parametrize(
    ("body", "code", "retryable", "setup"),
    [
        ({"choices": None, "error": {"message": "upstream is full", "code": 429}}, "429", True, False),
        ({"error": {"message": "no credit", "code": "insufficient_quota"}}, "insufficient_quota", False, True),
        ({"error": [{"error": {"message": "no such key", "code": 401}}]}, "401", False, True),
        ({"choices": []}, "empty_choice", True, False),
        ({"choices": [{"finish_reason": "stop", "message": None}]}, "empty_choice", True, False),
        ({"choices": [{"finish_reason": "network_error", "message": {"content": "x"}}]}, "network_error", True, False),
        ("<html>bad gateway</html>", "broken_reply", True, False),
    ],
)
def test_odd_replies_with_status_200(body: Any, code: str, retryable: bool, setup: bool, raw: RawService) -> None:
    with pytest.raises(ProviderError) as caught:
        said(body, raw)
    assert (caught.value.code, caught.value.retryable, caught.value.setup) == (code, retryable, setup)


def test_a_refusal_is_no_answer(raw: RawService) -> None:
    message = {"content": None, "refusal": "I cannot help with that."}
    response = said({"choices": [{"finish_reason": "content_filter", "message": message}]}, raw)
    assert response.finish_reason == "filter"
    assert response.error is not None
    assert response.error.message == "I cannot help with that."


def test_nothing_but_thinking_until_the_limit(raw: RawService) -> None:
    message = {"content": "", "reasoning_content": "well, first"}
    response = said({"choices": [{"finish_reason": "length", "message": message}]}, raw)
    assert (response.output, response.reasoning, response.finish_reason) == (None, "well, first", "length")


def whole(text: Any, reason: Any = "stop", **more: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "finish_reason": reason, "message": {"content": text}}], **more}


def piece(text: Any = None, reason: Any = None) -> dict[str, Any]:
    delta = {} if text is None else {"content": text}
    return {"id": "c", "choices": [{"index": 0, "finish_reason": reason, "delta": delta}]}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("text", "output", "reasoning"),
    [
        ([{"type": "text", "text": "Hi"}], "Hi", None),
        ([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hi"}], "Hi", "hm"),
        (["a", {"text": "b"}], "ab", None),
        ({"type": "text", "text": "Hi"}, "Hi", None),
        ({"answer": 42}, '{"answer": 42}', None),
        (42, "42", None),
        ("<think>hm</think>\n\nFour", "Four", "hm"),
        ("<thinking>\nhm\n</thinking>Four", "Four", "hm"),
        ("<seed:think>hm</seed:think>Four", "Four", "hm"),
        ("```\n<think>hm</think>\n```", "```\n<think>hm</think>\n```", None),
        ("<think>\n\n</think>\n\nFour", "Four", None),
        ("a\ud83d", "a\ufffd", None),
        ("\ud83d\ude00", "😀", None),
    ],
)
def test_the_content_is_made_text(raw: RawService, stream: bool, text: Any, output: str, reasoning: str | None) -> None:
    body = RawReply.events(piece(text), piece(None, "stop")) if stream else whole(text)
    response = said(body, raw, stream)
    assert (response.output, response.reasoning, response.finish_reason) == (output, reasoning, "stop")


def test_a_null_that_keeps_a_stream_alive_is_no_part_of_the_answer(raw: RawService) -> None:
    response = said(RawReply.events(None, piece("Hi"), None, piece(None, "stop")), raw, True)
    assert (response.output, response.error) == ("Hi", None)


def test_thinking_that_ends_in_another_piece_is_not_shown(raw: RawService) -> None:
    pieces = [piece(text) for text in ("<th", "ink>one", " two</thi", "nk>", "\n\nFour", " five")]
    response = said(RawReply.events(*pieces, piece(None, "stop")), raw, stream=True)
    assert (response.output, response.reasoning) == ("Four five", "one two")


def test_half_a_surrogate_pair_is_joined_with_the_next_piece(raw: RawService) -> None:
    response = said(RawReply.events(piece("a\ud83d"), piece("\ude00b"), piece(None, "stop")), raw, stream=True)
    assert response.output == "a😀b"


@pytest.mark.parametrize("stream", [False, True])
def test_the_framing_is_read_from_what_came(raw: RawService, stream: bool) -> None:
    events = RawReply.events(piece("Hel"), piece("lo"), piece(None, "stop"))
    assert isinstance(events.body, bytes)
    text = events.body
    bodies = [
        RawReply.json(whole("Hello")),
        RawReply(json.dumps(whole("Hello"), indent=2).encode()),
        events,
        RawReply(b"\xef\xbb\xbf" + text),
        RawReply(text.replace(b"\n", b"\r\n")),
        RawReply(text.replace(b"\n\n", b"\n")),
        RawReply(text.replace(b"data: ", b"data:")),
        RawReply(b": ping\n\n" + text.replace(b"data: [DONE]", b"")),
        RawReply(b"".join(json.dumps(value).encode() + b"\n" for value in (piece("Hel"), piece("lo", "stop")))),
        RawReply([text[place : place + 1] for place in range(len(text))], chunked=True),
        RawReply(gzip.compress(text), headers={"Content-Encoding": "gzip"}),
        RawReply(gzip.compress(text)),
        RawReply(zlib.compress(text), headers={"Content-Encoding": "deflate"}),
        RawReply(json.dumps(whole("Hello")).encode("utf-16")),
        RawReply.json({"data": whole("Hello")}),
    ]
    assert [said(body, raw, stream).output for body in bodies] == ["Hello"] * len(bodies)


@pytest.mark.parametrize(
    ("reason", "meaning"),
    [
        *[
            (reason, "stop")
            for reason in ("eos", "eos_token", "STOP", "stop_sequence", "end_turn", "complete", "what?")
        ],
        *[(reason, "stop") for reason in (None, "", 7, ["stop"], {"type": "stop"})],
        *[
            (reason, "length")
            for reason in ("MAX_TOKENS", "max_length", "length_limit", "model_length", "model-context-window-exceeded")
        ],
        *[(reason, "filter") for reason in ("SAFETY", "content_filter", "RECITATION", "sensitive")],
    ],
)
def test_each_finish_reason_has_one_meaning(raw: RawService, reason: Any, meaning: str) -> None:
    response = said(whole("x", reason), raw)
    assert (response.finish_reason, response.output) == (meaning, "x")
    assert len(raw.received) == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("body", "code", "message", "setup"),
    [
        ({"code": 500, "msg": "404 NOT_FOUND", "success": False}, "500", "404 NOT_FOUND", False),
        (
            {"object": "error", "message": "the model is not here", "code": 40301},
            "40301",
            "the model is not here",
            True,
        ),
        ({"error_code": 336003, "error_msg": "must be odd"}, "336003", "must be odd", False),
        ({"choices": None, "base_resp": {"status_code": 1004, "status_msg": "login fail"}}, "1004", "login fail", True),
        ({"Response": {"Error": {"Code": "AuthFailure", "Message": "no such id"}}}, "AuthFailure", "no such id", True),
        ({"error": "the model is overloaded"}, "service_error", "the model is overloaded", False),
        (
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            "overloaded_error",
            "Ov",
            False,
        ),
        (
            {"detail": [{"loc": ["body"], "msg": "field required", "type": "missing"}]},
            "missing",
            "field required",
            False,
        ),
        ({"errors": [{"code": "7", "detail": "bad row"}]}, "7", "bad row", False),
        ({"header": {"code": 10013, "message": "the input is not allowed"}}, "10013", "the input is", False),
    ],
)
def test_a_refusal_with_status_200_has_the_services_own_words(
    raw: RawService, stream: bool, body: Any, code: str, message: str, setup: bool
) -> None:
    with pytest.raises(ProviderError) as caught:
        said(body, raw, stream)
    assert (caught.value.code, caught.value.setup) == (code, setup)
    assert message in caught.value.message


def test_an_error_amid_a_stream_is_told(raw: RawService) -> None:
    reply = RawReply.events(piece("Hel"), {"error": {"message": "the GPU is gone", "code": 503}})
    with pytest.raises(ProviderError, match="the GPU is gone") as caught:
        said(reply, raw, stream=True)
    assert (caught.value.code, caught.value.retryable) == ("503", True)


@pytest.mark.parametrize(
    "usage", [{"prompt_tokens": -9, "completion_tokens": -9}, {"prompt_tokens": "many"}, "x", None]
)
def test_tokens_that_cannot_be_are_estimated(raw: RawService, usage: Any) -> None:
    usage = said(whole("an answer", usage=usage), raw).usage
    assert (usage.input_tokens, usage.output_tokens) == (2, 4)
    assert said(whole("x", usage={"prompt_tokens": "7", "completion_tokens": 2.0}), raw).usage.input_tokens == 7


def test_a_service_that_refuses_stream_options_is_asked_without_them(raw: RawService) -> None:
    def respond(received: Received) -> RawReply:
        if "stream_options" in received.body:
            return RawReply.json({"error": {"message": "Unrecognized request argument: stream_options"}}, 400)
        return RawReply.events(piece("fine", "stop"))

    assert said(respond, raw, stream=True).output == "fine"
    assert ["stream_options" in request.body for request in raw.received] == [True, False]


def test_null_leaves_a_field_out(raw: RawService) -> None:
    said(RawReply.events(piece("fine", "stop")), raw, True, extra={"stream_options": None, "temperature": None})
    assert raw.received[0].body.keys() == {"model", "messages", "stream"}


def embed(raw: RawService, body: Any, count: int) -> Any:
    raw.reply = RawReply.json(body)

    async def main() -> Any:
        engine = OpenAIEngine(OpenAISettings(model="m", base_url=raw.url))
        await engine.start()
        try:
            return await engine.embed(["text"] * count)
        finally:
            await engine.close()

    return asyncio.run(main())


def test_vectors_of_every_shape(raw: RawService) -> None:
    coded = base64.b64encode(struct.pack("<2f", 0.5, -2.0)).decode()
    assert embed(raw, {"data": [{"embedding": [1]}, {"embedding": [2]}]}, 2) == [(1.0,), (2.0,)]
    assert embed(raw, {"data": [{"index": 1, "embedding": [1]}, {"index": 0, "embedding": [2]}]}, 2) == [(2.0,), (1.0,)]
    assert embed(raw, {"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [2]}]}, 2) == [(1.0,), (2.0,)]
    assert embed(raw, {"data": [{"index": 0, "embedding": coded}]}, 1) == [(0.5, -2.0)]
    assert embed(raw, {"data": [{"embedding": None}, {"embedding": [2]}, {"embedding": ["x"]}]}, 3) == [
        None,
        (2.0,),
        None,
    ]
    with pytest.raises(ProviderError, match="1 vectors for 2 texts"):
        embed(raw, {"data": [{"embedding": [1]}]}, 2)


def test_a_request_that_cannot_be_written_is_not_sent(raw: RawService) -> None:
    bad = [
        Request.of("half a pair: \ud83d"),
        Request(Request.of("x").messages, Options(extra={"logit_bias": {"1": float("nan")}})),
        Request(Request.of("x").messages, Options(extra={"x": [float("inf")]})),
    ]

    async def main() -> None:
        engine = OpenAIEngine(OpenAISettings(model="m", base_url=raw.url))
        await engine.start()
        for request in bad:
            with pytest.raises(ProviderError) as caught:
                await engine.answer(request)
            assert (caught.value.code, caught.value.retryable) == ("invalid_request", False)
        await engine.close()

    asyncio.run(main())
    assert not raw.received


def test_fields_that_we_do_not_know_are_passed_on(raw: RawService) -> None:
    parts = [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]
    raw.reply = RawReply.json(whole("fine"))

    async def main() -> None:
        engine = OpenAIEngine(OpenAISettings(model="m", base_url=raw.url))
        await engine.start()
        await engine.answer(Request((Message("user", "hi", extra=json.dumps({"content": parts})),)))
        await engine.close()

    asyncio.run(main())
    assert raw.received[0].body["messages"][0]["content"] == parts


@pytest.mark.parametrize(("key", "said"), [(None, "no key was sent: deploy"), ("sk-wrong", "deploy")])
def test_a_refusal_for_want_of_a_key_says_so(raw: RawService, key: str | None, said: str) -> None:
    raw.reply = lambda _: RawReply(b'{"error": {"message": "who are you?"}}', status=401)
    settings = OpenAISettings(model="m", base_url=raw.url, api_key=key)

    async def main() -> None:
        engine = OpenAIEngine(settings)
        await engine.start()
        try:
            await engine.answer(Request.of("hello"))
        finally:
            await engine.close()

    with pytest.raises(ProviderError) as refused:
        asyncio.run(main())
    assert refused.value.hint.startswith(said)
