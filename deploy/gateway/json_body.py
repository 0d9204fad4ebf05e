"""A body of JSON, read so that whatever is in it can be written as JSON again."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from fastapi import Request

from ...workers.errors import RequestError
from ...workers.extra_fields import check_encodable
from .error_replies import GatewayError


def read_json(body: bytes) -> Any:
    """Return what a JSON text says.

    Python's own reader takes NaN, halves of surrogate pairs, and whatever depth it happens to survive; a request that
    holds them could be sent to no service, and fails here, before anything waits for it.

    Raises:
        RequestError: it is no JSON, or holds what cannot be written as JSON.
    """
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise RequestError(f"the body is not UTF-8: {error.reason} at byte {error.start:,}") from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body cannot be read as JSON: {error}") from error
    check_encodable(value, "the body")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class JsonRequest(Request):
    """A request whose JSON is read by `read_json`."""

    async def json(self) -> Any:
        """Return what the body says.

        Raises:
            GatewayError: it cannot be read.
        """
        try:
            return read_json(await self.body())
        except RequestError as error:
            raise GatewayError(400, str(error), code="invalid_request") from error
