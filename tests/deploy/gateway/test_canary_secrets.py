"""A secret in every place where a gateway's owner can put one is in nothing that a client or a reader of logs sees."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from quackllm.deploy.gateway.auth.api_keys import add_key

import quackllm
from standin.fixtures import StandIn
from standin.standin_faults import REFUSALS

UPSTREAM_KEY = "sk-canary-upstream-key-93417"
HEADER = "canary-header-value-55021"
EXTRA = "canary-extra-value-77310"
PROXY_PASSWORD = "canary-proxy-password-12894"
ALL_PLANTED = (UPSTREAM_KEY, HEADER, EXTRA, PROXY_PASSWORD)
CONSOLE = tuple(f"/console/{name}" for name in ("session", "models", "usage", "keys", "databases/nothing"))
CLOSED_PORT = 9
"""`discard`: nothing listens there."""


@pytest.fixture
def planted(service: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Two models, one of them behind a proxy that is not there, with a secret in each field that may hold one."""
    for name, value in {"UP_KEY": UPSTREAM_KEY, "UP_HEADER": HEADER}.items():
        monkeypatch.setenv(f"CANARY_{name}", value)
    params = service.openai_params(limits__max_attempts=1) | {
        "saas.api_key": "env:CANARY_UP_KEY",
        "saas.headers": {"x-canary": "env:CANARY_UP_HEADER"},
        "saas.extra": {"canary_token": EXTRA},
    }
    quackllm.deploy("direct", "saas/openai", infer_params=params)
    proxy = f"http://canary:{PROXY_PASSWORD}@127.0.0.1:{CLOSED_PORT}"
    quackllm.deploy("proxied", "saas/openai", infer_params={**params, "saas.proxy": proxy})
    dashscope = service.dashscope_params(limits__max_attempts=1) | {"saas.api_key": "env:CANARY_UP_KEY"}
    quackllm.deploy("qwen", "saas/qianwen", infer_params={**dashscope, "saas.extra": {"canary_token": EXTRA}})
    quackllm.deploy("qwen_proxied", "saas/qianwen", infer_params={**dashscope, "saas.proxy": proxy})
    return service


def requests(model: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every route that asks a model or shows one, and some that fail before."""
    messages = [{"role": "user", "content": "hello"}]
    for more in ({}, {"stream": True}, {"temprature": 1}, {"extra": {"model": "x"}}):
        yield "POST", "/v1/chat/completions", {"json": {"model": model, "messages": messages, **more}}
    yield "POST", "/v1/completions", {"json": {"model": model, "prompt": "hello"}}
    yield "POST", "/v1/embeddings", {"json": {"model": model, "input": "hello"}}
    question = {"question": "how many?", "db_schema": "CREATE TABLE t (a INT)", "model": model}
    yield "POST", "/text2sql", {"json": question}
    yield "POST", f"/?model={model}", {"json": {"prompt": "hello"}}
    sql = f"select {model}(array(feature)) as value"
    yield "POST", "/model/predict", {"data": {"sql": sql, "data": '["hello"]'}}
    for path in ("/v1/models", f"/v1/models/{model}", "/metrics", "/openapi.json", "/readyz", "/v1/nothing", *CONSOLE):
        yield "GET", path, {}


def ask_everything(address: str, model: str, key: str) -> Iterator[str]:
    """Yield all that a client sees: heads, bodies, and what its library says of a broken connection."""
    with httpx2.Client(base_url=address, timeout=30, headers={"Cache-Control": "no-cache"}) as client:
        for method, path, body in requests(model):
            for shown in ({"Authorization": f"Bearer {key}"}, {"Authorization": f"Bearer {key}x"}, {}):
                with contextlib.suppress(httpx2.TransportError):
                    reply = client.request(method, path, headers=shown, **body)
                    yield f"{method} {path}: {reply.status_code} {dict(reply.headers)} {reply.text}"


@pytest.mark.parametrize("fault", [None, *REFUSALS, "half_json", "drop", "reply"])
@pytest.mark.parametrize("model", ["direct", "qwen", "proxied", "qwen_proxied"])
def test_no_secret_is_seen_by_clients_or_in_logs(
    serve: Any,
    planted: StandIn,
    home: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    model: str,
    fault: str | None,
) -> None:
    if "proxied" in model and fault:
        pytest.skip("nothing is reached through a proxy that is not there")
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, "quackllm")
    gateway_key = add_key(home / "keys.yaml", "alice", max_calls=1000)
    if fault:
        # A service that repeats all that it was sent, as some do.
        repeated = f"you sent {UPSTREAM_KEY} with {EXTRA}" + (f" and {HEADER}" if model == "direct" else "")
        said = {"message": repeated} if fault in REFUSALS else {"text": repeated} if fault == "reply" else {}
        planted.script([{"fault": fault, **said}])
    seen = list(ask_everything(serve(), model, gateway_key))
    captured = capfd.readouterr()
    logged = "\n".join([caplog.text, captured.out, captured.err])
    assert len(seen) > 30
    for secret in (*ALL_PLANTED, gateway_key):
        found = [text[:300] for text in [*seen, logged] if secret in text]
        assert not found, f"{secret} is shown: {found[:3]}"


def test_a_key_is_nowhere_in_the_home_folder(serve: Any, planted: StandIn, home: Path) -> None:
    gateway_key = add_key(home / "keys.yaml", "alice", max_calls=1000)
    planted.script([{"fault": "reply", "text": f"you sent {UPSTREAM_KEY} and {HEADER}"}])
    list(ask_everything(serve(), "direct", gateway_key))
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert gateway_key.encode() not in content, path
            assert UPSTREAM_KEY.encode() not in content, path
            assert HEADER.encode() not in content, path
