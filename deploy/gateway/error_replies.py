"""Errors as clients see them: OpenAI's error object, with the provider's own code."""

from __future__ import annotations

from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from ...workers.errors import (
    BudgetError,
    DatabaseError,
    GuardError,
    QuackLLMError,
    RequestError,
    SchemaError,
    SetupError,
    UnknownModelError,
)
from ...workers.messages import Failure, Response

OPENAI_ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
# OpenAI's client itself retries these statuses, except 425.
RETRY_LATER = frozenset({408, 409, 425, 429, 500, 502, 503, 504})

BROKEN = frozenset({"broken_off", "cancelled"})


class ErrorFields(BaseModel):
    """The error; `code` is the provider's own if the provider refused."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorReply(BaseModel):
    """An error in OpenAI's format."""

    error: ErrorFields


# The error replies of every route, for the OpenAPI page.
ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Refused; the reply says why"},
    "5XX": {"description": "The model, its service or the gateway failed; the reply says why"},
}
# The same for OpenAI's routes.
OPENAI_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {**reply, "model": ErrorReply} for status, reply in ERRORS.items()
}


class GatewayError(HTTPException):
    """An error reply: may be raised anywhere in a route; sent as OpenAI's error object.

    Args:
        status: the HTTP status.
        message: what happened and what to do.
        code: the provider's own code, or the gateway's.
        param: the invalid field of the body.
        retry_after_seconds: how long to wait before a retry.
        retryable: whether the same request may succeed later; None: decided by the status.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        param: str | None = None,
        retry_after_seconds: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(status, message)
        self.message, self.code, self.param = message, code, param
        self.retry_after_seconds = retry_after_seconds
        self.retryable = status in RETRY_LATER if retryable is None else retryable

    def body(self) -> dict[str, Any]:
        """Return OpenAI's error object."""
        error_type = OPENAI_ERROR_TYPES.get(self.status_code) or (
            "invalid_request_error" if self.status_code < 500 else "server_error"
        )
        return {"error": {"message": self.message, "type": error_type, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """Return the reply; OpenAI's client decides by `X-Should-Retry` whether to retry."""
        headers = {"X-Should-Retry": "true" if self.retryable else "false"}
        if self.retry_after_seconds is not None:
            headers["Retry-After"] = str(max(1, round(self.retry_after_seconds + 0.5)))
        if self.status_code == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.body(), self.status_code, headers)


def as_gateway_error(error: QuackLLMError) -> GatewayError:
    """Return one of our errors as a `GatewayError`."""
    if isinstance(error, UnknownModelError):
        return GatewayError(404, str(error), code="model_not_found", param="model")
    if isinstance(error, GuardError):
        return GatewayError(400, str(error), code="guard")
    if isinstance(error, DatabaseError):
        return GatewayError(502, error.message, code="database", retryable=False)
    if isinstance(error, RequestError | SchemaError):
        return GatewayError(400, str(error), code="invalid_request")
    if isinstance(error, BudgetError):
        return GatewayError(429, error.message, code="insufficient_quota", retryable=False)
    if isinstance(error, SetupError):
        return GatewayError(502, str(error), code=error.code or "setup", retryable=False)
    return GatewayError(500, error.message, code="server_error", retryable=error.retryable)


def raise_for_failure(response: Response) -> None:
    """Raise if there is no answer; complete, truncated and filtered answers pass (see their finish reason).

    Raises:
        GatewayError: there is no answer, or it broke off.
    """
    refused = response.finish_reason == "filter" and response.error and response.error.status
    if response.error and (refused or response.finish_reason not in ("length", "filter")):
        failure = response.error
        raise GatewayError(_status(failure), failure.message, code=failure.code, retryable=failure.retryable)


def timeout_error(seconds: float) -> GatewayError:
    """Return the error for a request that took too long."""
    return GatewayError(504, f"there was no answer within {seconds:g} s", code="timeout")


def _status(failure: Failure) -> int:
    """Return the status of a failure; a 5xx of the provider becomes 502 for our client."""
    if failure.code == "timeout":
        return 504
    if failure.status is None:
        return 502 if failure.retryable or failure.code in BROKEN else 400
    return failure.status if failure.status < 500 else 502


def unreadable_body(error: RequestValidationError) -> GatewayError:
    """Return the error for the first invalid field."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    message = f"{field}: {first['msg']}" if field else str(first["msg"])
    code = "unknown_field" if first["type"] == "extra_forbidden" else "invalid_request"
    return GatewayError(400, message, code=code, param=field or None)
