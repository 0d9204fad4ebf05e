"""Forty requests at once share one budget, however they are sent, and what was reserved is given back."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from quackllm.deploy.gateway.auth.api_keys import add_key, key_digest, read_keys
from quackllm.deploy.gateway.auth.usage_ledger import Allowance, Cost, Ledger, Refusal

import quackllm
from standin.fixtures import StandIn
from support.gateway_processes import served, wait_for

AT_ONCE = 40


@pytest.fixture
def slow(service: StandIn) -> StandIn:
    """The model `standin`, whose answers take a moment, so that all requests are under way together."""
    quackllm.deploy("standin", "saas/openai", infer_params=service.openai_params(**{"limits__max_attempts": 1}))
    service.script([{"fault": "slow", "seconds": 0.3}])
    return service


def chat(text: str, **more: Any) -> tuple[str, dict[str, Any]]:
    body = {"model": "standin", "messages": [{"role": "user", "content": text}], **more}
    return "/v1/chat/completions", {"json": body}


def stream(text: str) -> tuple[str, dict[str, Any]]:
    return chat(text, stream=True)


def completion(text: str) -> tuple[str, dict[str, Any]]:
    return "/v1/completions", {"json": {"model": "standin", "prompt": text}}


def several(text: str) -> tuple[str, dict[str, Any]]:
    return chat(text, n=2)


def embedding(text: str) -> tuple[str, dict[str, Any]]:
    return "/v1/embeddings", {"json": {"model": "standin", "input": text}}


def question(text: str) -> tuple[str, dict[str, Any]]:
    return "/text2sql", {"json": {"question": text, "db_schema": "CREATE TABLE t (a INT)", "model": "standin"}}


def chat2db(text: str) -> tuple[str, dict[str, Any]]:
    return "/?model=standin", {"json": {"prompt": text}}


def predict(text: str) -> tuple[str, dict[str, Any]]:
    sql = "select standin(array(feature)) as value"
    return "/model/predict", {"data": {"sql": sql, "data": json.dumps([text]), "dataType": "string"}}


def all_at_once(address: str, key: str, post: Callable[[str], tuple[str, dict[str, Any]]]) -> Counter[int]:
    """Send forty different requests at once; return how many had which status."""

    headers = {"Authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=address, headers=headers, timeout=60) as client, ThreadPoolExecutor(AT_ONCE) as threads:

        def send(number: int) -> int:
            path, body = post(f"prompt {number}")
            return client.post(path, **body).status_code

        return Counter(threads.map(send, range(AT_ONCE)))


@pytest.mark.parametrize("post", [chat, stream, completion, several, embedding, question, chat2db, predict])
def test_a_budget_of_calls_is_not_passed(serve: Any, slow: StandIn, home: Path, post: Any) -> None:
    key = add_key(home / "keys.yaml", "alice", max_calls=3)
    statuses = all_at_once(serve(), key, post)
    assert statuses.keys() <= {200, 429}
    assert 1 <= slow.count() <= 3
    ledger = Ledger(home / "keys.yaml", home / "gateway.sqlite")
    wait_for(lambda: ledger.usage_of_key("alice").calls == slow.count())
    assert ledger.reserved("alice") == Cost()


@pytest.mark.parametrize("post", [chat, stream])
@pytest.mark.parametrize("budget", [{"max_tokens": 600}, {"max_money": 600.0}, {"tokens_per_minute": 600}])
def test_nor_is_one_of_tokens_or_money(serve: Any, slow: StandIn, home: Path, post: Any, budget: Any) -> None:
    (home / "prices.yaml").write_text("standin: {input: 1000000, output: 1000000}")
    key = add_key(home / "keys.yaml", "alice", **budget)
    all_at_once(serve(), key, post)
    assert 1 <= slow.count() <= 3, "each may take 256 tokens and its prompt"


def test_what_was_reserved_and_not_spent_is_there_again(serve: Any, slow: StandIn, home: Path) -> None:
    key = add_key(home / "keys.yaml", "alice", max_tokens=600)
    address = serve()
    for _ in range(4):
        all_at_once(address, key, chat)
    assert slow.count() > 6


def test_what_the_call_store_knows_needs_no_budget(serve: Any, slow: StandIn, home: Path) -> None:
    address = serve()
    owner = add_key(home / "keys.yaml", "owner")
    assert all_at_once(address, owner, chat) == {200: AT_ONCE}
    key = add_key(home / "keys.yaml", "alice", max_calls=1)
    assert all_at_once(address, key, chat) == {200: AT_ONCE}
    assert slow.count() == AT_ONCE


def test_many_prompts_of_one_request_spend_what_is_left_and_no_more(serve: Any, slow: StandIn, home: Path) -> None:
    key = add_key(home / "keys.yaml", "alice", max_tokens=2000)
    body = {"model": "standin", "prompt": [f"prompt {n}" for n in range(64)]}
    headers = {"Authorization": f"Bearer {key}"}
    reply = httpx2.post(f"{serve()}/v1/completions", json=body, headers=headers, timeout=60)
    assert reply.status_code == 200, "64 short answers have fewer tokens than 2000, though 64 guesses have more"
    assert slow.count() == 64


def test_two_gateways_of_a_machine_share_it(slow: StandIn, home: Path) -> None:
    key = add_key(home / "keys.yaml", "alice", max_calls=3)
    with served() as (one, _), served() as (two, _), ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda address: all_at_once(address, key, chat), [one, two]))
    assert slow.count() <= 3


def test_what_a_killed_gateway_had_reserved_is_free(home: Path) -> None:
    keys = home / "keys.yaml"
    add_key(keys, "alice", max_calls=3)
    key = read_keys(keys)["alice"]
    Ledger(keys, home / "gateway.sqlite").close()
    with sqlite3.connect(home / "gateway.sqlite") as file:
        # A process that is none: Linux's numbers end far below. And one that had this process's number before it.
        file.execute("INSERT INTO reserved VALUES ('alice', '999999999:aaaa', 3, 0, 0)")
        file.execute("INSERT INTO reserved VALUES ('alice', ? || ':bbbb', 3, 0, 0)", (str(os.getpid()),))
    file.close()
    ledger = Ledger(keys, home / "gateway.sqlite")
    assert ledger.reserve("alice", key, Cost(2)) == Allowance(Cost(2))
    refusal = ledger.reserve("alice", read_keys(keys)["alice"], Cost(2))
    assert refusal == Allowance(Cost(1)), "what is left"
    refusal = ledger.reserve("alice", key, Cost(1))
    assert isinstance(refusal, Refusal)
    assert refusal.retry_after_seconds == 1, "it may be given back"
    ledger.charge("alice", key, Cost(3), Cost(3))
    refusal = ledger.reserve("alice", key, Cost(1))
    assert isinstance(refusal, Refusal)
    assert refusal.retry_after_seconds is None
    assert isinstance(ledger.admit(key_digest("none")), Refusal)
