"""`POST /model/predict`: Byzer's REST, a select list over the models' functions and the rows of the request."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Timer
from typing import Annotated, Any

import duckdb
import pyarrow as pa
from fastapi import APIRouter, Form
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from ....udf.connection import Connection, register
from ....udf.session.session import session_of
from ....udf.session.statement import FailedRowsWarning
from ....udf.settings import StatementOptions
from ....udf.text2sql.checks.sandbox import locked_instance
from ....udf.value_text import run_query
from ....workers.errors import RequestError
from ....workers.messages import Failure, Request
from ....workers.messages import Response as Answer
from ....workers.sql_text import quote_identifier
from ..admission import Admitted, RequestContext, Spending, cost_ahead
from ..auth.usage_ledger import NOTHING
from ..error_styles import route_class_with_errors
from ..errors import GatewayError, raise_for_failure, timeout_error
from .reply import answers_in, rows_as_json
from .request_rows import table_of
from .select_list import DATA, REQUEST_MACRO, Rewriting, models_called

THREADS = ThreadPoolExecutor(64, thread_name_prefix="predict")
"""A statement waits in a thread for all its answers, and must not keep the event loop's few threads."""

PROMPT = Request.of("x" * 1000)
"""What a row is guessed to ask, before DuckDB has made its prompt."""


def say(error: GatewayError) -> Response:
    """Return an error as Byzer does: its words, and a status that is not 200."""
    return PlainTextResponse(f"{error.code}: {error.message}", error.status_code)


router = APIRouter(tags=["byzer"], route_class=route_class_with_errors(say))


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
    rows = table_of(form.data, form.dataType)
    models = await visit.gateway.models()
    allowed = {name for name in models if visit.may_ask(name)}
    sql = Rewriting(allowed, models.keys() - allowed).rewritten(form.sql)
    wanted = [cost_ahead(models[name], [PROMPT] * rows.num_rows) for name in models_called(sql, allowed)]
    running = Running(visit, await visit.reserve(sum(wanted, NOTHING)))
    work = asyncio.get_running_loop().run_in_executor(THREADS, running.rows_of, sql, rows)
    try:
        return Response(await asyncio.shield(work), media_type="application/json")
    finally:
        while not work.done():  # The client has gone; what was asked for it is counted before its slot is free.
            running.stop()
            await asyncio.wait({work}, timeout=0.1)


class Running:
    """One statement, in an empty DuckDB that holds the request's rows and reaches nothing but the models.

    Args:
        visit: for whom.
        spending: what it may spend; it is told what it has.
    """

    def __init__(self, visit: RequestContext, spending: Spending) -> None:
        self._visit, self._spending = visit, spending
        self._connection: Connection | None = None
        # Failed rows are told in the reply, and a warning would go to whoever reads the server's output.
        warnings.simplefilter("ignore", FailedRowsWarning)

    def rows_of(self, sql: str, rows: pa.Table) -> str:
        """Return the rows of a SELECT over `data`, as JSON.

        Raises:
            RequestError: DuckDB refuses it.
            GatewayError: no answer was given at all, or it took too long.
        """
        seconds = self._visit.gateway.settings.request_seconds
        try:
            with self._connected(rows) as connection, _stopped_after(connection, seconds):
                found = run_query(connection, sql)
        except duckdb.InterruptException as error:
            raise timeout_error(seconds) from error
        except duckdb.Error as error:
            raise RequestError(f"DuckDB refuses it: {error}", hint=f"it ran: {sql}") from error
        assert found is not None, "a SELECT has a result"
        answers = answers_in(found)
        if answers and all(answer["error"] for answer in answers):
            _refuse_all(answers[0])
        return rows_as_json(found)

    def stop(self) -> None:
        """Interrupt it where it runs."""
        if connection := self._connection:
            connection.interrupt()

    @contextmanager
    def _connected(self, rows: pa.Table) -> Iterator[Connection]:
        with closing(register(locked_instance(), cluster=self._visit.gateway.settings.cluster)) as connection:
            session = session_of(connection)
            session.client = self._visit.gateway.caller
            session.variables = _variables(self._spending.scope.options)
            session.duckdb_progress_enabled = False
            duckdb.DuckDBPyConnection.register(connection, "given", rows)
            names = ", ".join(map(quote_identifier, rows.column_names)) or "NULL AS feature"
            for statement in (f"CREATE TABLE {DATA} AS SELECT {names} FROM given", REQUEST_MACRO):
                duckdb.DuckDBPyConnection.execute(connection, statement)
            duckdb.DuckDBPyConnection.unregister(connection, "given")
            duckdb.DuckDBPyConnection.execute(connection, "SET lock_configuration = true")
            self._connection = connection
            try:
                yield connection
            finally:
                self._connection = None
                self._spending.scope = session.statement.scope


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
    raise_for_failure(Answer(None, error=Failure(**answer["error"]), finish_reason=answer["finish_reason"]))
