"""Who may ask, how much, and from where: keys, budgets, rates, sizes, and what a stranger is told."""

from __future__ import annotations

import http.client
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from quackllm.deploy.cli.main import app
from quackllm.deploy.gateway.auth.api_keys import add_key, find_key, key_digest, read_keys, remove_key
from quackllm.deploy.gateway.auth.usage_ledger import Admission, Cost, Ledger, Refusal, TokenBucket
from quackllm.deploy.gateway.settings import GatewaySettings
from quackllm.workers.errors import RequestError, SetupError
from typer.testing import CliRunner

import quackllm
from standin.fixtures import StandIn
from support.gateway_processes import wait_for

HELLO = [{"role": "user", "content": "hello"}]


@contextmanager
def client_with(address: str, key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0) as client:
        yield client


def ask(client: openai.OpenAI, text: str = "hello", model: str = "echo") -> str | None:
    reply = client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])
    return reply.choices[0].message.content


def raw(address: str, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Content-Type": "application/json", **named})
        reply = connection.getresponse()
        return reply.status, reply.read(), {name.lower(): value for name, value in reply.getheaders()}
    finally:
        connection.close()


def test_a_key_is_shown_once_and_kept_as_a_hash(home: Path) -> None:
    path = home / "keys.yaml"
    key = add_key(path, "alice", max_calls=3)
    assert len(key) > 40
    assert key not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert find_key(read_keys(path), key_digest(key)) == "alice"
    assert find_key(read_keys(path), key_digest(key + "x")) is None
    with pytest.raises(RequestError, match="called 'alice' already"):
        add_key(path, "alice")
    remove_key(path, "alice")
    assert read_keys(path) == {}
    with pytest.raises(RequestError, match="no key is called"):
        remove_key(path, "alice")


def test_without_the_right_key_nobody_gets_in(gateway: str, home: Path) -> None:
    key = add_key(home / "keys.yaml", "alice")
    for wrong in ("none", key[:-1], key.upper()):
        with client_with(gateway, wrong) as client, pytest.raises(openai.AuthenticationError) as caught:
            ask(client)
        assert caught.value.code == "invalid_api_key"
    status, body, headers = raw(gateway, "GET", "/v1/models")
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert b"missing_api_key" in body
    assert raw(gateway, "GET", "/metrics")[0] == 401
    assert raw(gateway, "GET", "/healthz")[0] == 200
    with client_with(gateway, key) as client:
        assert ask(client) == "echo: hello"
    remove_key(home / "keys.yaml", "alice")
    add_key(home / "keys.yaml", "bob")
    with client_with(gateway, key) as client, pytest.raises(openai.AuthenticationError):
        ask(client)


def test_a_key_asks_its_own_models_only(gateway: str, home: Path) -> None:
    key = add_key(home / "keys.yaml", "alice", models=["echo"])
    with client_with(gateway, key) as client:
        assert [model.id for model in client.models.list()] == ["echo"]
        with pytest.raises(openai.PermissionDeniedError, match="alice may not call the model standin") as caught:
            ask(client, model="standin")
    assert caught.value.code == "model_not_allowed"


def test_a_budget_of_calls_ends_and_what_is_known_is_free(gateway: str, home: Path, service: StandIn) -> None:
    key = add_key(home / "keys.yaml", "alice", max_calls=2)
    with client_with(gateway, key) as client:
        for text in ("one", "one", "two"):
            ask(client, text, "standin")
        with pytest.raises(openai.RateLimitError, match="used its budget: 2 of 2 calls") as caught:
            ask(client, "three", "standin")
        assert (caught.value.code, caught.value.response.headers["X-Should-Retry"]) == ("insufficient_quota", "false")
        assert service.count() == 2
        Ledger(home / "keys.yaml", home / "gateway.sqlite").reset("alice")
        assert ask(client, "three", "standin") == "answer to: three"


def test_one_request_cannot_ask_for_more_than_is_left(gateway: str, home: Path, service: StandIn) -> None:
    key = add_key(home / "keys.yaml", "alice", max_calls=2)
    with client_with(gateway, key) as client:
        with pytest.raises(openai.RateLimitError, match="has used its budget: 2 of 2 calls") as caught:
            client.completions.create(model="standin", prompt=[f"prompt {n}" for n in range(20)])
        assert caught.value.code == "insufficient_quota"
    assert service.count() == 2


def test_tokens_and_money_are_counted_by_key(gateway: str, home: Path) -> None:
    (home / "prices.yaml").write_text("standin: {input: 1000000, output: 0}")
    keys = home / "keys.yaml"
    rich, poor = add_key(keys, "rich", max_tokens=10_000), add_key(keys, "poor", max_money=4)
    with client_with(gateway, poor) as client:
        ask(client, "a prompt of some tokens", "standin")
        with pytest.raises(openai.RateLimitError, match="the key poor has used its budget: 6 of 4 money"):
            ask(client, "another", "standin")
    with client_with(gateway, rich) as client:
        ask(client, "a third one", "standin")
    ledger = Ledger(keys, home / "gateway.sqlite")
    wait_for(lambda: ledger.usage_of_key("rich") != Cost())  # The answer is sent before it is charged.
    assert ledger.usage_of_key("rich") == Cost(1, 3 + 6, 3.0)


def test_a_rate_says_when_to_come_back(home: Path) -> None:
    keys = home / "keys.yaml"
    digest = key_digest(add_key(keys, "alice", requests_per_minute=2))
    ledger = Ledger(keys, home / "gateway.sqlite")
    assert [type(ledger.admit(digest)) for _ in range(3)] == [Admission, Admission, Refusal]
    refusal = ledger.admit(digest)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "rate_limit_exceeded"
    assert refusal.retry_after_seconds == pytest.approx(30, abs=5)


def test_tokens_beyond_the_rate_are_waited_for(home: Path) -> None:
    keys = home / "keys.yaml"
    digest = key_digest(add_key(keys, "alice", tokens_per_minute=60))
    ledger = Ledger(keys, home / "gateway.sqlite")
    admitted = ledger.admit(digest)
    assert isinstance(admitted, Admission)
    ledger.charge(admitted.name, admitted.key, Cost(1, 90, 0.0))
    refusal = ledger.admit(digest)
    assert isinstance(refusal, Refusal)
    assert refusal.retry_after_seconds == pytest.approx(31, abs=3)


def test_a_bucket_fills_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("quackllm.deploy.gateway.auth.usage_ledger.monotonic", lambda: now[0])
    bucket = TokenBucket(60)
    bucket.take(60)
    assert bucket.seconds_until_one() == pytest.approx(1)
    now[0] = 0.5
    assert bucket.seconds_until_one() == pytest.approx(0.5)
    now[0] = 1000
    bucket.take(60)
    assert bucket.seconds_until_one() == pytest.approx(1), "no more than a minute's worth is saved up"


def test_what_was_spent_outlives_the_process(home: Path) -> None:
    keys = home / "keys.yaml"
    digest = key_digest(add_key(keys, "alice", max_calls=2))
    ledger = Ledger(keys, home / "gateway.sqlite")
    admitted = ledger.admit(digest)
    assert isinstance(admitted, Admission)
    ledger.charge(admitted.name, admitted.key, Cost(2))
    again = Ledger(keys, home / "gateway.sqlite").admit(digest)
    assert isinstance(again, Refusal)
    assert again.status == 429


def test_too_many_at_once_are_turned_away(serve: Any, home: Path, service: StandIn) -> None:
    quackllm.deploy("standin", "saas/openai", infer_params=service.openai_params())
    key = add_key(home / "keys.yaml", "alice", most_at_once=2)
    other = add_key(home / "keys.yaml", "bob")
    address = serve(most_at_once=3)
    service.script([{"fault": "slow", "seconds": 1.0}])
    with ThreadPoolExecutor(6) as threads, client_with(address, key) as alice, client_with(address, other) as bob:

        def outcome(client: openai.OpenAI, text: str) -> str:
            try:
                return str(ask(client, text, "standin"))
            except openai.APIStatusError as error:
                return f"{error.code}, {error.response.headers['Retry-After']} s"

        assert [*threads.map(outcome, [alice] * 3, "abc")].count("too_many_at_once, 2 s") == 1
        assert [*threads.map(outcome, [bob] * 4, "defg")].count("overloaded, 2 s") == 1


def test_a_large_body_is_refused_before_it_is_read(serve: Any) -> None:
    address = serve(most_body_bytes=100_000)
    body = b'{"model": "echo", "messages": [{"role": "user", "content": "' + b"x" * 200_000 + b'"}]}'
    status, reply, _ = raw(address, "POST", "/v1/chat/completions", body)
    assert (status, b"body_too_large" in reply) == (413, True)
    status, reply, _ = raw(address, "POST", "/v1/chat/completions", iter([body]))  # type: ignore[arg-type]
    assert (status, b"body_too_large" in reply) == (413, True)
    assert raw(address, "POST", "/v1/chat/completions", body[:60] + b'hello"}]}')[0] == 200


def test_what_all_bodies_hold_is_bounded(serve: Any, service: StandIn) -> None:
    quackllm.deploy("standin", "saas/openai", infer_params=service.openai_params())
    address = serve(most_held_bytes=150_000, request_seconds=2)
    service.script([{"fault": "hang", "times": 1}])
    body = b'{"model": "standin", "prompt": "' + b"x" * 100_000 + b'"}'
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(raw, address, "POST", "/v1/completions", body)
        wait_for(lambda: service.state()["under_way"] == 1)
        status, reply, headers = raw(address, "POST", "/v1/completions", body)
        assert (status, b"overloaded" in reply, "retry-after" in headers) == (503, True, True)
        assert first.result()[0] == 504
    assert raw(address, "POST", "/v1/completions", body.replace(b"xx", b"yy"))[0] == 200


def test_a_body_that_takes_for_ever_is_given_up(serve: Any) -> None:
    place = urlsplit(serve(body_seconds=0.3))
    with socket.create_connection((place.hostname, place.port), timeout=10) as slow:
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        slow.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        assert b" 408 " in slow.recv(4096).split(b"\r\n")[0]


def test_a_head_that_never_ends_is_given_up(gateway: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quackllm.deploy.gateway.serving.server.HEAD_SECONDS", 0.3)
    place = urlsplit(gateway)
    for head in (b"", b"GET / HTTP/1.1\r\nX-Slow: ", b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000):
        with socket.create_connection((place.hostname, place.port), timeout=10) as slow:
            slow.sendall(head)
            with suppress(ConnectionResetError):
                assert slow.recv(100) == b""
    assert raw(gateway, "GET", "/healthz")[0] == 200


def test_a_web_page_elsewhere_cannot_ask(gateway: str) -> None:
    body = b'{"model": "echo", "prompt": "x"}'
    assert raw(gateway, "POST", "/v1/completions", body, Origin="https://evil.example")[0] == 403
    assert raw(gateway, "POST", "/v1/completions", body, Origin="null")[0] == 403
    assert raw(gateway, "POST", "/v1/completions", body, Host="evil.example")[0] == 421
    assert raw(gateway, "POST", "/v1/completions", body, Origin=gateway)[0] == 200
    status, _, headers = raw(
        gateway, "OPTIONS", "/v1/completions", Origin=gateway, Access_Control_Request_Method="POST"
    )
    assert (status, [name for name in headers if name.startswith("access-control")]) == (405, [])


def test_a_proxys_name_is_let_in_where_it_was_named(serve: Any) -> None:
    address = serve(host_names=("llm.example.com",))
    assert raw(address, "GET", "/healthz", Host="llm.example.com")[0] == 200
    assert raw(address, "GET", "/healthz", Host="LLM.example.com:8443")[0] == 200
    assert raw(address, "GET", "/healthz", Host="other.example.com")[0] == 421


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "llm.example.com"])
def test_it_is_not_open_to_the_network_without_a_key(host: str, home: Path) -> None:
    settings = GatewaySettings(host=host)
    with pytest.raises(SetupError, match="there is no API key"):
        settings.check()
    add_key(home / "keys.yaml", "alice")
    settings.check()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_this_machine_alone_needs_no_key(host: str) -> None:
    GatewaySettings(host=host).check()


def test_the_command_line_makes_lists_and_removes_keys(home: Path) -> None:
    def typed(*words: str) -> str:
        done = CliRunner().invoke(app, ["keys", *words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    key = typed("add", "alice", "--model", "echo", "--max-calls", "5").splitlines()[-1]
    assert find_key(read_keys(home / "keys.yaml"), key_digest(key)) == "alice"
    listed = typed("list", "--json")
    assert key not in listed
    assert '"max_calls": 5' in listed
    typed("remove", "alice")
    assert typed("list", "--json").strip() == "{}"


def test_a_budget_of_money_for_a_model_without_a_price_is_warned_of(home: Path) -> None:
    quackllm.deploy("qianwen_chat", "saas/qianwen", infer_params={"saas.api_key": "k"})
    words = ["keys", "add", "rich", "--model", "qianwen_chat", "--max-money", "5"]
    told = " ".join(CliRunner().invoke(app, words).stderr.split())
    assert "requests of rich to qianwen_chat are refused: there is no price in" in told
    (home / "prices.yaml").write_text("qianwen_chat: {input: 1, output: 2}")
    assert CliRunner().invoke(app, [*words[:2], "again", *words[3:]]).stderr == ""
