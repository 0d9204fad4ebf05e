"""A database whose queries run in a sandbox: a query that takes too much does not affect the gateway's process."""

from __future__ import annotations

import asyncio
import json
from dataclasses import astuple
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import SecretStr

from ....udf.text2sql.confidence.query_rows import QueryRows
from ....workers.database_schema import Schema
from ....workers.errors import DatabaseError, SandboxLimitError
from ....workers.messages import Failure
from ....workers.sandbox import Cancellation, Sandbox, SandboxLimits
from .database import Database, Rows, fitted
from .duckdb_file import DuckDBFile
from .urls import open_url

Result = TypeVar("Result")
MAX_TRIED_ROWS, TRY_LIMITS = 1_000, SandboxLimits(megabytes=512, seconds=2.0)


class SandboxedDatabase:
    """A `Database` that is opened here to read its schema, and in a child process for SQL that clients or models wrote.

    Args:
        database: what the URL names.
        url: without references; it is sent to the child through a pipe.
        limits: memory and time to translate, explain or run a query.
    """

    def __init__(self, database: Database, url: SecretStr, limits: SandboxLimits) -> None:
        self.product, self.dialect = database.product, database.dialect
        self._database = database
        self.url = url
        self._limits = limits

    @property
    def path(self) -> str | None:
        """The DuckDB file that it is; None: it is something else."""
        return str(self._database.path) if isinstance(self._database, DuckDBFile) else None

    def read_schema(self) -> Schema:
        """See `Database`."""
        return self._database.read_schema()

    def explain(self, sql: str) -> str | None:
        """See `Database`."""
        message: str | None = self._call(_explain, sql)
        return message

    def fit(self, sql: str, schema: Schema) -> tuple[str, Failure | None]:
        """Return DuckDB's SQL translated for the database; see `fitted`."""
        result, failure = self._call(_fit, sql, schema)
        return result, Failure(*failure) if failure else None

    def run(self, sql: str, max_rows: int, cancellation: Cancellation | None = None) -> Rows:
        """See `Database`; another thread may end it with `cancellation`."""
        return Rows(*self._call(_run, sql, max_rows, cancellation=cancellation))

    async def run_async(self, sql: str, max_rows: int) -> Rows:
        """Return the rows of a query; the query ends when the task that waits for it is cancelled.

        Raises:
            DatabaseError: as `run`.
        """
        cancellation = Cancellation()
        try:
            return await asyncio.to_thread(self.run, sql, max_rows, cancellation)
        except asyncio.CancelledError:
            cancellation.cancel()
            raise

    def try_run(self, sql: str) -> QueryRows | None:
        """Return the first rows of generated SQL, to check them; None if it takes too long to say anything."""
        url = self.url.get_secret_value()
        try:
            found = Rows(*SANDBOX.call(_run, url, sql, MAX_TRIED_ROWS, limits=TRY_LIMITS))
        except SandboxLimitError:
            return None
        except DatabaseError as error:
            return QueryRows(error=error.message)
        return QueryRows(tuple(tuple(map(_scalar, json.loads(row))) for row in found.rows), found.truncated)

    def close(self) -> None:
        """See `Database`."""
        self._database.close()

    def _call(self, function: Any, *arguments: Any, cancellation: Cancellation | None = None) -> Any:
        url = self.url.get_secret_value()
        try:
            return SANDBOX.call(function, url, *arguments, limits=self._limits, cancellation=cancellation)
        except SandboxLimitError as error:
            raise DatabaseError(_limit_message(error, self._limits)) from error


def _scalar(value: Any) -> Any:
    """Return a JSON value that can be compared and hashed."""
    return json.dumps(value, sort_keys=True) if isinstance(value, list | dict) else value


def warm_up() -> None:
    """Import what the first query would otherwise wait for."""
    import sqlalchemy  # noqa: F401


SANDBOX = Sandbox(warm_up)


def _limit_message(error: SandboxLimitError, limits: SandboxLimits) -> str:
    if error.limit == "time":
        return f"the query takes longer than {limits.seconds:g} s"
    if error.limit == "memory":
        return f"the query takes more memory than {limits.megabytes} MB"
    return "the rows are too large to be sent: ask for fewer of them, or for shorter values"


@lru_cache(maxsize=16)
def _opened(url: str) -> Database:
    return open_url(SecretStr(url), "")


def _explain(url: str, sql: str) -> str | None:
    return _opened(url).explain(sql)


def _fit(url: str, sql: str, schema: Schema) -> tuple[str, tuple[str, str] | None]:
    result, failure = fitted(_opened(url), sql, schema)
    return result, (failure.code, failure.message) if failure else None


def _run(url: str, sql: str, max_rows: int) -> tuple[Any, ...]:
    return astuple(_opened(url).run(sql, max_rows))
