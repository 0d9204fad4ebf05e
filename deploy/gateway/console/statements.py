"""`POST /console/sql`: a SELECT on a database, with the functions that call models; its progress and rows as lines."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from threading import Event
from time import monotonic
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import Field

from ....udf.settings import StatementOptions, StoreMode
from ....workers import event_loop
from ....workers.database_schema import Schema
from ....workers.deployments.spec import ModelSpec
from ....workers.errors import BudgetError, CancelledError, GuardError, QuackLLMError, RequestError, SandboxLimitError
from ....workers.messages import Request
from ....workers.sandbox import Cancellation, SandboxLimits
from ....workers.serving.fleet import BUILTIN_MODELS
from ..admission import Admitted, RequestContext, Spending, cost_ahead
from ..auth.usage_ledger import NOTHING, Cost
from ..byzer.in_sandbox import read_requests
from ..databases.registry import Opened
from ..error_replies import GatewayError, as_gateway_error
from ..error_styles import GatewayRoute
from ..openai.requests import RequestModel
from .cells import json_cells
from .in_sandbox import SANDBOX, StatementModels, guarded, ready, run
from .local_reader import KEY_OR_THIS_MACHINE
from .sql_functions import calls_models

# A statement blocks a thread until all its answers are there; the event loop's few threads must stay free.
THREADS = ThreadPoolExecutor(64, thread_name_prefix="console")
POLL_SECONDS = 0.1
PROGRESS_SECONDS = 0.25
# Stands in for a row's prompt in the cost estimate, before DuckDB has computed the prompt.
PROMPT = Request.of("x" * 1000)

router = APIRouter(
    prefix="/console", include_in_schema=False, route_class=GatewayRoute, dependencies=[KEY_OR_THIS_MACHINE]
)


class StatementBody(RequestModel):
    """The body of `POST /console/sql`."""

    sql: str = Field(min_length=1, max_length=100_000, description="one SELECT, in the database's own SQL")
    database: str | None = Field(None, description="one of `databases.yaml`; left out: an empty DuckDB")
    model: str | None = Field(None, description="which functions ask that name none; left out: the only one deployed")
    max_rows: int = Field(1000, ge=1, le=10_000, description="the most rows that are returned")
    max_calls: int = Field(100, ge=0, description="the most calls of models that it may make")
    max_tokens: int | None = Field(None, ge=0, description="tokens, read and written, after which it stops")
    max_money: float | None = Field(None, ge=0, description="money, by `prices.yaml`, after which it stops")


@router.post("/sql")
async def run_statement(body: StatementBody, context: Admitted) -> StreamingResponse:
    """Run a SELECT. Each line is JSON: `progress` while models answer, and at the end `rows`, or `error`."""
    opened = context.gateway.databases.open(body.database) if body.database else None
    schema = await opened.schema() if opened else Schema()
    models = await context.gateway.models()
    if body.model:
        await context.model(body.model)
    allowed = {name: spec for name, spec in models.items() if context.may_call(name)}
    spending = await context.reserve(_estimated_cost(body, allowed))
    spending.scope.load_options = functools.partial(_limited, spending.scope.load_options, body)
    statement = ConsoleStatement(context, spending, allowed, opened, schema, body.model)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(_lines(statement, body), media_type="application/x-ndjson", headers=headers)


def _estimated_cost(body: StatementBody, models: Mapping[str, ModelSpec]) -> Cost:
    """Return the estimated cost of the calls that it may make: with the dearest of the models, if it names any."""
    if not calls_models(body.sql, models):
        return NOTHING
    one = max((cost_ahead(spec, [PROMPT]) for spec in models.values()), key=lambda cost: cost.money)
    return Cost(body.max_calls, body.max_calls * one.tokens, body.max_calls * one.money)


def _limited(load_options: Any, body: StatementBody) -> StatementOptions:
    """Return the statement's budgets: what the reader of the page allows, or the key's if that is less."""
    options = load_options()
    given: dict[str, Any] = {"llm_progress": "off"}
    for name in ("calls", "tokens", "money"):
        limits = [getattr(body, f"max_{name}"), getattr(options, f"llm_max_{name}")]
        given[f"llm_max_{name}"] = min((limit for limit in limits if limit is not None), default=None)
    return StatementOptions(**{**options.model_dump(include=set(StatementOptions.model_fields)), **given})


class ConsoleStatement:
    """One statement; its methods may be called in any thread.

    Args:
        context: the admitted request.
        spending: what it may spend; counts what it spends.
        models: the models that it may call, by name.
        opened: the database; None: an empty DuckDB.
        schema: of the database.
        model: the one that functions ask which name none; None: the only one deployed.
    """

    def __init__(
        self,
        context: RequestContext,
        spending: Spending,
        models: Mapping[str, ModelSpec],
        opened: Opened | None,
        schema: Schema,
        model: str | None,
    ) -> None:
        self._gateway, self._spending, self._models = context.gateway, spending, models
        self._opened, self._schema, self._model = opened, schema, model
        self._limits = context.gateway.settings.statement_limits
        self._deadline = monotonic() + context.gateway.settings.request_seconds
        self._began = monotonic()
        self._expected = 0
        self._stopped = Event()
        self._cancellation = Cancellation()

    def stop(self) -> None:
        """Call no further model, and compute nothing more."""
        self._spending.stopped = True
        self._stopped.set()
        self._cancellation.cancel()

    def progress(self) -> dict[str, Any]:
        """Return what was asked and spent so far, as JSON values."""
        usage = self._spending.scope.usage
        return {
            "calls": usage.sent,
            "done": usage.done,
            "failed": usage.failed,
            "expected": max(self._expected, usage.sent),
            "tokens": usage.input_tokens + usage.output_tokens,
            "money": usage.money,
            "seconds": round(monotonic() - self._began, 2),
        }

    def result(self, sql: str, max_rows: int) -> dict[str, Any]:
        """Return the columns and rows as JSON values.

        Raises:
            QuackLLMError: it is refused, it failed, or it exceeds its limits.
        """
        opened = self._opened
        if opened is None or opened.database.dialect == "duckdb":
            columns, rows, truncated, warnings = self._run_with_models(sql, max_rows)
            return {"columns": columns, "rows": rows, "truncated": truncated, "warnings": warnings}
        checked = SANDBOX.call(guarded, sql, self._schema, opened.database.dialect, limits=self._limits)
        found = opened.database.run(checked, max_rows, self._cancellation)
        columns, rows = json_cells(found)
        return {"columns": columns, "rows": rows, "truncated": found.truncated, "warnings": []}

    def _run_with_models(self, sql: str, max_rows: int) -> Any:
        path = self._opened and self._opened.database.path
        deployed = tuple((name, spec.type) for name, spec in self._models.items() if name not in BUILTIN_MODELS)
        statement_models = StatementModels(deployed, self._model, calls_models(sql, self._models))
        try:
            return SANDBOX.call(
                *(run, path, sql, self._schema, statement_models, max_rows),
                limits=self._limits,
                answer=self._answer,
                cancellation=self._cancellation,
            )
        except SandboxLimitError as error:
            raise _too_much(error, self._limits) from error

    def _answer(self, question: tuple[str, str, Any, StoreMode]) -> Any:
        """Call a model for the child, which is trusted with nothing but the models' names."""
        action, name, given, mode = question
        if name not in self._models:
            raise RequestError(f"the model {name} is not deployed, or this key may not ask it")
        client, scope, requests = self._gateway.client, self._spending.scope, read_requests(given)
        store_mode = scope.options.llm_store if mode == "on" else mode
        if action == "prefetch":
            self._expected += len(requests)
        asked = {"complete": client.complete, "cached": client.cached, "prefetch": client.prefetch}[action]
        future = event_loop.submit(asked(self._models[name], requests, scope, store_mode))
        while not wait([future], POLL_SECONDS).done:
            if self._stopped.is_set() or monotonic() > self._deadline:
                future.cancel()
                raise CancelledError("nobody waits for the answers any more")
        return future.result()


def _too_much(error: SandboxLimitError, limits: SandboxLimits) -> RequestError:
    if error.limit == "size":
        return RequestError("the rows are larger than 8 MB", hint="ask for fewer rows, or for shorter values")
    most = {"time": f"{limits.seconds:g} s", "memory": f"{limits.megabytes} MB"}[error.limit]
    hint = "read fewer rows; waiting for models does not count"
    return RequestError(f"the statement takes more than {most}", hint=hint)


@cache
def start_sandbox() -> None:
    """Start the sandbox's first child, once, so that the first statement does not wait for it."""
    THREADS.submit(SANDBOX.call, ready)


async def _lines(statement: ConsoleStatement, body: StatementBody) -> AsyncIterator[bytes]:
    work = asyncio.get_running_loop().run_in_executor(THREADS, statement.result, body.sql, body.max_rows)
    try:
        while not work.done():
            await asyncio.wait({work}, timeout=PROGRESS_SECONDS)
            yield _line({"progress": statement.progress()})
        yield _line({**_outcome(work), "progress": statement.progress()})
    finally:
        while not work.done():  # The client has left; its calls are booked before its slot becomes free.
            statement.stop()
            await asyncio.shield(asyncio.wait({work}, timeout=POLL_SECONDS))
        work.cancelled() or work.exception()  # asyncio would log that nobody read how a stopped statement ended.


def _outcome(work: asyncio.Future[dict[str, Any]]) -> dict[str, Any]:
    try:
        return work.result()
    except BudgetError as error:
        return {"error": {"code": "budget", "message": error.message.partition(";")[0]}}
    except GuardError as error:
        message = error.message.removeprefix("the generated SQL may not run: ")
        return {"error": {"code": "guard", "message": f"this cannot run here: {message}"}}
    except QuackLLMError as error:
        shown = as_gateway_error(error)
        return {"error": {"code": shown.code, "message": shown.message}}
    except GatewayError as error:
        return {"error": {"code": error.code, "message": error.message}}


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
