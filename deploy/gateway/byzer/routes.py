"""`POST /model/predict`: Byzer's REST, a select list over the models' functions and the rows of the request."""

from __future__ import annotations

import asyncio
import functools
import warnings
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from threading import Event, Timer
from time import monotonic
from typing import Annotated, Any

import duckdb
import pyarrow as pa
from fastapi import APIRouter, Form
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from ....udf.connection import Connection, register
from ....udf.session.session import find_session
from ....udf.session.statement import FailedRowsWarning
from ....udf.settings import StatementOptions
from ....workers import event_loop
from ....workers.deployments.spec import ModelSpec
from ....workers.errors import CancelledError, RequestError, SandboxLimitError
from ....workers.messages import Failure, Request
from ....workers.messages import Response as Answer
from ....workers.sandbox import SandboxLimits
from ....workers.sandbox.locked_duckdb import sandboxed_duckdb
from ..admission import Admitted, RequestContext, Spending, cost_ahead
from ..auth.usage_ledger import NOTHING
from ..error_replies import GatewayError, raise_for_failure, timeout_error
from ..error_styles import route_class_with_errors
from .in_sandbox import SANDBOX, read_requests, rewrite, run
from .predict_statement import Reply, load_rows, reply_to
from .request_rows import rows_to_table

# A statement blocks a thread until all its answers are there; the event loop's few threads must stay free.
THREADS = ThreadPoolExecutor(64, thread_name_prefix="predict")

POLL_SECONDS = 0.1
# Stands in for a row's prompt in the cost estimate, before DuckDB has computed the prompt.
PROMPT = Request.of("x" * 1000)


def error_reply(error: GatewayError) -> Response:
    """Return an error as Byzer does: the message as text, and a status that is not 200."""
    return PlainTextResponse(f"{error.code}: {error.message}", error.status_code)


router = APIRouter(tags=["byzer"], route_class=route_class_with_errors(error_reply))


class PredictForm(BaseModel):
    """The form fields of Byzer's endpoint; those about its sessions are ignored."""

    model_config = ConfigDict(extra="ignore")

    sql: str = Field(min_length=1, max_length=100_000, description="a select list, without FROM")
    data: str = Field("[]", description="a JSON array, as text")
    dataType: str = Field("string", description="string: each element is `feature`; row: its keys are the columns")
    owner: str = Field("", description="accepted and ignored")
    sessionPerUser: str = Field("", description="accepted and ignored")
    sessionPerRequest: str = Field("", description="accepted and ignored")


@router.post("/model/predict", summary="Byzer's REST", response_model=None)
async def predict(form: Annotated[PredictForm, Form()], visit: Admitted) -> Response:
    """Return one object a row; an answer is a list of JSON texts: `json.loads(reply[0]["value"][0])["output"]`."""
    rows = rows_to_table(form.data, form.dataType)
    models = await visit.gateway.models()
    allowed = {name: model for name, model in models.items() if visit.may_call(name)}
    loop, limits = asyncio.get_running_loop(), visit.gateway.settings.statement_limits
    rewriting = functools.partial(_rewritten, form.sql, allowed.keys(), models.keys() - allowed.keys(), limits)
    sql, called, is_little = await loop.run_in_executor(THREADS, rewriting)
    wanted = [cost_ahead(models[name], [PROMPT] * rows.num_rows) for name in called]
    statement = PredictStatement(visit, await visit.reserve(sum(wanted, NOTHING)), allowed)
    work = loop.run_in_executor(THREADS, statement.reply, sql, rows, is_little)
    try:
        return Response(await asyncio.shield(work), media_type="application/json")
    finally:
        while not work.done():  # The client has disconnected; its calls are booked before its slot becomes free.
            statement.stop()
            await asyncio.wait({work}, timeout=0.1)


def _rewritten(
    text: str, models: Collection[str], others: Collection[str], limits: SandboxLimits
) -> tuple[str, list[str], bool]:
    """Return the SELECT for a select list, parsed in the sandbox; see `rewrite`."""
    try:
        found = SANDBOX.call(rewrite, text, frozenset(models), frozenset(others), limits=limits)
    except SandboxLimitError as error:
        raise _too_much(error, limits) from error
    if isinstance(found, str):
        raise GatewayError(403, found, code="model_not_allowed")
    return found


class PredictStatement:
    """One statement, in an empty DuckDB that has only the request's rows and can reach nothing but the models.

    A select list that computes anything runs in the sandbox; one that only calls models runs in this process.

    Args:
        visit: the admitted request.
        spending: what it may spend; counts what it spends.
        models: the models that it may call, by name.
    """

    def __init__(self, visit: RequestContext, spending: Spending, models: Mapping[str, ModelSpec]) -> None:
        self._visit, self._spending, self._models = visit, spending, models
        self._connection: Connection | None = None
        self._stopped = Event()
        self._seconds = visit.gateway.settings.request_seconds
        self._limits = visit.gateway.settings.statement_limits
        # The reply reports failed rows; a warning would only appear in the server's output.
        warnings.simplefilter("ignore", FailedRowsWarning)

    def reply(self, sql: str, rows: pa.Table, is_little: bool) -> str:
        """Return the rows of a SELECT over `data`, as JSON.

        Args:
            sql: as `rewrite` made it.
            rows: the request's rows.
            is_little: whether it may run in this process.

        Raises:
            RequestError: DuckDB refuses it, or it exceeds its limits.
            GatewayError: every row failed, or it took too long.
        """
        text, failed = self._run_here(sql, rows) if is_little else self._run_in_sandbox(sql, rows)
        if failed:
            _refuse_all(failed)
        return text

    def stop(self) -> None:
        """Interrupt the statement, here or in the sandbox."""
        self._stopped.set()
        if connection := self._connection:
            connection.interrupt()

    def _run_in_sandbox(self, sql: str, rows: pa.Table) -> Reply:
        answer = functools.partial(self._answer, monotonic() + self._seconds)
        try:
            return SANDBOX.call(run, sql, rows, tuple(self._models), limits=self._limits, answer=answer)
        except CancelledError as error:
            raise timeout_error(self._seconds) from error
        except SandboxLimitError as error:
            raise _too_much(error, self._limits) from error

    def _answer(self, deadline: float, question: tuple[str, Any]) -> list[Answer]:
        """Call a model for a child's select list; the child is trusted with nothing but the models' names."""
        name, given = question
        scope, client = self._spending.scope, self._visit.gateway.client
        responses = client.complete(self._models[name], read_requests(given), scope, scope.options.llm_store)
        future = event_loop.submit(responses)
        while not wait([future], POLL_SECONDS).done:
            if self._stopped.is_set() or monotonic() > deadline:
                future.cancel()
                raise CancelledError("the request that waited for the answers has ended")
        return future.result()

    def _run_here(self, sql: str, rows: pa.Table) -> Reply:
        try:
            with self._connected(rows) as connection, _stopped_after(connection, self._seconds):
                return reply_to(connection, sql)
        except duckdb.InterruptException as error:
            raise timeout_error(self._seconds) from error
        except duckdb.Error as error:
            raise RequestError(f"DuckDB refuses it: {error}", hint=f"it ran: {sql}") from error

    @contextmanager
    def _connected(self, rows: pa.Table) -> Iterator[Connection]:
        with closing(register(sandboxed_duckdb(), cluster=self._visit.gateway.settings.cluster)) as connection:
            session = find_session(connection)
            session.client = self._visit.gateway.client
            session.variables = _variables(self._spending.scope.options)
            session.duckdb_progress_enabled = False
            load_rows(connection, rows)
            self._connection = connection
            try:
                yield connection
            finally:
                self._connection = None
                self._spending.scope = session.statement.scope


def _too_much(error: SandboxLimitError, limits: SandboxLimits) -> RequestError:
    limit = {"time": f"{limits.seconds:g} s", "memory": f"{limits.megabytes} MB", "size": "8 MB of rows"}[error.limit]
    return RequestError(f"the select list: {error.message}", hint=f"it may take {limit} beside the models' own time")


def _variables(options: StatementOptions) -> dict[str, str]:
    """Return the statement's budgets as SQL variables."""
    given = options.model_dump(exclude_none=True) | {"llm_progress": "off"}
    return {name: str(value) for name, value in given.items()}


@contextmanager
def _stopped_after(connection: Connection, seconds: float) -> Iterator[None]:
    timer = Timer(seconds, connection.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _refuse_all(answer: dict[str, Any]) -> None:
    """Fail the whole request if all its rows failed: a client with a single question looks at the HTTP status."""
    raise_for_failure(Answer(None, error=Failure(**answer["error"]), finish_reason=answer["finish_reason"]))
