"""MCP over HTTP: the gateway's keys, limits and budgets hold, and many clients are answered at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp import Client, MCPError
from quackllm.deploy.gateway.auth.api_keys import add_key
from quackllm.deploy.gateway.databases.in_sandbox import SANDBOX

import quackllm
from standin.fixtures import StandIn
from support.mcp_clients import call, make_shop, over_http, refusal, run_many

Serve = Callable[..., str]
CLIENTS = 50
QUESTION = "How many singers are there?"
ENDLESS = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = 7"


@pytest.fixture
def address(serve: Serve, tmp_path: Path) -> str:
    return serve(database_urls={"shop": f"duckdb:///{make_shop(tmp_path / 'shop.duckdb')}"})


def status(address: str, **headers: str) -> int:
    with httpx2.Client() as client:
        reply = client.post(f"{address}/mcp", json={}, headers=headers, timeout=20)
    assert reply.json()["jsonrpc"] == "2.0", reply.text
    return reply.status_code


def test_search_and_query_are_served_beside_openais_routes(address: str) -> None:
    async def session(client: Client) -> None:
        assert "who is on stage" in await call(client, "search")
        assert json.loads(await call(client, "query", question=QUESTION))["rows"] == [[3]]
        assert "holds 2 statements" in await refusal(client, "query", sql="SELECT 1; DROP TABLE singer")

    over_http(session, address)


def test_another_sites_page_may_not_call_it(address: str) -> None:
    assert status(address, Origin="https://evil.example") == 403
    assert status(address, Host="evil.example") == 421


def test_a_key_is_needed_and_its_models_and_budget_hold(address: str, home: Path, service: StandIn) -> None:
    quackllm.deploy("paid", "saas/openai", infer_params=service.openai_params())
    add_key(home / "keys.yaml", "someone")
    assert status(address) == 401
    assert status(address, Authorization="Bearer wrong") == 401

    async def spent(client: Client) -> None:
        await client.call_tool("query", {"question": QUESTION})
        with pytest.raises(MCPError, match="used its budget: 1 of 1 calls"):
            await client.call_tool("query", {"question": "How many concerts are there in all?"})

    over_http(spent, address, add_key(home / "keys.yaml", "poor", max_calls=1, models=["paid"]))


def test_a_client_that_leaves_ends_its_query(address: str) -> None:
    async def session(client: Client) -> None:
        with anyio.move_on_after(1.5):
            await client.call_tool("query", {"sql": ENDLESS})
        with anyio.fail_after(10):
            while SANDBOX.busy:
                await anyio.sleep(0.05)
        await call(client, "query", sql="SELECT 1")

    over_http(session, address)


@pytest.mark.load
def test_fifty_clients_at_once_are_all_answered(address: str) -> None:
    async def session(client: Client) -> int:
        for _ in range(4):
            assert "singer" in await call(client, "search", words="France")
            rows = json.loads(await call(client, "query", sql="SELECT name FROM singer ORDER BY id"))["rows"]
            assert rows == [["Ann"], ["Bo"], ["Cy"]]
        return len(rows)

    assert run_many(session, address, CLIENTS) == [3] * CLIENTS
