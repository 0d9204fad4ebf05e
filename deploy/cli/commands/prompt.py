"""`quackllm prompt`: the requests that a statement would send, whole; nothing is sent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...terminal_output import print_line, show_json
from ..cluster_option import resolve_cluster
from ..shared_options import Cluster, DatabaseFile, DefaultModel, Json

if TYPE_CHECKING:
    from ....udf.calls.model_estimate import PlannedRequest


def prompt(
    statement: Annotated[str, typer.Argument(metavar="SQL", help="A SELECT; - reads it from the standard input.")],
    database: DatabaseFile = None,
    most: Annotated[int, typer.Option("--rows", "-n", min=1, help="Requests shown of each call in the SQL.")] = 1,
    model: DefaultModel = None,
    cluster: Cluster = None,
    json: Json = False,
) -> None:
    """Show the prompts that a statement would send, whole; nothing is sent.

        quackllm prompt "SELECT ai_filter(body, 'complains about food') FROM review" -d shop.duckdb
        quackllm prompt "SELECT ai_summarize(body) FROM review" -d shop.duckdb --rows 3
        quackllm prompt - --json < question.sql

    A request whose answer is in the call store is marked as cached. An answer within a prompt is made up.
    """
    from ....udf.connection import planned_requests
    from ..open_database import open_database

    text = sys.stdin.read() if statement == "-" else statement
    with open_database(database, model=model, cluster=resolve_cluster(cluster)) as connection:
        requests = planned_requests(connection, text, most=most)
    if json:
        show_json([_fields(planned) for planned in requests])
        return
    for planned in requests:
        _show(planned)


def _fields(planned: PlannedRequest) -> dict[str, Any]:
    request = planned.request
    messages = [
        {"role": message.role, "content": message.content, **({"images": message.images} if message.images else {})}
        for message in request.messages
    ]
    options = request.options.model_dump(exclude_defaults=True, mode="json")
    named = {"function": request.function or None, "model": planned.model, "is_cached": planned.is_cached}
    return {**named, "options": options, "messages": messages}


def _show(planned: PlannedRequest) -> None:
    request, cached = planned.request, ", cached" if planned.is_cached else ""
    print_line(f"── {request.function or 'a call'} of {planned.model}{cached}", style="bold")
    if (options := request.options.canonical_json) != "{}":
        print_line(f"options: {options}", style="dim")
    for message in request.messages:
        print_line(f"[{message.role}]", style="dim")
        print_line("\n".join([message.content, *message.images]))
    print_line("")
