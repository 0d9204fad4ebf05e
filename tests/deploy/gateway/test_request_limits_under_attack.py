"""Clients that leave, that do not read, and that send what nobody can read: the gateway lives and answers others."""

from __future__ import annotations

import contextlib
import json
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from quackllm.deploy.gateway.auth.api_keys import add_key
from quackllm.deploy.gateway.auth.usage_ledger import Cost, Ledger

import quackllm
from standin.fixtures import StandIn
from support.gateway_processes import wait_for

LONG = [{"role": "user", "content": "a long answer " * 100}]


def body_of(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


@contextlib.contextmanager
def posted(
    address: str, body: bytes, buffer: int | None = None, path: str = "/v1/chat/completions", key: str = "none"
) -> Iterator[socket.socket]:
    """Send a request and leave its answer to the block."""
    place = urlsplit(address)
    with socket.socket() as client:
        if buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.settimeout(20)
        client.connect((place.hostname, place.port))
        head = f"POST {path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n"
        head += f"Authorization: Bearer {key}\r\n"
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        yield client


def under_way(address: str) -> int:
    """How many requests are under way beside the one that asks."""
    with urllib.request.urlopen(f"{address}/metrics", timeout=20) as reply:
        lines = reply.read().decode().splitlines()
    return int(float(next(line for line in lines if line.startswith("quackllm_gateway_under_way")).split()[1])) - 1


def test_a_client_that_leaves_in_mid_stream_stops_the_engine(client: openai.OpenAI, service: StandIn) -> None:
    service.script([{"fault": "slow", "piece_seconds": 0.05}])  # 235 pieces: 12 seconds.
    with client.chat.completions.create(model="standin", messages=LONG, stream=True) as stream:
        assert [next(iter(stream)).choices[0].delta.content for _ in range(2)] == ["", "answer"]
        assert service.state()["under_way"] == 1
    wait_for(lambda: service.state()["under_way"] == 0, seconds=6)


def test_a_client_that_leaves_before_the_first_piece_stops_the_engine(gateway: str, service: StandIn) -> None:
    service.script([{"fault": "hang"}])
    with posted(gateway, body_of(model="standin", messages=LONG, stream=True)):
        wait_for(lambda: service.state()["under_way"] == 1)
    wait_for(lambda: service.state()["under_way"] == 0)
    wait_for(lambda: under_way(gateway) == 0)


ASKED = {
    "/v1/chat/completions": {"model": "standin", "messages": LONG},
    "/v1/completions": {"model": "standin", "prompt": "one"},
    "/v1/embeddings": {"model": "standin", "input": "one"},
    "/text2sql": {"model": "standin", "question": "how many?", "db_schema": "CREATE TABLE t (a INT)"},
    "/?model=standin": {"prompt": "one"},
}


@pytest.mark.parametrize("path", ASKED)
def test_a_client_that_leaves_gives_its_slot_back(serve: Any, home: Path, service: StandIn, path: str) -> None:
    """The gateway's slot, the key's and the worker's: the next one is answered while the service still hangs."""
    params = service.openai_params(**{"limits__max_attempts": 1})
    quackllm.deploy("standin", "saas/openai", infer_params=params, worker_concurrency=1)
    key = add_key(home / "keys.yaml", "alice", most_at_once=1, max_calls=10)
    address = serve(most_at_once=1)
    service.script([{"fault": "hang", "times": 2}])
    for _ in range(2):
        with posted(address, body_of(**ASKED[path]), path=path, key=key):
            wait_for(lambda: service.state()["under_way"] > 0)
        wait_for(lambda: service.state()["under_way"] == 0)
    with openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=3) as client:
        reply = client.chat.completions.create(
            model="standin", messages=[{"role": "user", "content": "hi"}], timeout=20
        )
    assert reply.choices[0].message.content == "answer to: hi"
    ledger = Ledger(home / "keys.yaml", home / "gateway.sqlite")
    wait_for(lambda: ledger.reserved("alice") == Cost())
    spent = ledger.usage_of_key("alice")
    assert spent.calls == service.count()
    assert spent.tokens >= 2, "what a stopped call cost is guessed"


def test_a_client_that_leaves_while_it_waits_for_a_worker_is_not_asked_for(serve: Any, service: StandIn) -> None:
    quackllm.deploy("standin", "saas/openai", infer_params=service.openai_params(), worker_concurrency=1)
    address = serve()
    service.script([{"fault": "hang", "times": 2}])
    with contextlib.ExitStack() as stack:
        for number in range(6):
            stack.enter_context(posted(address, body_of(model="standin", prompt=f"{number}"), path="/v1/completions"))
        wait_for(lambda: under_way(address) == 6)
    wait_for(lambda: under_way(address) == 0)
    wait_for(lambda: service.state()["under_way"] == 0)
    assert service.count() <= 2


def test_one_of_two_who_leaves_does_not_stop_the_other_whole_answer(gateway: str, service: StandIn) -> None:
    service.script([{"fault": "slow", "seconds": 0.5}])
    body = body_of(model="standin", messages=LONG)
    with posted(gateway, body) as other:
        with posted(gateway, body):
            wait_for(lambda: under_way(gateway) == 2)
        said = b""
        while b"}]" not in said:
            said += other.recv(65536)
    assert b"answer to: a long answer" in said
    assert service.count() == 1


def test_one_of_two_who_leaves_does_not_stop_the_other(client: openai.OpenAI, service: StandIn) -> None:
    service.script([{"fault": "slow", "piece_seconds": 0.005}])
    ask = {"model": "standin", "messages": LONG, "stream": True}
    with client.chat.completions.create(**ask) as first, client.chat.completions.create(**ask) as second:
        next(iter(first))
        next(iter(second))
        first.close()
        said = "".join(chunk.choices[0].delta.content or "" for chunk in second)
    assert said == f"answer to: {LONG[0]['content']}"
    assert service.count() == 1


def test_what_a_stopped_answer_cost_is_guessed(serve: Any, home: Path, service: StandIn) -> None:
    quackllm.deploy("standin", "saas/openai", infer_params=service.openai_params())
    key = add_key(home / "keys.yaml", "alice")
    ledger = Ledger(home / "keys.yaml", home / "gateway.sqlite")
    service.script([{"fault": "slow", "piece_seconds": 0.05}])
    with (
        openai.OpenAI(base_url=f"{serve()}/v1", api_key=key) as client,
        client.chat.completions.create(model="standin", messages=LONG, stream=True) as stream,
    ):
        next(iter(stream))
    wait_for(lambda: ledger.usage_of_key("alice").calls == 1)
    assert ledger.usage_of_key("alice").tokens >= len(LONG[0]["content"]) // 3


def test_a_client_that_reads_nothing_is_let_go(gateway: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quackllm.deploy.gateway.serving.server.UNREAD_SECONDS", 0.3)
    lines = ("x" * 1000 + "\n") * 6000
    body = body_of(model="echo", messages=[{"role": "user", "content": lines}], stream=True)
    with posted(gateway, body, buffer=4096):
        wait_for(lambda: under_way(gateway) == 1)
        wait_for(lambda: under_way(gateway) == 0)


def test_bodies_that_nobody_can_read(gateway: str) -> None:
    deep = b'{"model": "echo", "messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    odd = [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b'{"model": NaN}',
        b'{"model": "\\ud800", "prompt": "x"}',
        deep,
    ]
    big = body_of(model="echo", messages=[{"role": "user", "content": "x" * 10_000_000}])
    for body in [*odd, big]:
        with posted(gateway, body) as client, contextlib.suppress(ConnectionResetError, BrokenPipeError):
            status = int(client.recv(65536).split()[1])
            assert 400 <= status < 500, body[:40]
    assert json.loads(urllib.request.urlopen(f"{gateway}/readyz", timeout=20).read()) == {"status": "ready"}


@pytest.mark.parametrize("examples", [5, pytest.param(40, marks=pytest.mark.load)])
def test_the_published_interface_has_no_server_error(gateway: str, examples: int) -> None:
    """Random requests that fit each route, and random ones that do not, as schemathesis draws them."""
    with urllib.request.urlopen(f"{gateway}/openapi.json", timeout=20) as reply:
        document = json.load(reply)
    for name, body in document["components"]["schemas"].items():
        if "model" in body.get("properties", {}) and name.endswith("Body"):
            body["properties"]["model"] = {"type": "string", "enum": ["echo", "builtin_text2sql", "nobody"]}
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=gateway)
    seen = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        seen.add(operation.path)

        @given(case=operation.as_strategy())
        @settings(
            max_examples=examples,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: Any) -> None:
            reply = case.call(timeout=20)
            assert reply.status_code < 500, (case.path, case.body, reply.text)

        ask()
    assert {"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models"} <= seen
