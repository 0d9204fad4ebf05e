"""`/v1/embeddings`: turns texts into vectors, as numbers or in base64."""

from __future__ import annotations

import base64
from typing import Any

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse

from ....workers.engines import EmbeddingEngine
from ....workers.serving.retry import estimate_tokens
from ....workers.vectors import NUMBER_BYTES, vector_numbers
from ..admission import Admitted
from ..error_replies import OPENAI_ERRORS, GatewayError
from ..error_styles import GatewayRoute
from .completion import CALLS, complete, store_mode
from .requests import EmbeddingBody

router = APIRouter(prefix="/v1", tags=["embeddings"], responses=OPENAI_ERRORS, route_class=GatewayRoute)


@router.post("/embeddings", summary="Turn texts into vectors")
async def embed(body: EmbeddingBody, request: HttpRequest, context: Admitted) -> JSONResponse:
    """Return one vector for each text, in order; `usage` is estimated from the text length."""
    spec = await context.model(body.model)
    if not isinstance(spec.plan().engine, EmbeddingEngine):
        message = f"{spec.name} ({spec.type}) does not return embeddings"
        raise GatewayError(400, message, code="embeddings_not_supported", param="model")
    requests = body.requests()
    responses, calls = await complete(context, spec, requests, store_mode(request))
    vectors = [response.embedding or b"" for response in responses]
    _check_dimensions(body.dimensions, len(vectors[0]) // NUMBER_BYTES)
    tokens = sum(estimate_tokens(each) for each in requests)
    reply = {
        "object": "list",
        "data": [_item(index, vector, body.encoding_format) for index, vector in enumerate(vectors)],
        "model": body.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return JSONResponse(reply, headers={CALLS: str(calls)})


def _item(index: int, vector: bytes, encoding: str) -> dict[str, Any]:
    """Return one vector; base64 contains little-endian 32-bit floats."""
    written = base64.b64encode(vector).decode() if encoding == "base64" else vector_numbers(vector).tolist()
    return {"object": "embedding", "index": index, "embedding": written}


def _check_dimensions(wanted: int | None, made: int) -> None:
    if wanted not in (None, made):
        message = f"the model's vectors have {made} dimensions; set another number when you deploy the model"
        raise GatewayError(400, message, code="invalid_dimensions", param="dimensions")
