"""Clients that leave before they are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from fastapi import Request

from .error_replies import GatewayError

Result = TypeVar("Result")


async def unless_disconnected(client: Request, work: Awaitable[Result]) -> Result:
    """Return what the work returns; it is cancelled when the client leaves before.

    Args:
        client: whose body has been read, so that all that may come is that it leaves.
        work: the answering of its request. It runs in this task, which it may have entered cancel scopes of.

    Raises:
        GatewayError: the client has disconnected.
    """
    here = asyncio.current_task()
    assert here
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await client.receive())["type"] != "http.disconnect":
            pass
        gone = True
        here.cancel()

    watching = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if gone and here.uncancel() == 0:
            raise GatewayError(499, "the client has disconnected", code="client_gone") from None
        raise
    finally:
        watching.cancel()
