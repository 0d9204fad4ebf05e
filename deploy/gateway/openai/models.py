"""`/v1/models`: the deployed models, by the names that requests use."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from ....workers.deployments.spec import ModelSpec
from ..admission import Admitted
from ..error_replies import OPENAI_ERRORS
from ..error_styles import GatewayRoute

router = APIRouter(prefix="/v1", tags=["models"], responses=OPENAI_ERRORS, route_class=GatewayRoute)


@router.get("/models", summary="List the models")
async def list_models(context: Admitted) -> dict[str, Any]:
    """Return the models that the API key may call, by name."""
    models = await context.gateway.models()
    return {"object": "list", "data": [_shown(models[name]) for name in sorted(models) if context.may_call(name)]}


@router.get("/models/{name}", summary="Show one model")
async def show_model(name: str, context: Admitted) -> dict[str, Any]:
    """Return one model."""
    return _shown(await context.model(name))


def _shown(spec: ModelSpec) -> dict[str, Any]:
    """Return OpenAI's model object; `created` is 0, because the time of deployment is not recorded."""
    return {"id": spec.name, "object": "model", "created": 0, "owned_by": spec.type}
