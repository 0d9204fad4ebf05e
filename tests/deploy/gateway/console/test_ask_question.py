"""Questions of the console: the SQL, all that was sent, and what it cost."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from quackllm.deploy.gateway.auth.api_keys import add_key
from quackllm.workers.home import home_folder

import quackllm
from standin.fixtures import StandIn
from support.console_shop import make_shop
from support.gateway_in_process import client


@pytest.fixture
def gateway() -> TestClient:
    """A gateway with the shop."""
    make_shop(home_folder())
    return client()


def ask(gateway: TestClient, question: str, **more: Any) -> Any:
    body = {"question": question, "database": "shop", **more}
    reply = gateway.post("/console/question", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_everything_that_was_sent_is_shown_with_its_cost(gateway: TestClient, service: StandIn) -> None:
    quackllm.deploy("chat", "saas/openai", infer_params=service.openai_params())
    (home_folder() / "prices.yaml").write_text("chat: {input: 1000000, output: 0}")
    wrong, right = "SELECT nope FROM customers", "SELECT count(*) FROM customers"
    service.script([{"fault": "reply", "text": wrong, "times": 1}, {"fault": "reply", "text": right}])
    found = ask(gateway, "How many customers?", notes="A customer is a person.", model="chat")
    assert (found["sql"], found["attempts"], found["calls"]) == (right, 2, 2)
    assert [exchange["answer"] for exchange in found["sent"]] == [wrong, right]
    sent = [request["body"]["messages"] for request in service.requests()]
    assert [exchange["messages"] for exchange in found["sent"]] == sent
    assert "A customer is a person." in str(sent[0])
    assert found["money"] == found["input_tokens"] > 0
    again = ask(gateway, "How many customers?", notes="A customer is a person.", model="chat")
    assert (again["sql"], again["calls"], again["money"]) == (right, 0, 0)


def test_the_largest_group_of_votes_wins_and_each_vote_is_paid(gateway: TestClient, service: StandIn) -> None:
    quackllm.deploy("chat", "saas/openai", infer_params=service.openai_params())
    lonely, common = "SELECT count(*) FROM orders", "SELECT count(*) FROM customers"
    service.script([{"fault": "reply", "text": lonely, "times": 1}, {"fault": "reply", "text": common}])
    found = ask(gateway, "How many are there?", model="chat", votes=3)
    assert (found["sql"], found["calls"], found["alternatives"]) == (common, 3, [lonely])
    assert len(found["sent"]) == 3


def test_a_follow_up_knows_the_question_before(gateway: TestClient, service: StandIn) -> None:
    quackllm.deploy("chat", "saas/openai", infer_params=service.openai_params())
    service.script([{"fault": "reply", "text": "SELECT name FROM customers WHERE city = 'Rome'"}])
    before = [
        {"role": "user", "content": "Which customers are there?"},
        {"role": "assistant", "content": "SELECT name FROM customers"},
    ]
    ask(gateway, "Only those from Rome", history=before, model="chat")
    (request,) = service.requests()
    assert [message["content"] for message in request["body"]["messages"]][-1].endswith("Only those from Rome")
    assert "SELECT name FROM customers" in str(request["body"]["messages"])


def test_why_there_is_no_sql(gateway: TestClient) -> None:
    found = ask(gateway, "What is the meaning of life, the universe and everything?")
    assert found["sql"] is None
    assert found["error"]["code"] == "declined"


def test_a_key_asks_its_own_models_alone(gateway: TestClient) -> None:
    key = add_key(home_folder() / "keys.yaml", "alice", models=["echo"])
    body = {"question": "how many?", "database": "shop", "model": "builtin_text2sql"}
    reply = gateway.post("/console/question", json=body, headers={"Authorization": f"Bearer {key}"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "model_not_allowed")
