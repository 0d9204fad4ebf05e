"""Whether the gateway lives and can answer, for the machinery that keeps it running; and its numbers."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import PlainTextResponse

from ...workers.errors import QuackLLMError
from .admission import Admitted
from .auth.usage_ledger import Ledger
from .error_replies import OPENAI_ERRORS, GatewayError
from .state import find_gateway

router = APIRouter(tags=["operations"], responses=OPENAI_ERRORS)


@router.get("/healthz", summary="Whether the process runs")
async def healthz() -> dict[str, str]:
    """Answer at once, without any check."""
    return {"status": "alive"}


@router.get("/readyz", summary="Whether requests can be answered")
async def readyz(request: HttpRequest) -> dict[str, str]:
    """Answer 200 if the models and the keys can be read, else 503 with the reason."""
    gateway = find_gateway(request)
    try:
        await gateway.models()
        await gateway.ledger.call(Ledger.admit, None)
    except QuackLLMError as error:
        raise GatewayError(503, str(error), code="not_ready") from error
    return {"status": "ready"}


@router.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
async def metrics(context: Admitted) -> str:
    """Return the metrics of this process; an API key is required if keys exist."""
    return context.gateway.metrics.render()
