"""`POST /text2sql`: a question about a schema or a configured database → SQL, and optionally its rows."""

from __future__ import annotations

import asyncio
import functools
import json
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response
from pydantic import Field
from sqlglot.errors import SqlglotError

from ...udf.planner.questions import read_background
from ...udf.session.session import several_models
from ...udf.settings import StoreMode, load_settings
from ...udf.text2sql.checks.transpile import find_dialect, transpile
from ...udf.text2sql.confidence.query_rows import RunQuery
from ...udf.text2sql.draw import SqlModel, TargetCheck
from ...udf.text2sql.pipeline import Effort, generate_sql
from ...udf.text2sql.prompts.formats import format_for_model
from ...udf.text2sql.result import MAX_EXAMPLES, MAX_VOTES, QuestionKey, Text2SqlResult
from ...udf.text2sql.schema.resolve import ResolvedSchema, resolve_schema
from ...workers.database_schema import Schema
from ...workers.deployments.spec import ModelSpec
from ...workers.errors import DatabaseError, RequestError, SchemaError
from ...workers.messages import Failure, Message, Request
from ...workers.messages import Response as Answer
from ...workers.serving.fleet import BUILTIN_MODELS, BUILTIN_TEXT2SQL
from .admission import Admitted, RequestContext
from .databases.registry import Opened
from .error_replies import GatewayError, raise_for_failure, timeout_error
from .error_styles import route_class_with_errors
from .openai.completion import complete_in_parts, store_mode
from .openai.requests import RequestModel

MAX_QUESTION_CHARACTERS, MAX_SCHEMA_CHARACTERS = 4_000, 200_000


def error_reply(error: GatewayError) -> Response:
    """Return an error in the form of this route's reply."""
    fields = {"code": error.code, "message": error.message, "retryable": error.retryable}
    return JSONResponse({"sql": None, "error": fields, "bound": False}, error.status_code)


router = APIRouter(tags=["text2sql"], route_class=route_class_with_errors(error_reply))


class QuestionBody(RequestModel):
    """The body of `POST /text2sql`: the first two fields are those of XiYan's service."""

    question: str = Field(min_length=1, max_length=MAX_QUESTION_CHARACTERS, description="in any language")
    db_schema: str | None = Field(
        None,
        max_length=MAX_SCHEMA_CHARACTERS,
        description="DDL or M-Schema text; of a database also names of its tables; left out: all of it",
    )
    database: str | None = Field(None, description="one of `databases.yaml`; left out: the only one there")
    dialect: str | None = Field(None, description="the SQL dialect, with `db_schema`; left out: DuckDB's")
    evidence: str | None = Field(
        None, max_length=MAX_QUESTION_CHARACTERS, description="additional information for the model"
    )
    notes: str | None = Field(
        None,
        max_length=MAX_SCHEMA_CHARACTERS,
        description="Markdown on the data, beside the notes that the database has",
    )
    examples: int = Field(0, ge=0, le=MAX_EXAMPLES, description="how many verified examples the model is shown")
    votes: int = Field(1, ge=1, le=MAX_VOTES, description="how many answers are drawn at most; the largest group wins")
    min_confidence: float | None = Field(
        None, ge=0, le=1, description="decline below this confidence; left out: `llm_min_confidence` of settings.yaml"
    )
    model: str | None = Field(
        None, description="left out: the only one deployed, else the built-in one; several with commas vote"
    )
    detail: bool = Field(False, description="return `alternatives` and `prompt` too")
    run: bool = Field(False, description="run the SQL on the database, which it cannot change")
    max_rows: int = Field(100, ge=1, le=10_000, description="maximum number of rows that `run` returns")


@router.post("/text2sql", summary="A question to SQL")
async def text2sql(body: QuestionBody, visit: Admitted, request: HttpRequest) -> Response:
    """Return the SQL for a question, and whether the database accepts it; with `run`, its first rows."""
    opened = choose_database(visit, body.database, body.db_schema)
    if body.run and opened is None:
        raise RequestError("`run` needs a database", hint="name a `database` of databases.yaml")
    names = [name.strip() for name in (body.model or "").split(",") if name.strip()]
    models = [await text2sql_model(visit, name) for name in names] or [await text2sql_model(visit, None)]
    (spec, remarks), *others = models
    target = QuestionTarget(
        visit, spec, opened, body.db_schema or "", body.dialect, tuple(other for other, _ in others), remarks
    )
    messages = [Message("system", body.evidence)] if body.evidence else []
    question = Request((*messages, Message("user", body.question)))
    bound = load_settings().llm_min_confidence if body.min_confidence is None else body.min_confidence
    key = QuestionKey(question, None, None, body.notes, body.examples, body.votes, bound or 0.0)
    detail = await target.answer(key, store_mode(request))
    reply: dict[str, Any] = {"sql": detail.sql, "error": _failure_fields(detail.error), "bound": detail.bound}
    reply |= {"confidence": detail.confidence, "warnings": list(detail.warnings)}
    if body.detail:
        reply |= {"alternatives": list(detail.alternatives), "prompt": detail.prompt}
    if detail.left_out:
        reply["left_out"] = list(detail.left_out)
    if not (body.run and opened and detail.sql is not None):
        return JSONResponse(reply)
    try:
        rows = await opened.database.run_async(detail.sql, body.max_rows)
    except DatabaseError as error:
        return JSONResponse(reply | {"error": {"code": "database", "message": error.message, "retryable": False}})
    text = json.dumps({**reply, "columns": rows.columns}, ensure_ascii=False).removesuffix("}")
    truncated = json.dumps(rows.truncated)
    return Response(
        f'{text}, "rows": [{", ".join(rows.rows)}], "truncated": {truncated}}}', media_type="application/json"
    )


def choose_database(visit: RequestContext, name: str | None, db_schema: str | None) -> Opened | None:
    """Return the database of a request: the one that it names, or the only one if the request has no schema.

    Raises:
        RequestError: no database has that name, or there are several and the request names none.
        SchemaError: there is none.
    """
    databases = visit.gateway.databases
    if name:
        return databases.open(name)
    if (db_schema or "").strip():
        return None
    names = databases.names()
    if not names:
        raise SchemaError("there is no schema to ask about", hint="send `db_schema`, or fill databases.yaml")
    if len(names) > 1:
        raise RequestError(f"there are several databases: {', '.join(names)}", hint="name one of them in `database`")
    return databases.open(names[0])


async def text2sql_model(
    visit: RequestContext, name: str | None, hint: str = 'To name one, type "model": "{}"'
) -> tuple[ModelSpec, tuple[str, ...]]:
    """Return the model for a question, and what the user should know of the choice.

    It is the named model, or the only deployed one that the key may call, or the built-in one.

    Args:
        visit: the admitted request.
        name: of the model; None: the request names none.
        hint: how to name one, where several are deployed; `{}` stands for a name.

    Raises:
        UnknownModelError: the model is not deployed.
        GatewayError: the API key may not call it.
    """
    if name:
        return await visit.model(name), ()
    models = await visit.gateway.models()
    deployed = [model_name for model_name in models if model_name not in BUILTIN_MODELS and visit.may_call(model_name)]
    if len(deployed) == 1:
        return await visit.model(deployed[0]), ()
    remarks = (several_models(deployed, hint.format(min(deployed))),) if deployed else ()
    return await visit.model(BUILTIN_TEXT2SQL.name), remarks


@dataclass(frozen=True)
class Exchange:
    """One request to a model for a question, and what came back.

    Args:
        request: everything that was sent.
        answer: the model's.
        calls: how many calls it needed; 0: the answer came from the call store.
    """

    request: Request
    answer: Answer
    calls: int


@dataclass(frozen=True)
class QuestionTarget:
    """The model and the schema for a question; `exchanges` holds what was sent for it so far.

    Args:
        visit: the admitted request.
        spec: the model.
        opened: the database; None: only the schema's text.
        db_schema: DDL, M-Schema, table names, or '' for the whole database.
        dialect: the SQL to write; None: the database's, or DuckDB's.
        others: further models, which vote.
        remarks: warnings that each answer has, beside its own.
    """

    visit: RequestContext
    spec: ModelSpec
    opened: Opened | None
    db_schema: str
    dialect: str | None
    others: tuple[ModelSpec, ...] = ()
    remarks: tuple[str, ...] = ()
    exchanges: list[Exchange] = field(default_factory=list)

    async def answer(self, question: QuestionKey, mode: StoreMode) -> Text2SqlResult:
        """Return the SQL in the database's dialect, checked by its EXPLAIN; or the reason why there is none.

        Raises:
            RequestError: the dialect is not the one of the database.
            SchemaError: the schema cannot be read.
            DatabaseError: the database cannot be reached.
            GatewayError: the model gave no answer.
        """
        schema = await self._schema()
        seconds = self.visit.gateway.settings.request_seconds
        first, *others = (
            SqlModel(format_for_model(spec), functools.partial(self._complete, spec, mode))
            for spec in (self.spec, *self.others)
        )
        opened = self.opened if schema.from_catalog else None
        files, find = (opened.files, opened.find_cells) if opened else ((), None)
        background = await asyncio.to_thread(read_background, question, schema, files, files_allowed=False)
        run = self._run_query(schema, question.votes)
        effort = Effort(background, question.votes, run, find, tuple(others), question.min_confidence)
        try:
            async with asyncio.timeout(seconds):
                fit = self._fit(schema.schema)
                found = await generate_sql(question.request, schema, first.form, first.complete, fit=fit, effort=effort)
                return replace(found, warnings=(*self.remarks, *found.warnings))
        except TimeoutError as error:
            raise timeout_error(seconds) from error

    def _run_query(self, schema: ResolvedSchema, votes: int) -> RunQuery | None:
        """Return what runs SQL to check its rows: on a file always, on a server only for a vote."""
        if self.opened is None or not schema.from_catalog:
            return None
        database = self.opened.database
        return database.try_run if votes > 1 or database.dialect in ("duckdb", "sqlite") else None

    async def _complete(self, spec: ModelSpec, mode: StoreMode, wanted: Request) -> Answer:
        (answer,), calls = await complete_in_parts(self.visit, spec, [wanted], mode)
        self.exchanges.append(Exchange(wanted, answer, calls))
        if answer.error and (answer.error.status or answer.error.retryable):
            raise_for_failure(answer)  # The service failed. (If the model declines the question, that is an answer.)
        return answer

    async def _schema(self) -> ResolvedSchema:
        catalog = await self.opened.schema() if self.opened else Schema()
        resolved = await asyncio.to_thread(resolve_schema, self.db_schema, catalog)
        return replace(resolved, bindable=resolved.bindable or self.opened is not None)

    def _fit(self, schema: Schema) -> TargetCheck | None:
        wanted = find_dialect(self.dialect) if self.dialect else None
        if self.opened is None:
            return _translating(schema, wanted) if wanted else None
        database = self.opened.database
        if wanted not in (None, database.dialect):
            raise RequestError(
                f"{database.product} does not use the dialect {self.dialect}", hint="leave out `dialect`"
            )
        return lambda sql: database.fit(sql, schema)


def _translating(schema: Schema, dialect: str) -> TargetCheck:
    def fit(sql: str) -> tuple[str, Failure | None]:
        try:
            return transpile(sql, schema, dialect), None
        except SqlglotError as error:
            return sql, Failure("dialect", f"it cannot be written in the dialect {dialect}: {error}")

    return fit


def _failure_fields(failure: Failure | None) -> dict[str, Any] | None:
    return {"code": failure.code, "message": failure.message, "retryable": failure.retryable} if failure else None
