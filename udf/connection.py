"""The connection: a DuckDB connection that knows our functions and watches its statements."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import duckdb

from ..workers import connect_fleet, event_loop
from .calls.model_estimate import ModelEstimate, PlannedRequest
from .functions.arrow_functions import register_functions
from .functions.macros import create_alias_macros, create_macros, sync_model_macros
from .planner.modes import LiveAnswers
from .planner.python_sources import is_repeatable
from .raw_sql import execute_raw
from .session.definitions import note_defined
from .session.session import Session, attach_session, close_session, find_session, open_session
from .statement_hooks import run_statement, split_script, statement_scope, translated_errors

FETCH_METHODS = (
    "fetchone", "fetchmany", "fetchall", "fetchnumpy", "fetchdf", "fetch_df", "fetch_df_chunk", "df", "torch", "tf",
    "to_arrow_table", "to_arrow_reader", "complete",
)  # fmt: skip
"""Methods of a connection that read a result: while they run, rows are computed and models called."""
PARTIAL_FETCH_METHODS = {"fetchone", "fetchmany", "fetch_df_chunk", "to_arrow_reader"}
"""Those of them after which there may be more to read, unless they found nothing."""


class Connection(duckdb.DuckDBPyConnection):
    """A `duckdb.DuckDBPyConnection` with LLM functions; make one with `quackllm.connect`."""

    __slots__ = ()

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Connection:
        """Run a statement, as DuckDB does."""
        session = find_session(self)
        with session.lock:
            for statement in split_script(self, query):
                run = functools.partial(duckdb.DuckDBPyConnection.execute, self, statement, *args, **kwargs)
                run_statement(self, statement, run, _parameters(args, kwargs))
                if session.statement.progress_shown and self.description and self.description[0][0] == "Count":
                    session.statement.finish()  # It wrote, and gives no rows to read on.
        return self

    def executemany(self, query: Any, *args: Any, **kwargs: Any) -> Connection:
        """Run a prepared statement once for each set of parameters, as DuckDB does."""
        run = functools.partial(duckdb.DuckDBPyConnection.executemany, self, query, *args, **kwargs)
        run_statement(self, query, run, planned=False)
        return self

    def cursor(self) -> Connection:
        """Return another connection to the same database, with the same models and default model."""
        session = find_session(self)
        return _wrap(duckdb.DuckDBPyConnection.cursor(self), open_session(session.fleet, session.model))

    def duplicate(self) -> Connection:
        """Return another connection to the same database."""
        return self.cursor()

    def begin(self) -> Connection:
        """Open a transaction."""
        session = find_session(self)
        session.own_transaction.rollback(self)
        sync_model_macros(self, session)
        duckdb.DuckDBPyConnection.begin(self)
        return self

    def commit(self) -> Connection:
        """Keep what the open transaction has written."""
        find_session(self).own_transaction.rollback(self)
        duckdb.DuckDBPyConnection.commit(self)
        return self

    def rollback(self) -> Connection:
        """Undo the open transaction, and with it macros that were made in it."""
        find_session(self).own_transaction.rollback(self)
        duckdb.DuckDBPyConnection.rollback(self)
        find_session(self).model_macros.clear()
        note_defined()
        return self

    def create_function(self, *args: Any, **kwargs: Any) -> Connection:
        """Make a Python function one of SQL, as DuckDB does."""
        duckdb.DuckDBPyConnection.create_function(self, *args, **kwargs)
        note_defined()
        return self

    def register(self, view_name: str, python_object: Any) -> Connection:
        """Make a Python object a view, as DuckDB does."""
        duckdb.DuckDBPyConnection.register(self, view_name, python_object)
        views = find_session(self).repeatable_views
        (views.add if is_repeatable(python_object) else views.discard)(view_name)
        return self

    def remove_function(self, name: str) -> Connection:
        """Remove a function that `create_function` made."""
        duckdb.DuckDBPyConnection.remove_function(self, name)
        note_defined()
        return self

    def interrupt(self) -> None:
        """Stop the running statement; requests that were not sent yet are not sent."""
        find_session(self).statement.cancel()

    def close(self) -> None:
        """Close the connection."""
        session = find_session(self)
        session.statement.finish()
        close_session(session.number)
        duckdb.DuckDBPyConnection.close(self)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Every statement of a relation, and nothing else, passes through these two: the relation layer of
    # DuckDB 2.0 is Python over them.
    def _submit(self, query: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        run = functools.partial(duckdb.DuckDBPyConnection._submit, self, query, *args, **kwargs)
        result = run_statement(self, query, run, args[0] if args else kwargs.get("values"))
        if "stream" not in args:  # Any other result has been read to its end by now.
            _finish_result(self)
        return result

    def _bind(self, query: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        def bind() -> Any:
            statement = find_session(self).statement
            statement.is_execution = False
            try:
                return duckdb.DuckDBPyConnection._bind(self, query, *args, **kwargs)
            finally:
                statement.stop_clock()

        return run_statement(self, query, bind, planned=False)


def _finish_result(connection: Connection) -> None:
    """Stop the clock and close the transaction of a statement that has been read to its end."""
    session = find_session(connection)
    session.statement.finish()
    session.own_transaction.rollback(connection)


def _found_nothing(result: Any) -> bool:
    return result is None or (isinstance(result, list) and not result)


def _wrap_fetch(name: str) -> Callable[..., Any]:
    original = getattr(duckdb.DuckDBPyConnection, name)

    def read(self: Connection, *args: Any, **kwargs: Any) -> Any:
        session = find_session(self)
        with translated_errors(session):
            result = original(self, *args, **kwargs)
        if name not in PARTIAL_FETCH_METHODS or _found_nothing(result):
            _finish_result(self)
        return result

    read.__name__, read.__doc__ = name, original.__doc__
    return read


for _name in FETCH_METHODS:
    setattr(Connection, _name, _wrap_fetch(_name))


def connect(
    path: str | Path = ":memory:",
    *,
    model: str | None = None,
    cluster: str | None = None,
    read_only: bool = False,
    aliases: Sequence[str] = (),
) -> Connection:
    """Open a DuckDB database whose SQL can call language models.

    Args:
        path: a database file, or ':memory:'.
        model: the default model of `llm_chat(request)` and `text2sql(question)`.
        cluster: where models answer. None: this process, with no Ray; 'local': a Ray on this machine;
            'auto' or an address: a running Ray cluster.
        read_only: open the file without being able to change it.
        aliases: also the names and arguments of other databases: 'snowflake', 'bigquery', 'databricks', 'motherduck'.

    Raises:
        UnknownModelError: the default model is not deployed.
        SetupError: no cluster answers at the address.
        RequestError: there are no aliases of that name.
    """
    opened = duckdb.connect(str(path), read_only=read_only)
    return register(opened, model=model, cluster=cluster, aliases=aliases)


def register(
    connection: duckdb.DuckDBPyConnection,
    *,
    model: str | None = None,
    cluster: str | None = None,
    aliases: Sequence[str] = (),
) -> Connection:
    """Give a connection that exists our functions; it stays the same object, and watches its statements from now on.

    Args:
        connection: any DuckDB connection.
        model, cluster, aliases: as for `connect`.
    """
    if isinstance(connection, Connection):
        _release(connection)
    ours = _wrap(connection, open_session(connect_fleet(cluster), model))
    create_alias_macros(ours, find_session(ours), aliases)
    return ours


def estimate(connection: Connection, sql: str, parameters: Any = None) -> list[ModelEstimate]:
    """Return the calls that a statement would make of each model, and their cost; no model is called.

    Args:
        connection: where it would run.
        sql: a SELECT, CREATE TABLE AS, INSERT … SELECT or COPY (SELECT …) TO.
        parameters: the values of its parameters.

    Raises:
        RequestError: nothing in it calls a model, or it cannot be run ahead; the message says why.
        duckdb.Error: it cannot be run.
    """
    from .planner.estimate import estimate as estimated

    with statement_scope(connection, sql, planned=False):
        session = find_session(connection)
        session.own_transaction.rollback(connection)
        return estimated(connection, session, sql, parameters)


def planned_requests(
    connection: Connection, sql: str, parameters: Any = None, *, most: int = 3
) -> list[PlannedRequest]:
    """Return the first requests that each call of a statement needs, whole, as they would be sent; nothing is sent.

    Args:
        connection: where the statement would run.
        sql: as for `estimate`.
        parameters: the values of its parameters.
        most: how many requests of each call.

    Raises:
        RequestError: nothing in it calls a model, or it cannot be run ahead; the message says why.
        duckdb.Error: it cannot be run.
    """
    from .planner.explain import explain

    with statement_scope(connection, sql, planned=False):
        session = find_session(connection)
        session.own_transaction.rollback(connection)
        return explain(connection, session, sql, parameters, most_requests=most)[1]


def use_batches(connection: Connection, report: Callable[[str], None], *, wait: bool) -> None:
    """Send the calls of a connection's statements through the services' batch APIs from now on.

    Args:
        connection: the connection.
        report: shows what is sent, what it costs, and how far it is.
        wait: until the answers are there; otherwise a statement that needs them ends with a `BatchPendingError`.

    Raises:
        SetupError: a service whose batch was sent before cannot be reached.
    """
    from .calls.batch_client import BatchClient

    session = find_session(connection)
    client = BatchClient(session.fleet, session.client.store, report, wait=wait)
    event_loop.run_sync(client.fetch_ended())
    session.client = client


def _wrap(connection: duckdb.DuckDBPyConnection, session: Session) -> Connection:
    register_functions(connection)
    adopted = cast(Connection, connection)
    attach_session(adopted, session)  # Before it is one of ours: another thread may interrupt it from then on.
    connection.__class__ = Connection
    # A subclass adds a Python frame between the caller and DuckDB, which looks for DataFrames in the nearest one only.
    execute_raw(adopted, "SET python_scan_all_frames = true")
    session.answers = LiveAnswers(session)
    create_macros(adopted, session)
    sync_model_macros(adopted, session, called=())
    weakref.finalize(adopted, close_session, session.number)
    return adopted


def _release(connection: Connection) -> None:
    close_session(find_session(connection).number)


def _parameters(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[0] if args else kwargs.get("parameters")
