"""What the console reads: whose key it is, models, databases, calls over time; and who may see which of it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from quackllm.deploy.cli.main import app
from quackllm.deploy.gateway.auth.api_keys import add_key, key_digest, read_keys
from quackllm.deploy.gateway.auth.usage_ledger import Admission, Ledger, Refusal
from quackllm.deploy.gateway.console.deploy_line import deploy_line
from quackllm.udf.calls.call_record import CallRecord
from quackllm.udf.calls.call_store import CallStore
from quackllm.workers.deployments.spec import ModelSpec
from quackllm.workers.home import home_folder
from quackllm.workers.messages import Response, Usage
from typer.testing import CliRunner

import quackllm
from standin.fixtures import StandIn
from support.console_shop import make_shop
from support.gateway_in_process import client

HOUR = 3600


def read(gateway: TestClient, path: str, key: str | None = None, status: int = 200) -> Any:
    reply = gateway.get(f"/console/{path}", headers={"Authorization": f"Bearer {key}"} if key else {})
    assert reply.status_code == status, reply.text
    return reply.json()


def new_key(name: str, **limits: Any) -> str:
    return add_key(home_folder() / "keys.yaml", name, **limits)


def test_without_keys_the_reader_is_the_owner() -> None:
    make_shop(home_folder())
    session = read(client(), "session")
    assert (session["key"], session["admin"]) == (None, True)
    assert session["databases"] == ["shop", "singers"]
    assert {"name": "echo", "type": "echo", "builtin": True, "chats": True, "price": {"input": 0.0, "output": 0.0}} in (
        session["models"]
    )
    assert "ai_sentiment" in session["functions"]
    assert "llm_forget" not in session["functions"]


def test_a_key_sees_its_own_budget_and_its_models_alone() -> None:
    alice = new_key("alice", models=["echo"], max_calls=3)
    gateway = client()
    session = read(gateway, "session", alice)
    assert [model["name"] for model in session["models"]] == ["echo"]
    assert (session["key"]["max_calls"], session["key"]["spent"]["calls"], session["admin"]) == (3, 0, False)
    assert "hash" not in session["key"]
    assert [model["name"] for model in read(gateway, "models", alice)] == ["echo"]
    for path in ("usage", "keys"):
        assert read(gateway, path, alice, 403)["error"]["code"] == "admin_only"


def test_an_admin_key_sees_all_keys() -> None:
    CliRunner().invoke(app, ["keys", "add", "alice", "--max-calls", "7"], catch_exceptions=False)
    made = CliRunner().invoke(app, ["keys", "add", "root", "--admin"], catch_exceptions=False)
    root = made.output.split()[-1]
    keys = {key["name"]: key for key in read(client(), "keys", root)}
    assert (keys["alice"]["max_calls"], keys["alice"]["admin"], keys["root"]["admin"]) == (7, False, True)
    assert "sha256" not in str(keys)


def test_every_route_refuses_strangers_where_there_are_keys() -> None:
    make_shop(home_folder())
    new_key("alice")
    gateway = client()
    for path in ("session", "models", "usage", "keys", "databases/shop"):
        assert read(gateway, path, None, 401)["error"]["code"] == "missing_api_key"
        assert read(gateway, path, "qk-wrong", 401)["error"]["code"] == "invalid_api_key"
    for path in ("sql", "question"):
        assert gateway.post(f"/console/{path}", json={}).status_code in (400, 401)
    wanted = {"sql": "SELECT 1"}, {"question": "how many?", "database": "shop"}
    for path, body in zip(("sql", "question"), wanted, strict=True):
        assert gateway.post(f"/console/{path}", json=body).status_code == 401


def test_behind_a_proxy_s_name_the_console_needs_keys() -> None:
    gateway = client(host_names=("llm.example.com",))
    reply = gateway.get("/console/session", headers={"Host": "llm.example.com"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "keys_needed")
    key = {"Host": "llm.example.com", "Authorization": f"Bearer {new_key('alice')}"}
    assert gateway.get("/console/session", headers=key).status_code == 200
    assert gateway.get("/console/session", headers={"Host": "localhost:8000", **key}).status_code == 200


def test_reading_takes_nothing_from_a_key_that_has_nothing_left(tmp_path: Path) -> None:
    key = add_key(tmp_path / "keys.yaml", "alice", max_calls=0, requests_per_minute=1)
    ledger = Ledger(tmp_path / "keys.yaml", tmp_path / "spent.sqlite")
    assert isinstance(ledger.admit(key_digest(key)), Refusal)
    for _ in range(3):
        assert isinstance(ledger.identify(key_digest(key)), Admission)
    assert isinstance(ledger.identify(key_digest("qk-wrong")), Refusal)
    ledger.close()


def test_a_database_s_tables_and_comments() -> None:
    make_shop(home_folder())
    shop = read(client(), "databases/shop")
    orders = next(table for table in shop["tables"] if table["name"] == "orders")
    assert (shop["product"], orders["columns"][-1]["comment"]) == ("DuckDB", "open, shipped, delivered or cancelled")
    assert read(client(), "databases/shpo", status=400)["error"]["message"].endswith("did you mean 'shop'?")


def test_a_model_s_state_and_the_line_that_deploys_it_again(service: StandIn) -> None:
    params = service.openai_params(limits__max_attempts=2)
    quackllm.deploy("chat", "saas/openai", infer_params=params)
    gateway = client()
    body = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}
    assert gateway.post("/v1/chat/completions", json=body).status_code == 200
    model = next(model for model in read(gateway, "models") if model["name"] == "chat")
    assert (model["queued"], [replica["alive"] for replica in model["replicas"]]) == (0, [True])
    assert model["replicas"][0]["answered"] == 1
    assert model["output_tokens"] > 0
    words = shlex.split(model["deploy"])
    assert words[:4] == ["quackllm", "deploy", "chat", "saas/openai"]
    assert "saas.api_key=env:API_KEY" in words
    assert params["saas.api_key"] not in model["deploy"]
    quackllm.undeploy("chat")
    CliRunner().invoke(app, words[1:], catch_exceptions=False, env={"API_KEY": params["saas.api_key"]})
    (deployed,) = quackllm.models()
    assert (deployed.spec.name, deployed.spec.infer_params["limits.max_attempts"]) == ("chat", 2)


def test_the_line_names_flags_and_quotes_values() -> None:
    spec = ModelSpec(name="local", type="custom/auto", num_workers=2, infer_params={"model_path": "/models/my model"})
    expected = "quackllm deploy local custom/auto --num-workers 2 -p 'model_path=/models/my model' --cluster auto"
    assert deploy_line(spec, "auto") == expected


def test_usage_over_time_begins_days_at_the_reader_s_midnight(tmp_path: Path) -> None:
    store = CallStore(tmp_path / "calls.sqlite")
    answer = Response("hi", model="chat", usage=Usage(3, 5), seconds=0.5)
    store.record([CallRecord(bytes([n] * 32), "chat", "openai", "hello", answer) for n in range(2)], "me")
    (row,) = store.usage_over_time(0, 24 * HOUR, 2 * HOUR)
    assert (row["calls"], row["failed"], row["input_tokens"], row["output_tokens"]) == (2, 0, 6, 10)
    assert (row["start"] + 2 * HOUR) % (24 * HOUR) == 0
    assert store.usage_over_time(row["start"] + 48 * HOUR, HOUR) == []
    store.close()


def test_usage_is_counted_by_period_and_model_and_priced(service: StandIn) -> None:
    quackllm.deploy("chat", "saas/openai", infer_params=service.openai_params())
    (home_folder() / "prices.yaml").write_text("chat: {input: 1000000, output: 0}")
    gateway = client()
    for model in ("chat", "echo"):
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
        assert gateway.post("/v1/chat/completions", json=body).status_code == 200
    usage = read(gateway, "usage?span=day&utc_offset_minutes=-90")
    rows = {row["model"]: row for row in usage["rows"]}
    assert (usage["period"], usage["periods"]) == (HOUR, 24)
    assert rows["chat"]["money"] == rows["chat"]["input_tokens"]
    assert rows["echo"]["money"] == 0
    assert usage["since"] <= rows["chat"]["start"] < usage["since"] + 24 * HOUR


@pytest.mark.parametrize("admin", [True, False])
def test_the_file_of_keys_keeps_who_is_an_admin(tmp_path: Path, admin: bool) -> None:
    add_key(tmp_path / "keys.yaml", "alice", admin=admin or None)
    assert read_keys(tmp_path / "keys.yaml")["alice"].admin is admin
