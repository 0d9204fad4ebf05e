"""A statement of the console in the sandbox's child process: the child computes, and the parent calls the models."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast

import duckdb
import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import SqlglotError

from ....udf.calls.caching_client import CachingClient
from ....udf.calls.scope import CallScope
from ....udf.connection import Connection, register
from ....udf.functions.macros import sync_model_macros
from ....udf.session.session import find_session
from ....udf.settings import StoreMode
from ....udf.text2sql.checks.guard import check_sql
from ....udf.value_text import run_select
from ....workers.database_schema import Schema
from ....workers.deployments.spec import ModelSpec
from ....workers.errors import DatabaseError, GuardError
from ....workers.messages import Request, Response
from ....workers.sandbox import Sandbox, call_parent, interruptible
from ....workers.sandbox.locked_duckdb import CONFIG
from ....workers.serving.fleet import Fleet
from ..byzer.in_sandbox import plain_requests
from .cells import arrow_cells
from .sql_functions import SQL_FUNCTIONS

PROCESSES = 16  # Children wait for the models' answers, so there may be more children than cores.
# Functions of other databases that read their arguments alone, and that no function of DuckDB's is translated from.
OTHER_FUNCTIONS = frozenset(
    {
        *("date", "datetime", "time", "julianday", "unixepoch", "timediff", "total", "printf"),  # SQLite's
        *("to_char", "to_number", "to_date", "initcap", "btrim"),  # PostgreSQL's
        *("date_format", "ifnull", "curdate", "curtime", "str_to_date", "timestampdiff", "timestampadd", "dayofweek"),
        *("from_unixtime", "isnull", "nvl"),
    }
)


@dataclass(frozen=True, slots=True)
class StatementModels:
    """What the child knows of the models that a statement may call.

    Args:
        deployed: their names and types; each is a function.
        default: the one that functions ask which name none; None: the only one.
        called: whether the statement seems to call any.
    """

    deployed: tuple[tuple[str, str], ...] = ()
    default: str | None = None
    called: bool = False


def guarded(sql: str, schema: Schema, dialect: str) -> str:
    """Return the single SELECT of a text in a database's own dialect, as it may run there.

    What runs is written anew from what was checked, so that no comment or spelling is read differently there.

    Args:
        sql: as a model or a person wrote it.
        schema: the tables that it may read.
        dialect: sqlglot's name.

    Raises:
        GuardError: it is not a single SELECT, or uses something that is not allowed.
    """
    if dialect == "duckdb":
        return check_sql(sql, schema, strict=True, functions=SQL_FUNCTIONS)
    try:
        trees = [tree for tree in sqlglot.parse(sql, read=dialect) if tree is not None]
    except (SqlglotError, RecursionError) as error:
        raise GuardError(f"it cannot be read as {dialect}: {str(error).splitlines()[0]}") from error
    if len(trees) != 1:
        raise GuardError("only one query is run here", hint="write one SELECT")
    if not isinstance(trees[0], exp.Query):
        raise GuardError(f"it is not a SELECT: {trees[0].key.upper()}", hint="write one SELECT")
    check_sql(
        trees[0].transform(_plain_date).sql("duckdb", comments=False), schema, strict=True, functions=OTHER_FUNCTIONS
    )
    return trees[0].sql(dialect, comments=False)


def _plain_date(node: exp.Expr) -> exp.Expr:
    """Return SQLite's `date(d, '-30 days')`, whose name DuckDB's parser keeps for itself, under another name."""
    is_date = isinstance(node, exp.Anonymous) and node.name.lower() in ("date", "time")
    return exp.Anonymous(this="datetime", expressions=node.expressions) if is_date else node


def run(path: str | None, sql: str, schema: Schema, models: StatementModels, max_rows: int) -> Any:
    """Return a statement's columns, rows, whether there are more, and its warnings, as plain values.

    Args:
        path: of a DuckDB file; None: an empty database.
        sql: one SELECT, which is checked here.
        schema: the tables that it may read.
        models: that it may call.
        max_rows: the most rows to return.

    Raises:
        GuardError: it is not a single SELECT, or uses something that is not allowed.
        DatabaseError: DuckDB refuses it; the message is DuckDB's own.
        QuackLLMError: no row can succeed.
    """
    functions = {*SQL_FUNCTIONS, *(name for name, _ in models.deployed)}
    limit = max_rows if models.called else max_rows + 1  # A row that only shows that there are more is not paid for.
    checked = check_sql(sql, schema, strict=True, functions=functions)
    try:
        with closing(_connected(path, models)) as connection, interruptible(connection.interrupt):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = run_select(connection, checked, limit)
            columns, rows = arrow_cells(found.slice(0, max_rows))
            return columns, rows, found.num_rows >= limit, [str(warning.message) for warning in caught]
    except duckdb.Error as error:
        raise DatabaseError(str(error)) from error


def _connected(path: str | None, models: StatementModels) -> Connection:
    instance = duckdb.connect(path or ":memory:", read_only=path is not None, config=CONFIG)
    instance.execute("SET python_enable_replacements = false")
    connection = register(instance)
    session = find_session(connection)
    session.fleet = cast(
        Fleet, _Names({name: ModelSpec(name=name, type=type_name) for name, type_name in models.deployed})
    )
    session.model = models.default
    session.client = cast(CachingClient, _Parent())
    session.variables = {"llm_progress": "off"}
    session.duckdb_progress_enabled = False
    sync_model_macros(connection, session)
    duckdb.DuckDBPyConnection.execute(connection, "SET lock_configuration = true")
    return connection


class _Names:
    """Stands in for the fleet: it has only the names of the models."""

    address = None
    description = "the gateway"

    def __init__(self, specs: Mapping[str, ModelSpec]) -> None:
        self._specs = specs

    def deployed(self) -> Mapping[str, ModelSpec]:
        """See `Fleet`."""
        return self._specs


class _Parent:
    """Stands in for the caching client: the parent looks up, calls and pays, and holds the budgets."""

    async def complete(
        self, spec: ModelSpec, requests: Sequence[Request], scope: CallScope, mode: StoreMode = "on"
    ) -> list[Response]:
        """See `CachingClient`."""
        found: list[Response] = _ask("complete", spec, requests, mode)
        return found

    async def cached(
        self, spec: ModelSpec, requests: Sequence[Request], scope: CallScope, mode: StoreMode = "on"
    ) -> list[Response | None]:
        """See `CachingClient`."""
        found: list[Response | None] = _ask("cached", spec, requests, mode)
        return found

    async def prefetch(
        self, spec: ModelSpec, requests: Iterable[Request], scope: CallScope, mode: StoreMode = "on"
    ) -> None:
        """See `CachingClient`."""
        _ask("prefetch", spec, list(requests), mode)


def _ask(action: str, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode) -> Any:
    return call_parent((action, spec.name, plain_requests(requests), mode))


def warm_up() -> None:
    """Import and prepare what the first statement would otherwise wait for."""
    run(None, "SELECT 1", Schema(), StatementModels(), 1)


def ready() -> bool:
    """Return True: a call of it waits until a child has started."""
    return True


SANDBOX = Sandbox(warm_up, processes=PROCESSES)
