"""The session: what one connection knows. SQL reaches it by a number that the connection's macros carry."""

from __future__ import annotations

import itertools
import threading
import weakref
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import duckdb

from ...workers.deployments.spec import ModelSpec
from ...workers.errors import SetupError, UnknownModelError
from ...workers.event_loop import after_fork
from ...workers.serving.fleet import BUILTIN_TEXT2SQL, ECHO, Fleet, find_model
from ..calls.async_store import AsyncCallStore, open_store
from ..calls.client import CachingClient
from ..calls.model_estimate import ModelEstimate
from .answer_source import AnswerSource
from .statement import Statement
from .transaction import ImplicitTransaction

if TYPE_CHECKING:
    from ...workers.database_schema import Schema

_NUMBERS = itertools.count(1)
_SESSIONS: dict[int, Session] = {}
_OF_CONNECTIONS: weakref.WeakKeyDictionary[duckdb.DuckDBPyConnection, Session] = weakref.WeakKeyDictionary()


@dataclass(eq=False)
class Session:
    """One connection's models, call store, default model, running statement and catalog."""

    fleet: Fleet
    client: CachingClient
    model: str | None = None
    number: int = field(default_factory=lambda: next(_NUMBERS))
    statement: Statement = field(default_factory=Statement)
    # How the running statement's requests become answers; the connection sets it, the planner changes it for a while.
    answers: AnswerSource = field(init=False)
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held while a statement runs: DuckDB lets the threads of one connection take turns, and so do we."""
    own_transaction: ImplicitTransaction = field(default_factory=ImplicitTransaction)
    catalog: Schema | None = None
    estimates: dict[str, list[ModelEstimate]] = field(default_factory=dict)
    """What the statements in `llm_estimate('…')` would ask, by their text."""
    variables: dict[str, str] | None = None
    """The SQL variables of the connection that say what a statement may do; None: not known, read them anew."""
    duckdb_progress_enabled: bool | None = None
    """Whether DuckDB shows progress of its own on this connection; None: not known."""
    duckdb_progress_silenced: bool = False
    model_macros: frozenset[str] | None = None
    """The model names that have macros on this connection; None: not known, make them anew."""

    def require_catalog(self) -> Schema:
        """Return the connection's catalog as it was when the statement began."""
        if self.catalog is None:
            raise SetupError(
                "the catalog was not read", hint="name text2sql or ask in the statement itself, not in a view"
            )
        return self.catalog

    def model_for(self, name: str | None) -> ModelSpec:
        """Return the model of that name, else the default one.

        Raises:
            UnknownModelError: it is not deployed, or there are several and no default.
        """
        if name or self.model:
            return find_model(self.fleet, name or self.model or "")
        deployed = self.fleet.deployed()
        if not deployed:
            self.statement.add_warning(
                "no model is deployed: the echo engine answered, which only repeats; see quackllm deploy"
            )
            return ECHO
        if len(deployed) > 1:
            names = ", ".join(sorted(deployed))
            raise UnknownModelError(
                f"there are several models ({names}) and no default",
                hint=f"write llm_chat('{min(deployed)}', …) or connect(model='{min(deployed)}')",
            )
        return next(iter(deployed.values()))

    def resolve_model(self, name: str | None) -> ModelSpec:
        """Return what the running statement means by a model's name, from its first row to its last.

        Raises:
            UnknownModelError: as `model_for`.
        """
        models = self.statement.models
        if name not in models:
            models[name] = self.model_for(name)
        return models[name]

    def text2sql_model_for(self, name: str | None) -> ModelSpec:
        """Return the model for a question; without a name, a default, or a single deployed model, the built-in one."""
        if name or self.model:
            return self.model_for(name)
        deployed = [spec for spec in self.fleet.deployed().values() if spec.type != "echo"]  # It writes no SQL.
        return deployed[0] if len(deployed) == 1 else BUILTIN_TEXT2SQL


def open_session(fleet: Fleet, model: str | None) -> Session:
    """Return a new session, known by its number until `end_session`.

    Raises:
        UnknownModelError: the default model is not deployed.
    """
    if model is not None:
        find_model(fleet, model)
    session = Session(fleet, _client(fleet, open_store(fleet)), model)
    _SESSIONS[session.number] = session
    return session


def session_by_number(number: int) -> Session:
    """Return the session that a macro's number stands for.

    Raises:
        SetupError: its connection was closed.
    """
    session = _SESSIONS.get(number)
    if session is None:
        raise SetupError(
            "this connection is not one of quackllm's any more", hint="type: connection = quackllm.connect(…)"
        )
    return session


def attach_session(connection: duckdb.DuckDBPyConnection, session: Session) -> None:
    """Let the connection be known by this session from now on."""
    _OF_CONNECTIONS[connection] = session


def session_of(connection: duckdb.DuckDBPyConnection) -> Session:
    """Return what the connection knows.

    Raises:
        KeyError: it is none of ours.
    """
    return _OF_CONNECTIONS[connection]


def close_session(number: int) -> None:
    """Forget the session."""
    _SESSIONS.pop(number, None)


@cache
def _client(fleet: Fleet, store: AsyncCallStore) -> CachingClient:
    return CachingClient(fleet, store)


def _reset_after_fork() -> None:
    """Give every session of a forked child a client of its own; what answers on Ray cannot be reached from there."""
    _client.cache_clear()
    for session in _SESSIONS.values():
        session.lock = threading.RLock()
        if not session.fleet.address:
            session.client = _client(session.fleet, open_store(session.fleet))


after_fork(_reset_after_fork)
