"""What the console shows of the gateway: who asks, models and databases, calls over time, keys and budgets."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from time import time
from typing import Any, Literal

from fastapi import APIRouter

from .... import __version__
from ....udf.calls.call_store import CallStore
from ....udf.calls.prices import add_cost, find_price
from ....udf.functions.macros import SCALAR
from ....workers import event_loop
from ....workers.database_schema import Schema
from ....workers.deployments.spec import ModelSpec
from ....workers.metrics import REGISTRY, ROUTERS, WORKERS
from ....workers.serving.fleet import BUILTIN_ENCODER, BUILTIN_MODELS, BUILTIN_TEXT2SQL
from ..admission import Identified, RequestContext
from ..auth.api_keys import Key
from ..auth.usage_ledger import Cost, Ledger
from ..error_replies import GatewayError
from ..error_styles import GatewayRoute
from .deploy_line import deploy_line
from .local_reader import KEY_OR_THIS_MACHINE
from .sql_functions import SQL_FUNCTIONS
from .statements import start_sandbox

router = APIRouter(
    prefix="/console", include_in_schema=False, route_class=GatewayRoute, dependencies=[KEY_OR_THIS_MACHINE]
)

RANGES = {"day": (86_400, 3_600), "week": (7 * 86_400, 86_400), "month": (30 * 86_400, 86_400)}
FREE_ENGINES = frozenset(spec.type for spec in BUILTIN_MODELS.values())
WRITES_NO_TEXT = (BUILTIN_ENCODER.name,)  # Answers with vectors.


@router.get("/session")
async def show_session(context: Identified) -> dict[str, Any]:
    """Return whose key it is, the models that it may call, and the databases."""
    start_sandbox()
    models = await context.gateway.models()
    return {
        "version": __version__,
        "key": context.admitted and key_fields(context.admitted.name, *await _key_and_cost(context)),
        "admin": context.is_admin,
        "models": [_model(models[name]) for name in sorted(models) if context.may_call(name)],
        "databases": context.gateway.databases.names(),
        "databases_file": str(context.gateway.settings.databases_path) if context.is_admin else "databases.yaml",
        "functions": [name for name in SCALAR if name in SQL_FUNCTIONS],
    }


async def _key_and_cost(context: RequestContext) -> tuple[Key, Cost]:
    assert context.admitted
    return context.admitted.key, await context.gateway.ledger.call(Ledger.usage_of_key, context.admitted.name)


def _model(spec: ModelSpec) -> dict[str, Any]:
    price = find_price(spec)
    return {
        "name": spec.name,
        "type": spec.type,
        "builtin": spec.name in BUILTIN_MODELS,
        "chats": spec.name not in (*WRITES_NO_TEXT, BUILTIN_TEXT2SQL.name),
        "price": price and price.model_dump(),
    }


def key_fields(name: str, key: Key, spent: Cost) -> dict[str, Any]:
    """Return a key's limits, and what it has spent, as JSON values."""
    return {"name": name, **key.model_dump(mode="json", exclude={"hash"}), "spent": asdict(spent)}


@router.get("/databases/{name}")
async def show_database(name: str, context: Identified) -> dict[str, Any]:
    """Return the tables of a database and their columns."""
    opened = context.gateway.databases.open(name)
    return {"name": name, "product": opened.database.product, "tables": _tables(await opened.schema())}


def _tables(schema: Schema) -> list[dict[str, Any]]:
    return [
        {
            "name": table.name,
            "comment": table.comment,
            "columns": [{"name": c.name, "type": c.type, "comment": c.comment} for c in table.columns],
        }
        for table in schema.tables
    ]


@router.get("/models")
async def show_models(context: Identified) -> list[dict[str, Any]]:
    """Return the models that the key may call, with their replicas, queues, tokens, and the line that deploys each."""
    models = await context.gateway.models(fresh=True)
    queued = await event_loop.run_inside_loop(_queued())
    return list(
        await asyncio.gather(
            *(
                asyncio.to_thread(_state, context, models[name], queued.get(name, 0))
                for name in sorted(models)
                if context.may_call(name)
            )
        )
    )


async def _queued() -> dict[str, int]:
    """Return the requests that wait for a worker, or in one, by model; runs in the event loop, which changes them."""
    waiting: dict[str, int] = {}
    for source in (*WORKERS, *ROUTERS):
        waiting[source.model] = waiting.get(source.model, 0) + source.queued
    return waiting


def _state(context: RequestContext, spec: ModelSpec, queued: int) -> dict[str, Any]:
    gateway = context.gateway
    is_builtin = spec.name in BUILTIN_MODELS
    replicas = () if is_builtin else gateway.fleet.status(spec.name).replicas
    return {
        **_model(spec),
        "place": gateway.fleet.description,
        "workers": spec.num_workers,
        "replicas": [{**asdict(replica), "pid": None, "node": ""} for replica in replicas],
        "queued": queued,
        "output_tokens": REGISTRY.get_sample_value("quackllm_tokens_total", {"model": spec.name, "direction": "output"})
        or 0,
        "deploy": deploy_line(spec, gateway.settings.cluster) if context.is_admin and not is_builtin else None,
    }


@router.get("/usage")
async def show_usage(
    context: Identified, span: Literal["day", "week", "month"] = "week", utc_offset_minutes: int = 0
) -> dict[str, Any]:
    """Return calls, tokens and cost by period and model; those of all keys together, and so for an admin alone."""
    _require_admin(context)
    length, period = RANGES[span]
    offset = max(-840, min(840, utc_offset_minutes)) * 60
    now = time()
    since = (now + offset) // period * period - offset - length + period
    rows = await event_loop.run_inside_loop(
        context.gateway.client.store.call(CallStore.usage_over_time, since, period, offset)
    )
    add_cost(rows)
    for row in rows:
        if row["engine"] in FREE_ENGINES:
            row["money"] = 0.0
    return {"since": since, "period": period, "periods": length // period, "rows": rows}


@router.get("/keys")
async def show_keys(context: Identified) -> list[dict[str, Any]]:
    """Return every key with its limits and what it has spent."""
    _require_admin(context)
    keys = await context.gateway.ledger.call(Ledger.keys)
    return [key_fields(name, key, spent) for name, (key, spent) in keys.items()]


def _require_admin(context: RequestContext) -> None:
    if not context.is_admin:
        message = "only an admin key may see this; make one: quackllm keys add NAME --admin"
        raise GatewayError(403, message, code="admin_only")
