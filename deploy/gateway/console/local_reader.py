"""Without keys the console works on this machine alone, even where a proxy gives the gateway another name."""

from __future__ import annotations

from fastapi import Depends
from fastapi import Request as HttpRequest

from ..admission import Identified
from ..error_replies import GatewayError
from ..request_limits import LOOPBACK


async def require_key_or_this_machine(request: HttpRequest, context: Identified) -> None:
    """Refuse a reader who came by another name than this machine's, while there are no keys.

    Raises:
        GatewayError: 403.
    """
    if context.admitted is None and (request.url.hostname or "") not in {host.strip("[]") for host in LOOPBACK}:
        message = "without API keys the console works on this machine alone; make one: quackllm keys add NAME"
        raise GatewayError(403, message, code="keys_needed")


# The dependency of every route of the console that reads or asks.
KEY_OR_THIS_MACHINE = Depends(require_key_or_this_machine)
