"""Whether the gateway lives and can answer, for the machinery that keeps it running; and its numbers."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import PlainTextResponse

from ...workers.errors import QuackLLMError
from .admission import Admitted
from .auth.usage_ledger import Ledger
from .errors import OPENAI_ERRORS, GatewayError
from .state import gateway_of

router = APIRouter(tags=["operations"], responses=OPENAI_ERRORS)


@router.get("/healthz", summary="Whether the process lives")
async def healthz() -> dict[str, str]:
    """Answer at once; asks nothing."""
    return {"status": "alive"}


@router.get("/readyz", summary="Whether requests can be answered")
async def readyz(request: HttpRequest) -> dict[str, str]:
    """Answer 200 where the models and the keys can be read, else 503 with the reason."""
    gateway = gateway_of(request)
    try:
        await gateway.models()
        await gateway.ledger.call(Ledger.admit, None)
    except QuackLLMError as error:
        raise GatewayError(503, str(error), code="not_ready") from error
    return {"status": "ready"}


@router.get("/metrics", summary="Numbers for Prometheus", response_class=PlainTextResponse)
async def metrics(context: Admitted) -> str:
    """Return what this process has counted of its requests and models; it takes a key where there are keys."""
    return context.gateway.metrics.render()
