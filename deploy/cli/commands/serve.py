"""`quackllm serve`: the gateway, in one process or on a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ....workers.errors import MissingExtraError
from ...terminal_output import print_line
from ..database_urls import parse_databases


def serve(
    database: Annotated[
        list[str] | None, typer.Argument(help="DuckDB or SQLite files, or URLs; NAME=… gives one a name.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on; other machines can connect only with API keys.")
    ] = ("127.0.0.1"),
    port: Annotated[int, typer.Option(help="The port; 0: any free port.")] = 8000,
    keys: Annotated[
        Path | None, typer.Option(help="The file of API keys. Left out: keys.yaml in QUACKLLM_HOME.")
    ] = None,
    databases: Annotated[
        Path | None,
        typer.Option(
            help="A file with a line for each database, e.g. shop: duckdb:////srv/shop.duckdb. "
            "Without any database: databases.yaml in QUACKLLM_HOME."
        ),
    ] = None,
    host_name: Annotated[list[str] | None, typer.Option(help="Another name of this host, behind a proxy.")] = None,
    replicas: Annotated[int, typer.Option(min=1, help="Gateways, on a cluster.")] = 2,
    most_body_bytes: Annotated[int, typer.Option(help="Maximum size of a request's body, in bytes.")] = 8 << 20,
    most_at_once: Annotated[int, typer.Option(help="Requests in flight in one process.")] = 2000,
    request_seconds: Annotated[float, typer.Option(help="Time limit of an answer, in seconds.")] = 600.0,
    statement_seconds: Annotated[float, typer.Option(help="Time limit of a query, in seconds; at most 30.")] = 30.0,
    statement_megabytes: Annotated[int, typer.Option(help="Memory limit of a query, in MB.")] = 512,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", "--ray-address", help="Ray's address, or 'auto'. Left out: one process, no Ray."),
    ] = None,
) -> None:
    """Serve every deployed model over HTTP: OpenAI's dialect, text2sql, Byzer's REST and Chat2DB's.

    For this machine, with a database to ask about:

        quackllm serve shop.duckdb
        curl http://127.0.0.1:8000/v1/models

    For other machines, with a key for each user:

        quackllm keys add alice --max-calls 1000
        quackllm serve --host 0.0.0.0

    As replicas of Ray Serve on the cluster of the models:

        quackllm serve --cluster auto --replicas 4

    In a browser the address is the console: questions, SQL, chat, cost. `/docs` shows every route, `/docs/zh` in
    Chinese.
    """
    settings_class, run = _gateway(on_ray=cluster is not None)
    settings = settings_class(
        host=host,
        port=port,
        keys=keys,
        databases=databases,
        database_urls=parse_databases(database or []),
        host_names=tuple(host_name or ()),
        replicas=replicas,
        most_body_bytes=most_body_bytes,
        most_at_once=most_at_once,
        request_seconds=request_seconds,
        statement_seconds=statement_seconds,
        statement_megabytes=statement_megabytes,
        cluster=cluster,
    )
    settings.check()
    run(settings, lambda address: print_line(f"quackllm serves {address}   (the console in a browser; {address}/docs)"))


def _gateway(on_ray: bool) -> tuple[Any, Any]:
    """Return the class of the settings and the function that serves.

    Raises:
        MissingExtraError: the gateway's packages are not installed.
    """
    try:
        from ...gateway.settings import GatewaySettings

        if on_ray:
            from ...gateway.serving.ray_serve import serve_on_ray

            return GatewaySettings, serve_on_ray
        from ...gateway.serving.server import serve_in_process

        return GatewaySettings, serve_in_process
    except ImportError as error:
        extra = "gateway,cluster" if on_ray else "gateway"
        raise MissingExtraError(
            f"the gateway needs more packages: {error}", hint=f"type: pip install 'quackllm[{extra}]'"
        ) from error
