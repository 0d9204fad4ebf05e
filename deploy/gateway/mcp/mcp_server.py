"""The MCP server: two tools, the schemas as resources, and two prompts; see https://modelcontextprotocol.io."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any, Protocol

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from mcp.server.mcpserver.resources import FunctionResource
from mcp.types import Completion, ToolAnnotations
from pydantic import Field

from .... import __version__
from ....workers.errors import QuackLLMError
from ....workers.mschema import format_mschema
from ..admission import RequestContext
from ..databases.registry import Databases
from ..error_replies import GatewayError
from .tools import DatabaseTools

READ_ONLY = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
INSTRUCTIONS = (
    "Reads SQL databases; nothing can be changed. Call `search` first to see tables, columns and values; "
    "then `query` with SQL, or with a question."
)
DatabaseName = Annotated[str, Field(description="Its name; needed only if there are several")]


class FindVisit(Protocol):
    """Returns the client of a tool's call."""

    def __call__(self, context: Context[Any, Any], /) -> RequestContext:
        """Return who calls, and what they may call."""


def create_server(databases: Databases, find_visit: FindVisit, model: str | None = None) -> MCPServer[Any]:
    """Return the server.

    Args:
        databases: what it reads.
        find_visit: whose call it is.
        model: for questions; None: the only one deployed, else the built-in one.
    """
    server: MCPServer[Any] = MCPServer("quackllm", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING")
    _add_tools(server, find_visit, model)
    _add_resources(server, databases)
    _add_prompts(server, databases)
    return server


def _add_tools(server: MCPServer[Any], find_visit: FindVisit, model: str | None) -> None:
    def tools_for(context: Context[Any, Any]) -> DatabaseTools:
        steps = iter(range(1, 1_000))

        async def report(message: str) -> None:
            await context.report_progress(next(steps), message=message)

        return DatabaseTools(find_visit(context), model, report)

    @server.tool(annotations=READ_ONLY, structured_output=False)
    async def search(
        context: Context[Any, Any],
        words: Annotated[str, Field(description="What to look for, e.g. 'orders France'; empty: the schema")] = "",
        database: DatabaseName = "",
    ) -> str:
        """Find tables, columns and cell values by words in names, comments and data."""
        try:
            return await tools_for(context).search(words, database)
        except (QuackLLMError, GatewayError) as error:
            raise ToolError(_text(error)) from error

    @server.tool(annotations=READ_ONLY, structured_output=False)
    async def query(
        context: Context[Any, Any],
        sql: Annotated[str, Field(description="One SELECT in DuckDB's SQL, whatever the database is")] = "",
        question: Annotated[str, Field(description="Instead of sql: a question, which a model turns into SQL")] = "",
        database: DatabaseName = "",
        max_rows: Annotated[int, Field(ge=1, le=1000)] = 100,
    ) -> str:
        """Run a read-only query and return its rows as JSON; for a question also its SQL and how sure it is."""
        try:
            return await tools_for(context).query(sql, question, database, max_rows)
        except (QuackLLMError, GatewayError) as error:
            raise ToolError(_text(error)) from error


def _add_resources(server: MCPServer[Any], databases: Databases) -> None:
    @server.resource("schema://{database}", title="A database's tables, columns, keys and examples")
    async def schema(database: str) -> str:
        """The whole schema of a database, as M-Schema."""
        try:
            return format_mschema(await databases.open(database).schema(), max_examples=3)
        except QuackLLMError as error:
            raise ResourceError(_text(error)) from error

    for name in filter(re.compile(r"[\w.-]+").fullmatch, databases.names()):
        title = f"The schema of {name}"
        resource = FunctionResource.from_function(partial(schema, name), f"schema://{name}", name, title, title)
        server.add_resource(resource)

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]
    async def complete(reference: Any, argument: Any, context: Any) -> Completion | None:
        if argument.name != "database":
            return None
        return Completion(values=[name for name in databases.names() if name.startswith(argument.value)][:100])


def _add_prompts(server: MCPServer[Any], databases: Databases) -> None:
    @server.prompt(title="Ask the database")
    def ask(question: str, database: str = "") -> str:
        """Answer a question from the database, and show the SQL."""
        return (
            f"Answer this question from the database{_called(database)}: {question}\n"
            "Search for the tables and values that it is about, query them, and check the SQL against the question. "
            "Answer in one sentence, then show the SQL."
        )

    @server.prompt(title="Describe the database")
    def describe(database: str = "") -> str:
        """Say what a database holds, and what one could ask of it."""
        return (
            f"Search the database{_called(database)} without words, and look at a few rows of its main tables. "
            "Say what it holds, how its tables belong together, and five questions that it can answer."
        )


def _called(database: str) -> str:
    return f" {database}" if database else ""


def _text(error: QuackLLMError | GatewayError) -> str:
    return error.message if isinstance(error, GatewayError) else str(error)
