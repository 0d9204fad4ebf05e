"""A select list in the sandbox's child process: the child computes, and the parent calls the models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, cast

import duckdb
import msgspec
import pyarrow as pa

from ....udf.connection import register
from ....udf.functions.macros import sync_model_macros
from ....udf.session.answer_source import AnswerSource
from ....udf.session.session import find_session
from ....udf.settings import StatementOptions, StoreMode
from ....udf.text2sql.result import QuestionKey, Text2SqlResult
from ....workers.deployments.spec import ModelSpec
from ....workers.errors import RequestError
from ....workers.messages import Request, Response
from ....workers.options import options_from_json
from ....workers.sandbox import Sandbox, call_parent, interruptible
from ....workers.sandbox.locked_duckdb import sandboxed_duckdb
from ....workers.serving.fleet import Fleet
from ..error_replies import GatewayError
from .predict_statement import Reply, load_rows, reply_to
from .select_list import Rewriting, computes_little, models_called

PROCESSES = 16  # Children wait for the models' answers, so there may be more children than cores.


def rewrite(text: str, models: frozenset[str], others: frozenset[str]) -> tuple[str, list[str], bool] | str:
    """Return the SELECT for a select list, the model of each call, and whether it computes little.

    If it calls a model that may not be called, the error message is returned instead.
    """
    try:
        sql = Rewriting(models, others).rewritten(text)
    except GatewayError as error:
        return error.message
    return sql, models_called(sql, models), computes_little(sql, models)


def run(sql: str, rows: pa.Table, models: tuple[str, ...]) -> Reply:
    """Return the reply to a SELECT over `data`.

    Args:
        sql: as `rewrite` returned it.
        rows: the request's.
        models: whose names are functions.

    Raises:
        RequestError: DuckDB refuses the SELECT.
        QuackLLMError: no row can succeed.
    """
    with closing(register(sandboxed_duckdb())) as connection:
        session = find_session(connection)
        session.fleet = cast(Fleet, _Names({name: ModelSpec(name=name, type="echo") for name in models}))
        session.answers = _Parent()
        session.statement.scope.load_options = lambda: StatementOptions(llm_progress="off")
        sync_model_macros(connection, session)
        # Back to a plain connection: with our hooks the statement would call models in this process.
        plain = cast(duckdb.DuckDBPyConnection, connection)
        plain.__class__ = duckdb.DuckDBPyConnection
        try:
            load_rows(plain, rows)
            with interruptible(plain.interrupt):
                return reply_to(plain, sql)
        except duckdb.Error as error:
            refused = RequestError(f"DuckDB refuses it: {error}", hint=f"it ran: {sql}")
            raise session.statement.error or refused from error


def plain_requests(requests: Sequence[Request]) -> Any:
    """Return requests as plain values, for the pipe."""
    return msgspec.to_builtins(list(requests), enc_hook=lambda options: options.canonical_json)


def read_requests(given: Any) -> list[Request]:
    """Return the requests of plain values.

    Raises:
        msgspec.ValidationError, RequestError: the values are no requests.
    """
    return msgspec.convert(given, list[Request], dec_hook=lambda _, text: options_from_json(text))


class _Names:
    """Stands in for the fleet: it has only the names of the models."""

    def __init__(self, specs: Mapping[str, ModelSpec]) -> None:
        self._specs = specs

    def deployed(self) -> Mapping[str, ModelSpec]:
        """See `Fleet`."""
        return self._specs


class _Parent(AnswerSource):
    """An answer source that sends each request of the select list to the parent process."""

    def responses(self, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode) -> Sequence[Response | None]:
        """See `AnswerSource`."""
        found: list[Response] = call_parent((spec.name, plain_requests(requests)))
        return found

    def sql_results(self, questions: Sequence[QuestionKey], mode: StoreMode) -> Sequence[Text2SqlResult | None]:
        """See `AnswerSource`; never needed, because the guard refuses text2sql here."""
        raise RequestError("text2sql cannot be called here", hint="post the question to /text2sql")


def warm_up() -> None:
    """Import and prepare what the first select list would otherwise wait for."""
    rewrite("select 1", frozenset(), frozenset())
    with closing(register(sandboxed_duckdb())):
        pass


SANDBOX = Sandbox(warm_up, processes=PROCESSES)
