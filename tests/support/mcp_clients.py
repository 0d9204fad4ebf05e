"""The official MCP client, and databases for it to ask about."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import duckdb
import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from pydantic import SecretStr
from quackllm.deploy.gateway.admission import RequestContext
from quackllm.deploy.gateway.mcp.mcp_server import create_server
from quackllm.deploy.gateway.settings import GatewaySettings
from quackllm.deploy.gateway.state import Gateway

SINGERS = """
    CREATE TABLE singer (id INTEGER PRIMARY KEY, name VARCHAR, country VARCHAR, age INTEGER);
    INSERT INTO singer VALUES (1, 'Ann', 'France', 32), (2, 'Bo', 'China', 27), (3, 'Cy', 'France', 45);
    COMMENT ON TABLE singer IS 'who is on stage';
    CREATE TABLE concert (id INTEGER, singer_id INTEGER REFERENCES singer (id), hall VARCHAR);
    INSERT INTO concert VALUES (1, 1, 'Olympia');
"""
Session = Callable[[Client], Awaitable[None]]


def make_shop(path: Path) -> Path:
    """Make a DuckDB file with two tables."""
    with closing(duckdb.connect(path)) as connection:
        connection.execute(SINGERS)
    return path


def over_stdio(session: Session, *arguments: str) -> None:
    """Run a session with `quackllm mcp`, started as a client starts it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = StdioServerParameters(command=sys.executable, args=["-m", "quackllm", "mcp", *arguments], env=environment)
    _run(session, command)


def in_process(session: Session, databases: dict[str, str], **settings: Any) -> None:
    """Run a session with the server itself, over databases of these URLs."""
    urls = {name: SecretStr(url) for name, url in databases.items()}
    gateway = Gateway(GatewaySettings(database_urls=urls, **settings))
    try:
        visit = RequestContext(gateway, None)
        _run(session, create_server(gateway.databases, lambda context: visit))
    finally:
        gateway.close()


def over_http(session: Session, address: str, key: str | None = None) -> None:
    """Run a session with the gateway at an address."""

    async def main() -> None:
        async with _connected(address, key) as client:
            await session(client)

    anyio.run(main)


def run_many(session: Callable[[Client], Awaitable[int]], address: str, clients: int) -> list[int]:
    """Run a session for each of many clients of a gateway at once; return what each returned."""
    found: list[int] = []

    async def one() -> None:
        async with _connected(address, None) as client:
            found.append(await session(client))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(clients):
                group.start_soon(one)

    anyio.run(main)
    return found


@asynccontextmanager
async def _connected(address: str, key: str | None) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(f"{address}/mcp", http_client=http)) as client,
    ):
        yield client


def _run(session: Session, server: Any) -> None:
    async def main() -> None:
        async with Client(server) as client:
            await session(client)

    anyio.run(main)


async def call(client: Client, tool: str, **arguments: Any) -> str:
    """Return a tool's text.

    Raises:
        AssertionError: the tool failed.
    """
    result = await client.call_tool(tool, arguments)
    text: str = result.content[0].text  # type: ignore[union-attr]
    assert not result.is_error, text
    return text


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    """Return a tool's error.

    Raises:
        AssertionError: the tool did not fail.
    """
    result = await client.call_tool(tool, arguments)
    text: str = result.content[0].text  # type: ignore[union-attr]
    assert result.is_error, text
    return text
