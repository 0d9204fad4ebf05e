"""What a body may hold: fields of services, but none that a key or a price speaks of, and nothing that is no JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from quackllm.deploy.gateway.auth.api_keys import add_key

from standin.fixtures import StandIn

HELLO = [{"role": "user", "content": "hello"}]


def post(address: str, body: Any, path: str = "/v1/chat/completions", key: str = "none") -> httpx2.Response:
    """Post a body, which may be bytes that are no JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode("utf-8", "surrogatepass")
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    return httpx2.post(address + path, content=content, headers=headers, timeout=20)


@pytest.mark.parametrize(
    "extra",
    [
        {"model": "dear"},
        {"Model": "dear"},
        {"n": 128},
        {"messages": []},
        {"max_tokens": 10**6},
        {"maxCompletionTokens": 10**6},
        {"max_new_tokens": 10**6},
        {"best_of": 20},
        {"stream": True},
        {"user": "somebody"},
        {"service_tier": "priority"},
        {"tools": [{}]},
        {"models": ["dear"]},
        {"extra_body": {"model": "dear"}},
        {"base_address": "http://127.0.0.1:1"},
        {"extra_headers": {"x": "y"}},
    ],
)
def test_a_keys_model_and_calls_are_not_taken_from_extra(
    gateway: str, service: StandIn, home: Any, extra: dict[str, Any]
) -> None:
    key = add_key(home / "keys.yaml", "alice", models=["standin"])
    reply = post(gateway, {"model": "standin", "messages": HELLO, "extra": extra}, key=key)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_request")
    assert service.count() == 0


@pytest.mark.parametrize("field", ["models", "max_output_tokens", "best_of", "api_key", "functions", "Model", "route"])
def test_nor_from_a_field_that_is_not_ours(gateway: str, service: StandIn, field: str) -> None:
    assert post(gateway, {"model": "standin", "messages": HELLO, field: "dear"}).status_code == 400
    assert service.count() == 0


def test_nor_by_way_of_byzers_sql(gateway: str, service: StandIn) -> None:
    sql = """select standin(llm_param(map("instruction", feature, "gen.model", "dear"))) as value"""
    reply = httpx2.post(f"{gateway}/model/predict", data={"sql": sql, "data": '["x"]'}, timeout=20)
    assert reply.status_code == 400
    assert service.count() == 0


def test_fields_of_services_are_passed_on_and_nulls_are_not(gateway: str, service: StandIn) -> None:
    given = {"thinking": {"type": "enabled"}, "repetition_penalty": 1.1, "enable_thinking": False, "do_sample": True}
    left_out = {"user_id": "u", "request_id": "r", "watermark_enabled": None, "sensitive_word_check": None}
    reply = post(gateway, {"model": "standin", "messages": HELLO, **given, **left_out})
    assert reply.status_code == 200
    sent = service.requests()[-1]["body"]
    assert {name: sent[name] for name in given} == given
    assert left_out.keys().isdisjoint(sent)


@pytest.mark.parametrize("model", ["echo", "standin"])
def test_a_slip_of_the_keyboard_is_still_said(gateway: str, model: str) -> None:
    reply = post(gateway, {"model": model, "messages": HELLO, "temprature": 1})
    assert reply.status_code == 400
    assert "did you mean 'temperature'" in reply.text


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        ({"type": "input_text", "text": "hi"}, "hi"),
        ({"text": "hi"}, "hi"),
        ("hi", "hi"),
        (
            {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}},
            [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}],
        ),
        ({"type": "text", "text": "hi", "cache_control": None}, "hi"),
    ],
)
def test_parts_of_every_vendors_spelling(gateway: str, service: StandIn, part: Any, sent: Any) -> None:
    body = {"messages": [{"role": "user", "content": [part]}]}
    assert post(gateway, {"model": "standin", **body}).json()["choices"][0]["message"]["content"] == "answer to: hi"
    assert service.requests()[-1]["body"]["messages"][0]["content"] == sent
    assert post(gateway, {"model": "echo", **body}).json()["choices"][0]["message"]["content"] == "echo: hi"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": "data:image/png;base64,AAAA"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
        {"type": "image", "image": "data:image/png;base64,AAAA"},
        {"image": "data:image/png;base64,AAAA"},
    ],
)
def test_images_of_every_vendors_spelling(gateway: str, service: StandIn, part: Any) -> None:
    content = [part, {"type": "text", "text": "what is it?"}]
    assert post(gateway, {"model": "standin", "messages": [{"role": "user", "content": content}]}).status_code == 200
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert image in service.requests()[-1]["body"]["messages"][0]["content"]


def test_parts_that_only_a_service_knows(gateway: str, service: StandIn) -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    detailed = {"type": "image_url", "image_url": {"url": "data:,", "detail": "low"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "hear"}, audio, detailed], "partial": True}]
    assert post(gateway, {"model": "standin", "messages": messages}).status_code == 200
    assert service.requests()[-1]["body"]["messages"] == messages
    reply = post(gateway, {"model": "echo", "messages": messages})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "content_not_supported")


@pytest.mark.parametrize(
    "part", [{}, {"type": 7}, {"type": "text"}, {"type": "text", "text": 7}, {"type": "image_url"}]
)
def test_parts_that_cannot_be_read_say_what_to_write(gateway: str, part: Any) -> None:
    reply = post(gateway, {"model": "echo", "messages": [{"role": "user", "content": [part]}]})
    assert reply.status_code == 400
    assert "write " in reply.json()["error"]["message"]


BODIES = {
    "/v1/chat/completions": '{"model": "standin", "messages": [{"role": "user", "content": "hi"}], "extra": {"x": %s}}',
    "/v1/completions": '{"model": "standin", "prompt": "hi", "logit_bias": {"1": %s}}',
    "/v1/embeddings": '{"model": "standin", "input": ["hi", %s]}',
    "/text2sql": '{"question": "how many?", "db_schema": "CREATE TABLE t (a INT)", "evidence": %s}',
    "/": '{"prompt": "hi", "more": %s}',
}
NO_JSON = {
    "nan": "NaN",
    "infinity": "Infinity",
    "minus infinity": "-Infinity",
    "a number beyond": "1e999",
    "high surrogate": r'"\ud83d"',
    "low surrogate": r'"\udfff"',
    "surrogate in a name": r'{"\ud83d": 1}',
    "surrogate in bytes": '"\ud83d"',
    "too deep": "[" * 500 + "]" * 500,
    "far too deep": "[" * 100_000 + "]" * 100_000,
    "too large": "9" * 10_000,
}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("value", NO_JSON)
def test_what_is_no_json_is_refused_before_anything_waits(
    gateway: str, service: StandIn, path: str, value: str
) -> None:
    body = (BODIES[path] % NO_JSON[value]).encode("utf-8", "surrogatepass")
    assert post(gateway, body, path).status_code == 400
    assert service.count() == 0


@pytest.mark.parametrize("value", NO_JSON)
def test_nor_in_what_byzer_calls_data(gateway: str, service: StandIn, value: str) -> None:
    data = {"sql": "select standin(array(feature)) as value", "data": f"[{NO_JSON[value]}]", "dataType": "string"}
    if value == "surrogate in bytes":
        pytest.skip("a form is read with replacement characters in their place")
    assert httpx2.post(f"{gateway}/model/predict", data=data, timeout=20).status_code == 400
    assert service.count() == 0


def test_a_byte_order_mark_and_every_letter_are_text(gateway: str) -> None:
    text = "\N{GRINNING FACE}\0\u2028\ufeff"
    body = json.dumps({"model": "echo", "messages": [{"role": "user", "content": text}]})
    for content in (body.encode(), b"\xef\xbb\xbf" + body.encode(), body.encode("utf-8-sig")):
        assert post(gateway, content).json()["choices"][0]["message"]["content"] == f"echo: {text}"


def test_token_ids_say_what_to_type_where_the_encoding_is_not_there(
    gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    for token_ids in ([[1, 2, 3]], [1, 2, 3]):
        message = post(gateway, {"model": "echo", "input": token_ids}, "/v1/embeddings").json()["error"]["message"]
        assert "check_embedding_ctx_length=False" in message
        assert "tiktoken.get_encoding" in message
