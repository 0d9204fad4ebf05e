"""Secrets as a kind: found wherever they stand in a spec, hidden wherever an error repeats them, sent to one origin."""

from __future__ import annotations

import asyncio
import base64
import stat
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from quackllm.workers.deployments.spec import ModelSpec, make_spec
from quackllm.workers.engines.http_engine import HttpSettings
from quackllm.workers.errors import ProviderError
from quackllm.workers.home import home_folder
from quackllm.workers.messages import Request
from quackllm.workers.secret_refs import (
    ChunkRedactor,
    Redactor,
    holds_secret,
    keys_of_settings,
    resolve_all,
    secrets_in_address,
    url_origin,
)
from quackllm.workers.serving.worker import Worker

import quackllm
from support.raw_service import RawReply, RawService, Received, running_raw_service

CHUNKED = "sk-0123456789abcdef"
CANARIES = {f"canary-{name}-93c1" for name in ("key", "header", "field", "deep", "query", "reference", "password")}
PLACES = {
    "saas.api_key": "canary-key-93c1",
    "saas.headers": {"X-Team": "canary-header-93c1"},
    "saas.extra": {
        "access_token": "canary-field-93c1",
        "nested": {"list": [{"secret": "canary-deep-93c1"}]},
        "signed": "env:CANARY_REFERENCE",
    },
}
ADDRESS = "http://someone:canary-password-93c1@127.0.0.1:{port}/v1?version=2&api-key=canary-query-93c1"


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what makes the spec of a model whose every secret is a canary."""
    monkeypatch.setenv("CANARY_REFERENCE", "canary-reference-93c1")

    def make(service: RawService) -> ModelSpec:
        params = {"saas.base_url": ADDRESS.format(port=service.port), "saas.model": "m", "limits.max_attempts": 1}
        return make_spec(name="m", type="saas/openai", infer_params={**params, **PLACES})

    return make


def everything_sent(received: Received) -> RawReply:
    """A refusal that repeats all that the service was sent."""
    words = f"{received.path} {received.headers} {received.body}"
    return RawReply.json({"error": {"message": words, "code": words[:100]}}, 400)


def test_a_service_that_repeats_every_secret_shows_none(spec: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    async def ask(worker: Worker) -> Any:
        await worker.start()
        try:
            return await worker.answer_one(Request.of("hello"))
        finally:
            await worker.close()

    with running_raw_service() as service:
        service.reply = everything_sent
        worker = Worker(spec(service))
        response = asyncio.run(ask(worker))
        (received,) = service.received
    sent = f"{received.path} {received.headers} {received.body}"
    basic = base64.b64encode(b"someone:canary-password-93c1").decode()
    assert all(canary in sent for canary in CANARIES - {"canary-password-93c1", "canary-key-93c1"}), (
        "or nothing is tested"
    )
    assert basic in sent, "the address's password goes as HTTP says"
    shown = f"{response} {caplog.text} {worker.spec!r} {worker.engine.settings!r} {worker.spec.model_dump()}"
    assert "(hidden)" in shown
    assert not [canary for canary in {*CANARIES, basic} if canary in shown]
    assert "version=2" in response.error.message, "what is no secret stays"


def test_no_cause_of_an_error_shows_a_secret() -> None:
    key = "-".join(["sk", "of", "the", "user"])  # Not as one text: a traceback shows the lines of this file.
    redactor = Redactor([key])

    def fail() -> None:
        with redactor.errors():
            try:
                raise ValueError(f"the key {key}")
            except ValueError as error:
                raise ProviderError(f"{key} is wrong", code=f"x-{key}", hint=key) from error

    with pytest.raises(ProviderError) as caught:
        fail()
    assert key not in "".join(traceback.format_exception(caught.value)) + str(vars(caught.value))
    assert "(hidden) is wrong" in str(caught.value)


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("k-1", "bad k-1, not k-12 or ok-1", "bad (hidden), not k-12 or ok-1"),
        ('a"b\\c-long', r'{"key": "a\"b\\c-long"}', '{"key": "(hidden)"}'),
        ("p@ss/word", "http://u:p%40ss%2Fword@h", "http://u:(hidden)@h"),
        ("Bearer sk-0123456789abc", "got sk-0123456789abc", "got (hidden)"),
        ("密钥密钥密钥", "错误: 密钥密钥密钥!", "错误: (hidden)!"),
        ("header-secret", "HEADER-SECRET or aGVhZGVyLXNlY3JldA==", "(hidden) or (hidden)=="),
        ("a<b>&c-long", "<pre>a&lt;b&gt;&amp;c-long</pre>", "<pre>(hidden)</pre>"),
        ("Basic dXNlcjpwYXNzdzByZC1sb25n", "bad: user:passw0rd-long / passw0rd-long", "bad: (hidden) / (hidden)"),
    ],
)
def test_a_secret_is_hidden_in_each_of_its_forms(secret: str, text: str, shown: str) -> None:
    assert Redactor([secret, ""]).text(text) == shown


@given(st.lists(st.integers(0, 70), max_size=12), st.sampled_from(["", " and so on", " sk-0123456789ab"]))
def test_a_secret_in_chunks_is_hidden_wherever_they_are_split(splits: list[int], end: str) -> None:
    text = f"sk-01: your key is {CHUNKED}, in JSON {CHUNKED.upper()}{end}"
    ends = [*sorted(min(split, len(text)) for split in splits), len(text)]
    chunks = [text[start:stop] for start, stop in zip([0, *ends], ends, strict=False)]
    redactor = ChunkRedactor(Redactor([CHUNKED]))
    shown = "".join(map(redactor.feed, chunks)) + redactor.whole("")
    assert shown == f"sk-01: your key is (hidden), in JSON (hidden){end.replace('sk-0123456789ab', '(hidden)')}"


def test_an_answer_hides_keys_and_no_words() -> None:
    class Settings(HttpSettings):
        model: str = "m"
        base_url: str = "https://example.org/v1"

    settings = Settings(
        api_key=SecretStr("EMPTY"),
        headers={"HTTP-Referer": SecretStr("https://shop24.example.org"), "X-API-Key": SecretStr("key-in-a-header-1")},
        query={"api-version": SecretStr("2024-10-21-preview"), "sig": SecretStr("env:SIGNED")},
        extra={"customer": "customer-0123456789", "session_token": SecretStr("session-0123456789")},
        proxy=SecretStr("http://me:proxy-password-7@proxy.example.org"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGNED", "signed-by-the-owner")
        keys = keys_of_settings(settings)
    for shown in ("EMPTY", "https://shop24.example.org", "2024-10-21-preview", "customer-0123456789"):
        assert Redactor(keys).text(shown) == shown
    for key in ("key-in-a-header-1", "signed-by-the-owner", "session-0123456789", "proxy-password-7"):
        assert Redactor(keys).text(key) == "(hidden)"


def test_secrets_move_to_files_that_only_their_owner_reads(spec: Any, home: Path) -> None:
    with running_raw_service() as service:
        params = spec(service).infer_params
        opened = resolve_all(params, "")
        opened["saas.extra"]["signed"] = "env:CANARY_REFERENCE"
        quackllm.deploy("m", "saas/openai", infer_params=opened)
        assert quackllm.deploy("m", "saas/openai", infer_params=opened) == "unchanged"
    kept = (home / "models.yaml").read_text()
    assert not [canary for canary in CANARIES if canary in kept]
    assert "env:CANARY_REFERENCE" in kept
    files = [home / "models.yaml", *(home / "keys").iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    (deployed,) = [model.spec for model in quackllm.models() if model.spec.name == "m"]
    assert deployed.plan().settings.extra["access_token"].get_secret_value().startswith("file:")
    quackllm.undeploy("m")
    assert not [*(home / "keys").iterdir()]


def test_a_new_home_belongs_to_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUACKLLM_HOME", str(tmp_path / "new"))
    assert stat.S_IMODE(home_folder().stat().st_mode) == 0o700


def settings(type: str, **params: Any) -> Any:
    given = {"saas.model": "m", **{f"saas.{name}": value for name, value in params.items()}}
    return make_spec(name="m", type=type, infer_params=given).plan().settings


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8000/v1",
        "https://api.openai.com.example.org/v1",
        "https://api.openai.com@example.org/v1",
        "http://api.openai.com/v1",
        "https://api.openai.com:8443/v1",
        "https://user:pass@example.org/?x=https://api.openai.com",
    ],
)
def test_a_presets_variable_goes_to_the_presets_own_address_alone(address: str) -> None:
    assert settings("saas/openai", base_url=address).api_key is None
    named = settings("saas/openai", base_url=address, api_key="env:MINE").api_key
    assert named == SecretStr("env:MINE")


@pytest.mark.parametrize(
    "address", [None, "https://api.openai.com/v2", "https://API.openai.com:443/v1/", "https://api.openai.com./v1"]
)
def test_the_presets_own_address_has_its_key(address: str | None) -> None:
    given = {"base_url": address} if address else {}
    assert settings("saas/openai", **given).api_key == SecretStr("env:OPENAI_API_KEY")


def test_a_keyless_local_server_deploys_and_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with running_raw_service() as service:
        service.reply = RawReply.json({"choices": [{"finish_reason": "stop", "message": {"content": "hi"}}]})
        params = {"saas.base_url": service.url, "saas.model": "m"}
        quackllm.deploy("keyless", "saas/openai", infer_params=params)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-user")
        assert quackllm.connect().execute("SELECT keyless('q').output").fetchall() == [("hi",)]
    assert "sk-of-the-user" not in str(service.received)
    assert "authorization" not in service.received[0].headers


def test_origins() -> None:
    assert url_origin("HTTPS://Example.org/x") == url_origin("https://example.org:443") == "https://example.org:443"
    assert url_origin("https://a@b.c:1/x") == "https://b.c:1"
    assert url_origin("no address") is None


def test_what_holds_a_secret() -> None:
    assert holds_secret("saas.base_url", "https://u:p@h/v1")
    assert holds_secret("saas.proxy", "http://u:p@h:1")
    assert holds_secret("saas.extra", {"a": [{"api_key": "x"}]})
    assert not holds_secret("saas.extra", {"stop_token": "x", "api_key": "env:X", "max_tokens": 3})
    assert not holds_secret("saas.proxy", "http://h:1")
    assert secrets_in_address("https://h/v1?api-version=2024-10-21") == []
