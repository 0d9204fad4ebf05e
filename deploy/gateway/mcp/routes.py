"""`/mcp`: the MCP server over HTTP, under the gateway's keys and limits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from fastapi import APIRouter, FastAPI
from fastapi import Request as HttpRequest
from fastapi.routing import APIRoute
from mcp.server.mcpserver import Context
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from ..admission import Admitted, RequestContext
from ..error_replies import GatewayError
from ..error_styles import GatewayRoute, Handle
from ..state import Gateway
from .mcp_server import create_server

REFUSED = -32000  # JSON-RPC leaves the codes from here to -32099 to servers.


def jsonrpc_error(error: GatewayError) -> Response:
    """Return an error as JSON-RPC writes it, so that the agent reads why it was refused."""
    fields = {"code": REFUSED, "message": error.message, "data": {"code": error.code}}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": fields}, error.status_code)


class McpRoute(GatewayRoute):
    """The route of this protocol; the SDK reads the body, and ends what a client does not wait for."""

    write_error = staticmethod(jsonrpc_error)

    def get_route_handler(self) -> Handle:
        """Return the handler of a request."""
        return APIRoute.get_route_handler(self)


router = APIRouter(tags=["mcp"], route_class=McpRoute)


class McpResponse(Response):
    """Hands a request on to the SDK's application, which sends the response."""

    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        super().__init__()
        self._application = StreamableHTTPASGIApp(manager)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of the protocol."""
        await self._application(scope, receive, send)


@router.post("/mcp", summary="The Model Context Protocol", response_model=None)
async def mcp(request: HttpRequest, visit: Admitted) -> Response:
    """Answer a client of the Model Context Protocol (streamable HTTP, without sessions)."""
    request.state.visit = visit
    return McpResponse(request.app.state.mcp)


@asynccontextmanager
async def serving_mcp(app: FastAPI, gateway: Gateway) -> AsyncIterator[None]:
    """Let the route answer while the block runs."""
    server = create_server(gateway.databases, _visit)
    # Without sessions any replica can answer any request, and a key is checked with each.
    # The gateway's middleware has checked the host, the origin and the size.
    server.streamable_http_app(
        stateless_http=True,
        max_request_body_size=gateway.settings.most_body_bytes,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    app.state.mcp = server.session_manager
    async with server.session_manager.run():
        yield


def _visit(context: Context[Any, Any]) -> RequestContext:
    request = cast(HttpRequest, context.request_context.request)
    return cast(RequestContext, request.state.visit)
