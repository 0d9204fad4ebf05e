"""`POST /model/predict`: Byzer's REST, a select list over the models' functions and the rows of the request."""

from __future__ import annotations

import asyncio
import functools
import warnings
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from threading import Timer
from time import monotonic
from typing import Annotated, Any

import duckdb
import pyarrow as pa
from fastapi import APIRouter, Form
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from ....udf.calls.scope import CallScope
from ....udf.connection import Connection, register
from ....udf.session.session import session_of
from ....udf.session.statement import FailedRowsWarning
from ....udf.settings import StatementOptions
from ....workers import event_loop
from ....workers.deployments.spec import ModelSpec
from ....workers.errors import CancelledError, RequestError, SandboxLimitError
from ....workers.messages import Failure
from ....workers.messages import Response as Answer
from ....workers.sandbox import Limits
from ....workers.sandbox.locked_duckdb import sandboxed_duckdb
from ..admission import Admitted, Visit
from ..error_styles import speaking
from ..errors import GatewayError, check_answered, too_slow
from .in_sandbox import SANDBOX, read_requests, rewrite, rows_of
from .request_rows import table_of
from .statement import load_rows, reply_rows

Found = tuple[list[dict[str, Any]], dict[str, Any] | None]
"""The rows of a reply, and the first answer where all of them failed."""
THREADS = ThreadPoolExecutor(64, thread_name_prefix="predict")
"""A statement waits in a thread for all its answers, and must not keep the event loop's few threads."""


def say(error: GatewayError) -> Response:
    """Return an error as Byzer does: its words, and a status that is not 200."""
    return PlainTextResponse(f"{error.code}: {error.message}", error.status_code)


router = APIRouter(tags=["byzer"], route_class=speaking(say))


class PredictForm(BaseModel):
    """The form fields of Byzer's endpoint; those about its sessions change nothing here."""

    model_config = ConfigDict(extra="ignore")

    sql: str = Field(min_length=1, max_length=100_000, description="a select list, without FROM")
    data: str = Field("[]", description="a JSON array, as text")
    dataType: str = Field("string", description="string: each element is `feature`; row: its keys are the columns")
    owner: str = Field("", description="read and left out")
    sessionPerUser: str = Field("", description="read and left out")
    sessionPerRequest: str = Field("", description="read and left out")


@router.post("/model/predict", summary="Byzer's REST", response_model=None)
async def predict(form: Annotated[PredictForm, Form()], visit: Admitted) -> Response:
    """Return one object a row; an answer is a list of JSON texts: `json.loads(reply[0]["value"][0])["output"]`."""
    models = await visit.gateway.models()
    allowed = frozenset(name for name in models if visit.may_ask(name))
    statement = PredictStatement(visit, {name: models[name] for name in allowed})
    run = functools.partial(statement.rows_of, form, models.keys() - allowed)
    return JSONResponse(await asyncio.get_running_loop().run_in_executor(THREADS, run))


class PredictStatement:
    """One statement, in an empty DuckDB that holds the request's rows and reaches nothing but the models.

    A select list that computes is run in a sandbox's child; one that only asks models is run here.

    Args:
        visit: for whom.
        models: what may be asked, by name.
    """

    def __init__(self, visit: Visit, models: Mapping[str, ModelSpec]) -> None:
        self._visit = visit
        self._models = models
        self._seconds = visit.gateway.settings.request_seconds
        self._limits = visit.gateway.settings.statement_limits
        # Failed rows are told in the reply, and a warning would go to whoever reads the server's output.
        warnings.simplefilter("ignore", FailedRowsWarning)

    def rows_of(self, form: PredictForm, others: Collection[str]) -> list[dict[str, Any]]:
        """Return the rows of a select list over `data`.

        Args:
            form: what was posted.
            others: the names of models that may not be asked.

        Raises:
            RequestError: it cannot be read, DuckDB refuses it, or it goes past its limits.
            GatewayError: no answer was given at all, or it took too long.
        """
        rows = table_of(form.data, form.dataType)
        try:
            rewritten = SANDBOX.call(rewrite, form.sql, frozenset(self._models), frozenset(others), limits=self._limits)
            if isinstance(rewritten, str):
                raise GatewayError(403, rewritten, code="model_not_allowed")
            sql, is_little = rewritten
            found, failed = self._run_here(sql, rows) if is_little else self._run_in_sandbox(sql, rows)
        except SandboxLimitError as error:
            raise RequestError(f"the select list: {error.message}", hint=_limit_hint(error, self._limits)) from error
        if failed:
            _refuse_all(failed)
        return found

    def _run_in_sandbox(self, sql: str, rows: pa.Table) -> Found:
        answer = functools.partial(self._answer, self._visit.statement(), monotonic() + self._seconds)
        try:
            return SANDBOX.call(rows_of, sql, rows, tuple(self._models), limits=self._limits, answer=answer)
        except CancelledError as error:
            raise too_slow(self._seconds) from error

    def _answer(self, scope: CallScope, deadline: float, question: tuple[str, Any]) -> list[Answer]:
        """Ask a model what a child's select list asks; the child is not trusted with more than its names."""
        name, given = question
        client = self._visit.gateway.caller
        asked = client.complete(self._models[name], read_requests(given), scope, scope.options.llm_store)
        future = event_loop.submit(asked)
        done, _ = wait([future], deadline - monotonic())
        if not done:
            future.cancel()
            raise CancelledError("the models took too long")
        return future.result()

    def _run_here(self, sql: str, rows: pa.Table) -> Found:
        try:
            with self._connected(rows) as connection, _stopped_after(connection, self._seconds):
                found = connection.execute(sql).fetchall()
                return reply_rows(found, [column[0] for column in connection.description])
        except duckdb.InterruptException as error:
            raise too_slow(self._seconds) from error
        except duckdb.Error as error:
            raise RequestError(f"DuckDB refuses it: {error}", hint=f"it ran: {sql}") from error

    @contextmanager
    def _connected(self, rows: pa.Table) -> Iterator[Connection]:
        wishes = self._visit.statement().options
        with closing(register(sandboxed_duckdb(), cluster=self._visit.gateway.settings.cluster)) as connection:
            session = session_of(connection)
            session.client = self._visit.gateway.caller
            session.variables = _variables(wishes)
            session.duckdb_progress_enabled = False
            load_rows(connection, rows)
            try:
                yield connection
            finally:
                self._visit.statements.append(session.statement.scope)


def _limit_hint(error: SandboxLimitError, limits: Limits) -> str:
    most = {"time": f"{limits.seconds:g} s", "memory": f"{limits.megabytes} MB", "size": "8 MB of rows"}[error.limit]
    return f"it may take {most} beside the models' own time"


def _variables(wishes: StatementOptions) -> dict[str, str]:
    """Return what a statement may spend, as the SQL variables that say so."""
    given = wishes.model_dump(exclude_none=True) | {"llm_progress": "off"}
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
    """Fail the request where every row of it failed: a client that asks one question looks at the status."""
    check_answered(Answer(None, error=Failure(**answer["error"]), finish_reason=answer["finish_reason"]))
