"""`quackllm mcp`: two tools for agents, over standard input and output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ....workers.errors import MissingExtraError
from ...terminal_output import show_json
from ..cluster_option import resolve_cluster
from ..database_urls import parse_databases
from ..shared_options import Cluster, DefaultModel


def mcp(
    database: Annotated[
        list[str] | None, typer.Argument(help="DuckDB or SQLite files, or URLs; NAME=… gives one a name.")
    ] = None,
    model: DefaultModel = None,
    databases: Annotated[
        Path | None, typer.Option(help="A file of names and URLs. Without any: databases.yaml in QUACKLLM_HOME.")
    ] = None,
    statement_seconds: Annotated[float, typer.Option(help="How long a query may compute; at most 30.")] = 30.0,
    statement_megabytes: Annotated[int, typer.Option(help="How much memory a query may take.")] = 512,
    settings: Annotated[
        bool, typer.Option("--settings", help="Print what to paste into the client's settings, and end.")
    ] = False,
    cluster: Cluster = None,
) -> None:
    """Let an agent search and query databases: an MCP server, read-only.

    It has two tools, `search` and `query`. The client starts the command. This prints the settings for it:

        quackllm mcp shop.duckdb --settings

    Several databases, with names:

        quackllm mcp shop.duckdb old.sqlite crm=postgresql://reader:env:CRM_PASSWORD@db.example.org/crm

    Nothing can be changed, and no file is open between two calls: another process may write to it. A question costs
    calls of the model; limits: `llm_max_calls` and the others in settings.yaml. Over HTTP: `quackllm serve` answers
    at /mcp.
    """
    urls = parse_databases(database or [])
    if settings:
        show_json({"mcpServers": {"quackllm": _client_settings(urls, model)}})
        return
    settings_class, serve_stdio = _server()
    given = settings_class(
        database_urls=urls,
        databases=databases,
        statement_seconds=statement_seconds,
        statement_megabytes=statement_megabytes,
        cluster=resolve_cluster(cluster),
    )
    serve_stdio(given, model)


def _client_settings(urls: dict[str, str], model: str | None) -> dict[str, Any]:
    """Return the command as a client starts it: with whole paths, because it starts in a folder of its own."""
    options = ["--model", model] if model else []
    return {"command": sys.executable, "args": ["-m", "quackllm", "mcp", *map("=".join, urls.items()), *options]}


def _server() -> tuple[Any, Any]:
    try:
        from ...gateway.mcp.stdio import serve_stdio
        from ...gateway.settings import GatewaySettings
    except ImportError as error:
        hint = "type: pip install 'quackllm[mcp]'"
        raise MissingExtraError(f"the MCP server needs more packages: {error}", hint=hint) from error
    return GatewaySettings, serve_stdio
