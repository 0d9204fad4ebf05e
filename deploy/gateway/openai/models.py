"""`/v1/models`: what is deployed, under the names that requests use."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from ....workers.deployments.spec import ModelSpec
from ..admission import Admitted
from ..errors import OPENAI_ERRORS

router = APIRouter(prefix="/v1", tags=["models"], responses=OPENAI_ERRORS)


@router.get("/models", summary="List the models")
async def list_models(visit: Admitted) -> dict[str, Any]:
    """Return the models that the key may ask, by name."""
    models = await visit.gateway.models()
    return {"object": "list", "data": [_shown(models[name]) for name in sorted(models) if visit.may_ask(name)]}


@router.get("/models/{name}", summary="Show one model")
async def show_model(name: str, visit: Admitted) -> dict[str, Any]:
    """Return one model."""
    return _shown(await visit.model(name))


def _shown(spec: ModelSpec) -> dict[str, Any]:
    """Return OpenAI's model object; when a model was deployed is not known, hence the 0."""
    return {"id": spec.name, "object": "model", "created": 0, "owned_by": spec.type}
