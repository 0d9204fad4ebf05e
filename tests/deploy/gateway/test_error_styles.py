"""An error is said as the protocol of its path says it, wherever it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from quackllm.deploy.gateway.auth.api_keys import add_key

PATHS = ("/v1/chat/completions", "/v1/embeddings", "/text2sql", "/", "/model/predict")


def is_its_own(path: str, reply: httpx2.Response, code: str) -> bool:
    """Whether the reply is an error of that code, in the form that the path's clients read."""
    if path == "/":
        return isinstance(reply.json(), str)
    if path == "/model/predict":
        return reply.headers["Content-Type"].startswith("text/plain") and reply.text.startswith(f"{code}: ")
    if path == "/text2sql":
        return reply.json()["sql"] is None and bool(reply.json()["error"]["code"] == code)
    return bool(reply.json()["error"]["code"] == code) and "type" in reply.json()["error"]


@pytest.mark.parametrize("path", PATHS)
def test_whoever_refuses_speaks_the_protocol(serve: Any, home: Path, path: str) -> None:
    address = serve(most_body_bytes=2000)

    def post(content: bytes, **headers: str) -> httpx2.Response:
        headers = {"Content-Type": "application/json", **headers}
        return httpx2.post(address + path, content=content, headers=headers, timeout=20)

    refused = {
        "body_too_large": (413, post(b"x" * 3000)),
        "unknown_host": (421, post(b"{}", Host="elsewhere.example")),
        "cross_origin": (403, post(b"{}", Origin="https://evil.example")),
        "invalid_request": (400, post(b"{NaN}")) if path != "/model/predict" else (400, post(b"sql=")),
    }
    add_key(home / "keys.yaml", "alice")
    body = b"sql=select%201%20as%20a" if path == "/model/predict" else b"{}"
    kind = "application/x-www-form-urlencoded" if path == "/model/predict" else "application/json"
    refused["missing_api_key"] = (401, httpx2.post(address + path, content=body, headers={"Content-Type": kind}))
    for code, (status, reply) in refused.items():
        assert reply.status_code == status, (code, reply.text)
        assert is_its_own(path, reply, code), (code, reply.text)
    assert refused["missing_api_key"][1].headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/text2sql", "/model/predict"])
def test_a_method_that_a_path_has_not(serve: Any, path: str) -> None:
    reply = httpx2.get(serve() + path, timeout=20)
    assert reply.status_code == 405
    assert is_its_own(path, reply, "method_not_allowed")


def test_a_path_that_there_is_not_is_openais(serve: Any) -> None:
    reply = httpx2.post(f"{serve()}/v1/responses", json={}, timeout=20)
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "not_found")
