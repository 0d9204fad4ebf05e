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
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from ....udf.connection import Connection, register
from ....udf.session.session import session_of
from ....udf.session.statement import FailedRowsWarning
from ....udf.settings import StatementOptions
from ....udf.text2sql.checks.sandbox import locked_instance
from ....workers.errors import RequestError
from ....workers.messages import Failure
from ....workers.messages import Response as Answer
from ..admission import Admitted, Visit
from ..error_styles import speaking
from ..errors import GatewayError, check_answered, too_slow
from .reply import answers_in, shown
from .request_rows import table_of
from .select_list import DATA, REQUEST_MACRO, Rewriting

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
    rows = table_of(form.data, form.dataType)
    models = await visit.gateway.models()
    allowed = {name for name in models if visit.may_ask(name)}
    sql = Rewriting(allowed, models.keys() - allowed).rewritten(form.sql)
    running = Running(visit)
    found = await asyncio.get_running_loop().run_in_executor(THREADS, running.rows_of, sql, rows)
    return JSONResponse(found)


class Running:
    """One statement, in an empty DuckDB that holds the request's rows and reaches nothing but the models.

    Args:
        visit: for whom.
    """

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        # Failed rows are told in the reply, and a warning would go to whoever reads the server's output.
        warnings.simplefilter("ignore", FailedRowsWarning)

    def rows_of(self, sql: str, rows: pa.Table) -> list[dict[str, Any]]:
        """Return the rows of a SELECT over `data`.

        Raises:
            RequestError: DuckDB refuses it.
            GatewayError: no answer was given at all, or it took too long.
        """
        seconds = self._visit.gateway.settings.request_seconds
        try:
            with self._connected(rows) as connection, _stopped_after(connection, seconds):
                found = connection.execute(sql).fetchall()
                names = [column[0] for column in connection.description]
        except duckdb.InterruptException as error:
            raise too_slow(seconds) from error
        except duckdb.Error as error:
            raise RequestError(f"DuckDB refuses it: {error}", hint=f"it ran: {sql}") from error
        answers = [answer for row in found for cell in row for answer in answers_in(cell)]
        if answers and all(answer["error"] for answer in answers):
            _refuse_all(answers[0])
        return [{name: shown(cell) for name, cell in zip(names, row, strict=True)} for row in found]

    @contextmanager
    def _connected(self, rows: pa.Table) -> Iterator[Connection]:
        wishes = self._visit.statement().options
        with closing(register(locked_instance(), cluster=self._visit.gateway.settings.cluster)) as connection:
            session = session_of(connection)
            session.client = self._visit.gateway.caller
            session.variables = _variables(wishes)
            session.duckdb_progress_enabled = False
            duckdb.DuckDBPyConnection.register(connection, "given", rows)
            names = ", ".join('"' + name.replace('"', '""') + '"' for name in rows.column_names) or "NULL AS feature"
            for statement in (f"CREATE TABLE {DATA} AS SELECT {names} FROM given", REQUEST_MACRO):
                duckdb.DuckDBPyConnection.execute(connection, statement)
            duckdb.DuckDBPyConnection.unregister(connection, "given")
            duckdb.DuckDBPyConnection.execute(connection, "SET lock_configuration = true")
            try:
                yield connection
            finally:
                self._visit.statements.append(session.statement.scope)


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
