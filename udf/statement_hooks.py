"""Before and around a statement: split a script, read variables and catalog, plan, watch, translate errors."""

from __future__ import annotations

import contextlib
import functools
import re
import weakref
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import duckdb

from ..workers.errors import CancelledError
from ..workers.sql_text import quote_literal
from .functions.macros import create_macros, create_model_macro, sync_model_macros
from .planner.modes import MODEL_FUNCTIONS, LiveAnswers
from .planner.prepared import executed_texts, remember_prepared
from .planner.read_definitions import calling_names
from .raw_sql import execute_raw
from .session.definitions import note_defined
from .session.interrupts import on_interrupt
from .session.session import Session, find_session
from .session.statement import Statement
from .variables import options_from_variables, read_variables

READS_CATALOG_PATTERN = re.compile(
    r"\b(text2sql|text2sql_detail|ask|guarded_query|llm_estimate|ai_explain)\s*\(", re.IGNORECASE
)
ESTIMATE_PATTERN = re.compile(r"\b(llm_estimate|ai_explain)\s*\(", re.IGNORECASE)
SET_VARIABLE_PATTERN = re.compile(r"\bvariable\b", re.IGNORECASE)
DEFINES_PATTERN = re.compile(r"\b(view|macro|function|schema|attach|detach|use|import|rollback|abort)\b", re.IGNORECASE)
ROLLBACK_PATTERN = re.compile(r"\s*(rollback|abort)\b", re.IGNORECASE)
# In a transaction an unknown function is the end; whoever lists the functions looks for all of them.
ALL_MODELS_PATTERN = re.compile(r"^\s*(begin|start)\b|duckdb_functions", re.IGNORECASE)
CALL_PATTERN = re.compile(r"\b(\w+)\"?\s*\(")
UNKNOWN_FUNCTION_PATTERN = re.compile(r"Scalar Function with name (\w+) does not exist")
Result = TypeVar("Result")

STATEMENT_CHARACTERS = 10_000  # Of a statement that `llm_calls()` shows.
CACHED_BYTES_SQL = """
    SELECT sum(memory_usage_bytes)::BIGINT FROM duckdb_memory()
    WHERE tag IN ('BASE_TABLE', 'METADATA', 'EXTERNAL_FILE_CACHE')
"""


def split_script(connection: duckdb.DuckDBPyConnection, query: Any) -> list[Any]:
    """Split a script that calls models: each statement is planned, and sees what the earlier ones created."""
    if isinstance(query, str) and (SET_VARIABLE_PATTERN.search(query) or _calls_model(connection, query)):
        return connection.extract_statements(query)
    return [query]


def _calls_model(connection: duckdb.DuckDBPyConnection, text: str) -> bool:
    """Whether a statement calls a model, or a view or macro that does; now and then a word in a text looks like it."""
    session = find_session(connection)
    text = "\n".join([text, *executed_texts(session, text)])
    called = _called(text)
    if not (called.isdisjoint(session.deployed) and called.isdisjoint(MODEL_FUNCTIONS) and "ask" not in called):
        return True
    try:
        return bool(calling_names(connection, session, text))
    except duckdb.Error:  # An aborted transaction, or a database that is out of reach: the statement will say so.
        return False


@functools.lru_cache(maxsize=1)
def _called(text: str) -> set[str]:
    """Return the names of the functions that a statement calls."""
    return {name.lower() for name in CALL_PATTERN.findall(text)}


def _interrupt(connection: weakref.ref[duckdb.DuckDBPyConnection]) -> None:
    if (alive := connection()) is not None:
        with contextlib.suppress(duckdb.ConnectionException):  # Closed meanwhile: nothing runs on it.
            duckdb.DuckDBPyConnection.interrupt(alive)


def _cached_bytes(connection: weakref.ref[duckdb.DuckDBPyConnection]) -> int:
    """Return how much DuckDB keeps of the user's files in memory; what a query itself takes is none of it."""
    if (alive := connection()) is None:
        return 0
    try:
        with duckdb.DuckDBPyConnection.cursor(alive) as cursor:
            ((bytes_used,),) = cursor.execute(CACHED_BYTES_SQL).fetchall()
    except duckdb.Error:  # Closed meanwhile: its statement has ended.
        return 0
    return int(bytes_used or 0)


@contextlib.contextmanager
def statement_scope(
    connection: duckdb.DuckDBPyConnection, query: Any, parameters: Any = None, *, planned: bool = True
) -> Iterator[None]:
    """Prepare for a statement, make its calls ahead, and watch it run."""
    session = find_session(connection)
    text = query if isinstance(query, str) else getattr(query, "query", "")
    with session.lock:
        session.statement.finish()
        session.own_transaction.release_count(connection)
        this = weakref.ref(connection)
        session.statement = Statement(functools.partial(_interrupt, this), functools.partial(_cached_bytes, this))
        session.statement.scope.statement = text[:STATEMENT_CHARACTERS]
        session.answers = LiveAnswers(session)
        with translated_errors(session):
            if planned:
                session.own_transaction.rollback(connection)
            _before_statement(connection, session, text, parameters)
            try:
                with _planned(connection, session, text, parameters) if planned else contextlib.nullcontext():
                    yield
            finally:
                if DEFINES_PATTERN.search(text):
                    note_defined()
            remember_prepared(session, text)
        if ROLLBACK_PATTERN.match(text):
            session.model_macros.clear()


def run_statement(
    connection: duckdb.DuckDBPyConnection,
    query: Any,
    run: Callable[[], Result],
    parameters: Any = None,
    *,
    planned: bool = True,
) -> Result:
    """Run one statement: again where it reads a view that calls a model which it does not name itself."""
    while True:
        try:
            with statement_scope(connection, query, parameters, planned=planned):
                return run()
        except duckdb.CatalogException as error:
            session, unknown = find_session(connection), UNKNOWN_FUNCTION_PATTERN.search(str(error))
            if unknown is None or unknown[1] not in session.deployed - session.model_macros:
                raise
            sync_model_macros(connection, session, [unknown[1]])


def _silence_duckdb_progress(connection: duckdb.DuckDBPyConnection, session: Session, text: str) -> None:
    """Keep DuckDB, which draws a bar of its own where Python is interactive, from drawing over ours."""
    if session.duckdb_progress_enabled is None:
        ((session.duckdb_progress_enabled,),) = execute_raw(connection, "SELECT current_setting('enable_progress_bar')")
    if session.duckdb_progress_enabled and (ours := _calls_model(connection, text)) != session.duckdb_progress_silenced:
        execute_raw(connection, f"SET enable_progress_bar_print = {not ours}")
        session.duckdb_progress_silenced = ours


@contextlib.contextmanager
def _planned(connection: duckdb.DuckDBPyConnection, session: Session, text: str, parameters: Any) -> Iterator[None]:
    if not _calls_model(connection, text):
        yield
        return
    from .planner.prefetch import prefetched

    with prefetched(connection, session, text, parameters, functools.partial(_open_binder, connection, session)):
        yield


def _open_binder(connection: duckdb.DuckDBPyConnection, session: Session, text: str) -> duckdb.DuckDBPyConnection:
    """Return a second connection on which SQL that calls what a text calls can be bound; temp macros are not shared."""
    ((search_path,),) = execute_raw(connection, "SELECT current_setting('search_path')")
    cursor, called = duckdb.DuckDBPyConnection.cursor(connection), _called(text)
    execute_raw(cursor, "SET python_scan_all_frames = true")
    with contextlib.suppress(duckdb.Error):  # The schema may be one of this transaction: nothing will bind.
        execute_raw(cursor, f"SET search_path = {quote_literal(search_path)}")
    create_macros(cursor, session, called)
    for name in called.intersection(session.deployed):
        create_model_macro(cursor, session, name)
    return cursor


def _before_statement(connection: duckdb.DuckDBPyConnection, session: Session, text: str, parameters: Any) -> None:
    """Name the models that were deployed since, and read the catalog where the statement will need it."""
    with contextlib.suppress(duckdb.TransactionException):  # An aborted transaction: their statement will say so.
        sync_model_macros(connection, session, None if ALL_MODELS_PATTERN.search(text) else _called(text))
        if session.variables is None:
            session.variables = read_variables(connection)
        _silence_duckdb_progress(connection, session, text)
    session.statement.scope.load_options = functools.partial(options_from_variables, session.variables or {})
    if SET_VARIABLE_PATTERN.search(text):
        session.variables = None
    if READS_CATALOG_PATTERN.search(text):
        from .text2sql.schema.catalog import read_catalog
        from .text2sql.schema.data_frames import caller_frame, with_data_frames

        session.catalog = with_data_frames(connection, read_catalog(connection), caller_frame())
        _open_database(connection, session)
    if ESTIMATE_PATTERN.search(text):
        from .planner.explain import explanations_for_statement

        explanations_for_statement(connection, session, text, parameters)


def _open_database(connection: duckdb.DuckDBPyConnection, session: Session) -> None:
    """Find the files of the database, and let generated SQL be tried on a second connection where it sees the same."""
    from .planner.prefetch import in_transaction
    from .planner.run_query import QueryRunner, database_files
    from .text2sql.prompts.cell_index import cell_finder

    assert session.catalog is not None, "the caller has read it"
    session.database_files = database_files(connection)
    opened = functools.partial(_second_connection, weakref.ref(connection))
    alone = in_transaction(connection)
    checks_rows = not alone and session.statement.scope.options.llm_check_rows == "on"
    session.run_query = QueryRunner(opened, session.catalog) if checks_rows else None
    session.find_cells = None if alone else cell_finder(opened, session.database_files)


def _second_connection(connection: weakref.ref[duckdb.DuckDBPyConnection]) -> duckdb.DuckDBPyConnection | None:
    return None if (alive := connection()) is None else duckdb.DuckDBPyConnection.cursor(alive)


@contextlib.contextmanager
def translated_errors(session: Session) -> Iterator[None]:
    """Let Ctrl-C through, raise our errors as they are, and say what failed."""
    statement = session.statement
    try:
        with session.lock, on_interrupt(statement.cancel_by_user), statement.progress_allowed():
            yield
    except (duckdb.Error, RuntimeError, OSError, CancelledError) as error:  # OSError: Arrow's, of what it reads.
        raise statement.translate_error(error) from None
    statement.emit_warnings()
