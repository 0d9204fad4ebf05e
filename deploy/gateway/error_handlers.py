"""Sends every error of a route to the client, in the form of the client's protocol."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from ...workers.errors import QuackLLMError
from .error_replies import GatewayError, as_gateway_error, unreadable_body
from .error_styles import reply_error

CODES = {404: "not_found", 405: "method_not_allowed"}


def add_error_handlers(app: FastAPI) -> None:
    """Register the error handlers of the application."""

    async def handle(request: Request, error: Exception) -> Response:
        return reply_error(request.scope, _read(error))

    for error_class in (Exception, QuackLLMError, GatewayError, RequestValidationError, HTTPException):
        app.add_exception_handler(error_class, handle)


def _read(error: Exception) -> GatewayError:
    """Return the client's form of an error, whoever raised it."""
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, QuackLLMError):
        return as_gateway_error(error)
    if isinstance(error, RequestValidationError):
        return unreadable_body(error)
    if isinstance(error, HTTPException):
        return GatewayError(error.status_code, str(error.detail), code=CODES.get(error.status_code, "http_error"))
    return GatewayError(500, "the gateway failed; see its log", code="server_error")
