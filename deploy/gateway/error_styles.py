"""The routes of each protocol: how they parse a request, and in which form they report errors."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Scope

from .disconnects import unless_disconnected
from .error_replies import GatewayError
from .json_body import JsonRequest

Handle = Callable[[Request], Coroutine[Any, Any, Response]]


def openai_error(error: GatewayError) -> Response:
    """Return an error as OpenAI's error object, which most vendors' clients read."""
    return error.response()


class GatewayRoute(APIRoute):
    """A route of OpenAI's protocol; it stops when the client disconnects."""

    write_error: Callable[[GatewayError], Response] = staticmethod(openai_error)

    def get_route_handler(self) -> Handle:
        """Return the handler of a request."""
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            read = JsonRequest(request.scope, request.receive)
            await read.body()
            return await unless_disconnected(read, handle(read))

        return answered


def route_class_with_errors(write_error: Callable[[GatewayError], Response]) -> type[GatewayRoute]:
    """Return the class of routes that write errors with `write_error`: `APIRouter(route_class=…)`."""
    return type("GatewayRoute", (GatewayRoute,), {"write_error": staticmethod(write_error)})


def reply_error(scope: Scope, error: GatewayError) -> Response:
    """Return an error in the protocol of the requested path; in OpenAI's if no route has that path.

    Adds the standard HTTP headers: when to retry, and that a key is required.

    Args:
        scope: the request's.
        error: what went wrong.
    """
    write_error = scope["app"].state.error_styles.get(scope["path"], openai_error)
    response: Response = write_error(error)
    for name in ("Retry-After", "WWW-Authenticate"):
        if name in (given := error.response().headers):
            response.headers[name] = given[name]
    return response


def error_styles(routes: list[Any]) -> dict[str, Callable[[GatewayError], Response]]:
    """Return the error form of each of these routes, by path."""
    return {route.path: route.write_error for route in routes if isinstance(route, GatewayRoute)}
