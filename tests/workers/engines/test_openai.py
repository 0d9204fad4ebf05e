"""What the OpenAI engine does beside the contract of `test_provider_replies.py`."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from quackllm.workers.engines.openai import OpenAIEngine, OpenAISettings, wanted_format
from quackllm.workers.errors import ProviderError
from quackllm.workers.messages import Request, Response
from quackllm.workers.options import Options

from standin.fixtures import KEY, StandIn


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
    wrapped = wanted_format(schema)
    assert wrapped == {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": False}}
    assert wanted_format(wrapped) is wrapped
    closed = wanted_format({**schema, "additionalProperties": False})
    assert closed["json_schema"]["strict"] is True


@pytest.mark.parametrize("reason", ["tool_calls", "function_call"])
def test_a_tool_call_is_an_answer(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    choice = {"finish_reason": reason, "message": {"role": "assistant", "content": None, "tool_calls": calls}}
    assert json.loads(said({"choices": [choice]}, monkeypatch).output or "") == calls


def said(body: Any, monkeypatch: pytest.MonkeyPatch) -> Response:
    """Return what the engine makes of a reply's body."""

    async def post(*_: Any, **__: Any) -> Any:
        return body

    async def main() -> Response:
        engine = OpenAIEngine(OpenAISettings(model="m"))
        await engine.start()
        monkeypatch.setattr(engine._client, "post", post)
        try:
            return await engine.answer(Request.of("hello"))
        finally:
            await engine.close()

    return asyncio.run(main())


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
def test_odd_replies_with_status_200(
    body: Any, code: str, retryable: bool, setup: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProviderError) as caught:
        said(body, monkeypatch)
    assert (caught.value.code, caught.value.retryable, caught.value.setup) == (code, retryable, setup)


def test_a_refusal_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    message = {"content": None, "refusal": "I cannot help with that."}
    response = said({"choices": [{"finish_reason": "content_filter", "message": message}]}, monkeypatch)
    assert response.finish_reason == "filter"
    assert response.error is not None
    assert response.error.message == "I cannot help with that."


def test_nothing_but_thinking_until_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    message = {"content": "", "reasoning_content": "well, first"}
    response = said({"choices": [{"finish_reason": "length", "message": message}]}, monkeypatch)
    assert (response.output, response.reasoning, response.finish_reason) == (None, "well, first", "length")
