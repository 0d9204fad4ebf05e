"""`quackllm mcp`: the MCP server over standard input and output, for a client that starts it."""

from __future__ import annotations

import asyncio

from ..admission import RequestContext
from ..settings import GatewaySettings
from ..state import Gateway
from .mcp_server import create_server


def serve_stdio(settings: GatewaySettings, model: str | None) -> None:
    """Serve one client until it closes the standard input.

    Args:
        settings: the databases and their limits.
        model: for questions; None: the only one deployed, else the built-in one.

    Raises:
        SetupError: a database's URL cannot be read.
    """
    gateway = Gateway(settings)
    try:
        for name in gateway.databases.names():
            gateway.databases.open(name)  # A URL that cannot be read is an error now.
        visit = RequestContext(gateway, None)
        asyncio.run(create_server(gateway.databases, lambda context: visit, model).run_stdio_async())
    finally:
        gateway.close()
