"""What a client is told when something fails: OpenAI's error object, with the provider's own code."""

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
RETRY_LATER = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""What OpenAI's client tries again by itself, and these but for 425."""

BROKEN = frozenset({"broken_off", "cancelled"})


class ErrorFields(BaseModel):
    """What went wrong; `code` is the provider's own where it refused."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorReply(BaseModel):
    """An error, as OpenAI's clients read it."""

    error: ErrorFields


ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Refused; the reply says why"},
    "5XX": {"description": "The model, its service or the gateway failed; the reply says why"},
}
"""What every route may answer beside 200, for the OpenAPI page."""
OPENAI_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {**reply, "model": ErrorReply} for status, reply in ERRORS.items()
}
"""The same in OpenAI's dialect."""


class GatewayError(HTTPException):
    """An answer that is an error: raised anywhere in a route, shown as OpenAI's error object.

    Args:
        status: the HTTP status.
        message: what happened and what to do.
        code: the provider's own code, or ours.
        param: the field of the body that is to blame.
        retry_after_seconds: when to come back.
        retryable: whether the same request may succeed later; None: as the status says.
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
        kind = OPENAI_ERROR_TYPES.get(self.status_code) or (
            "invalid_request_error" if self.status_code < 500 else "server_error"
        )
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """Return the reply; `X-Should-Retry` is what OpenAI's client goes by."""
        headers = {"X-Should-Retry": "true" if self.retryable else "false"}
        if self.retry_after_seconds is not None:
            headers["Retry-After"] = str(max(1, round(self.retry_after_seconds + 0.5)))
        if self.status_code == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.body(), self.status_code, headers)


def as_gateway_error(error: QuackLLMError) -> GatewayError:
    """Return what a client is told of an error of ours."""
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
    """Let an answer pass that is whole, cut off or withheld, which its finish reason says.

    Raises:
        GatewayError: there is none, or it broke off.
    """
    refused = response.finish_reason == "filter" and response.error and response.error.status
    if response.error and (refused or response.finish_reason not in ("length", "filter")):
        failure = response.error
        raise GatewayError(_status(failure), failure.message, code=failure.code, retryable=failure.retryable)


def timeout_error(seconds: float) -> GatewayError:
    """Return what a client is told when its time is over."""
    return GatewayError(504, f"there was no answer within {seconds:g} s", code="timeout")


def _status(failure: Failure) -> int:
    """Return the status of a refusal; one of the provider's own, 5xx, is a bad gateway's to whoever asks us."""
    if failure.code == "timeout":
        return 504
    if failure.status is None:
        return 502 if failure.retryable or failure.code in BROKEN else 400
    return failure.status if failure.status < 500 else 502


def unreadable_body(error: RequestValidationError) -> GatewayError:
    """Say what is wrong with the first field that is wrong."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    message = f"{place}: {first['msg']}" if place else str(first["msg"])
    code = "unknown_field" if first["type"] == "extra_forbidden" else "invalid_request"
    return GatewayError(400, message, code=code, param=place or None)
