"""Errors in the caller's own dialect: the routes of another program's protocol say them as that program does."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from ...workers.errors import QuackLLMError
from .errors import GatewayError, as_gateway_error, unreadable_body

Handle = Callable[[Request], Coroutine[Any, Any, Response]]


def speaking(say: Callable[[GatewayError], Response]) -> type[APIRoute]:
    """Return the class of routes whose errors are replied as `say` puts them: `APIRouter(route_class=…)`."""

    class Speaking(APIRoute):
        def get_route_handler(self) -> Handle:
            handle = super().get_route_handler()

            async def answered(request: Request) -> Response:
                try:
                    return await handle(request)
                except GatewayError as error:
                    return _with_headers(say(error), error)
                except QuackLLMError as error:
                    return say(as_gateway_error(error))
                except RequestValidationError as error:
                    return say(unreadable_body(error))

            return answered

    return Speaking


def _with_headers(response: Response, error: GatewayError) -> Response:
    """Add what every client of HTTP understands: when to come back, and that a key is asked for."""
    for name in ("Retry-After", "WWW-Authenticate"):
        if name in (given := error.response().headers):
            response.headers[name] = given[name]
    return response
