"""The state of one connection. The connection's SQL macros contain the session's number, by which functions find it."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import duckdb

from ...workers.deployments.spec import ModelSpec
from ...workers.errors import SetupError, UnknownModelError, cluster_option
from ...workers.event_loop import after_fork
from ...workers.serving.fleet import BUILTIN_TEXT2SQL, ECHO, Fleet, find_model
from ..calls.async_store import AsyncCallStore, open_store
from ..calls.caching_client import CachingClient
from ..calls.model_estimate import CallStep, ModelEstimate
from .answer_source import AnswerSource
from .definitions import Definitions
from .statement import Statement
from .transaction import ImplicitTransaction

if TYPE_CHECKING:
    from pathlib import Path

    from ...workers.database_schema import Schema
    from ..accuracy.stand_in import AccuracyReport
    from ..text2sql.confidence.query_rows import RunQuery
    from ..text2sql.prompts.find_cells import FindCells

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
    # Where the running statement gets its answers: the connection sets it, and the planner replaces it temporarily.
    answers: AnswerSource = field(init=False)
    # Held while a statement runs: DuckDB runs one statement of a connection at a time, and so do we.
    lock: threading.RLock = field(default_factory=threading.RLock)
    own_transaction: ImplicitTransaction = field(default_factory=ImplicitTransaction)
    catalog: Schema | None = None
    # Runs generated SQL on a second connection, to check its rows; None: in the user's own transaction nothing is run.
    run_query: RunQuery | None = None
    # Finds the cells of a question in all rows; None: in the user's own transaction the samples must do.
    find_cells: FindCells | None = None
    # The files of the connection's databases; notes and examples stand beside them.
    database_files: tuple[Path, ...] = ()
    # The estimates of the statements in `llm_estimate('…')`, by the text of the statement.
    estimates: dict[str, list[ModelEstimate]] = field(default_factory=dict)
    # What was promised for the calls of the last statement with a stated accuracy, and what came of it.
    accuracy_reports: dict[Hashable, AccuracyReport] = field(default_factory=dict)
    # The steps of the statements in `ai_explain('…')`, likewise.
    explanations: dict[str, list[CallStep]] = field(default_factory=dict)
    # The connection's SQL variables that configure quackllm; None: they must be read again.
    variables: dict[str, str] | None = None
    # The user's own views and macros.
    definitions: Definitions = field(default_factory=Definitions)
    # What PREPARE was given, by name in small letters.
    prepared: dict[str, str] = field(default_factory=dict)
    # The names under which Python objects were registered that can be read more than once.
    repeatable_views: set[str] = field(default_factory=set)
    # Whether DuckDB shows its own progress bar on this connection; None: unknown.
    duckdb_progress_enabled: bool | None = None
    duckdb_progress_silenced: bool = False
    # The models that were deployed when the statement started, and those that have a macro on this connection.
    deployed: frozenset[str] = frozenset()
    model_macros: set[str] = field(default_factory=set)

    def require_catalog(self) -> Schema:
        """Return the connection's catalog as it was when the statement started.

        Raises:
            SetupError: the statement does not name `text2sql` or `ask` itself, so the catalog was not read.
        """
        if self.catalog is None:
            raise SetupError(
                "the catalog was not read", hint="call text2sql or ask in the statement itself, not in a view"
            )
        return self.catalog

    def model_for(self, name: str | None) -> ModelSpec:
        """Return the model with this name; without a name, the default model.

        Raises:
            UnknownModelError: the model is not deployed, or several are deployed and none is the default.
        """
        if name or self.model:
            return find_model(self.fleet, name or self.model or "")
        deployed = self.fleet.deployed()
        if not deployed:
            self.statement.add_warning(
                "no model is deployed: the echo engine answered, which only repeats; "
                f"see quackllm deploy{cluster_option(self.fleet.address)}"
            )
            return ECHO
        if len(deployed) > 1:
            raise UnknownModelError(
                f"there are several models ({', '.join(sorted(deployed))}) and no default",
                hint=default_model_hint(min(deployed), self.fleet.address),
            )
        return next(iter(deployed.values()))

    def resolve_model(self, name: str | None) -> ModelSpec:
        """Return the model with this name; within one statement a name always means the same model.

        Raises:
            UnknownModelError: as `model_for`.
        """
        models = self.statement.models
        if name not in models:
            models[name] = self.model_for(name)
        return models[name]

    def writing_model(self, name: str | None, function: str) -> ModelSpec:
        """Return the model of a typed function, which nobody but a model can answer.

        Raises:
            UnknownModelError: as `model_for`, or no model is deployed.
        """
        if not (name or self.model or self.fleet.deployed()):
            raise UnknownModelError(
                f"ai_{function} needs a model, and none is deployed",
                hint=f"in a shell: quackllm deploy chat saas/kimi{cluster_option(self.fleet.address)}   "
                "(others: quackllm deploy --help)\n"
                "these need no model: ai_embed, ai_similarity, ai_near, ai_count_tokens, text2sql",
            )
        return self.resolve_model(name)

    def text2sql_models_for(self, names: str | None) -> list[ModelSpec]:
        """Return the models that vote on SQL: those named, with commas between them, else the one that writes SQL.

        Raises:
            UnknownModelError: as `model_for`.
        """
        parts = [name.strip() for name in (names or "").split(",") if name.strip()]
        return [self.text2sql_model_for(name) for name in parts] or [self.text2sql_model_for(None)]

    def text2sql_model_for(self, name: str | None) -> ModelSpec:
        """Return the model that writes SQL: the named, default or only deployed one, otherwise the built-in one."""
        if name or self.model:
            return self.model_for(name)
        deployed = [spec for spec in self.fleet.deployed().values() if spec.type != "echo"]  # It writes no SQL.
        if len(deployed) > 1:
            first = min(spec.name for spec in deployed)
            self.statement.add_warning(
                several_models(
                    [spec.name for spec in deployed],
                    f"To name one, type model := '{first}', or connect(model='{first}')",
                )
            )
        return deployed[0] if len(deployed) == 1 else BUILTIN_TEXT2SQL


def default_model_hint(model: str, cluster: str | None) -> str:
    """Return what to type to name a model in SQL, in Python, in a notebook and in a shell.

    Args:
        model: an example.
        cluster: the Ray cluster of the models; None: this process.
    """
    argument, option = f", cluster='{cluster}'" if cluster else "", cluster_option(cluster)
    return (
        f"name one, in SQL: llm_chat('{model}', …); in Python: connect(model='{model}'{argument})\n"
        f"in a notebook: %quackllm --model {model}{option}; in a shell: quackllm chat {model}{option}"
    )


def several_models(names: Iterable[str], hint: str) -> str:
    """Return what a user reads if the built-in model answered because none of several models is the default."""
    return (
        f"several models are deployed ({', '.join(sorted(names))}) and none is the default: "
        f"{BUILTIN_TEXT2SQL.name} answered. {hint}"
    )


def open_session(fleet: Fleet, model: str | None) -> Session:
    """Return a new session; it can be found by its number until `close_session`.

    Raises:
        UnknownModelError: the default model is not deployed.
    """
    if model is not None:
        find_model(fleet, model)
    session = Session(fleet, _client(fleet, open_store(fleet)), model)
    _SESSIONS[session.number] = session
    return session


def session_by_number(number: int) -> Session:
    """Return the session with this number, which a macro contains.

    Raises:
        SetupError: the connection was closed.
    """
    session = _SESSIONS.get(number)
    if session is None:
        raise SetupError(
            "this connection was closed, or registered again: its functions can no longer be used",
            hint="type: connection = quackllm.connect(…)",
        )
    return session


def attach_session(connection: duckdb.DuckDBPyConnection, session: Session) -> None:
    """Assign the session to the connection."""
    _OF_CONNECTIONS[connection] = session


def find_session(connection: duckdb.DuckDBPyConnection) -> Session:
    """Return the session of the connection.

    Raises:
        KeyError: the connection was not created by quackllm.
    """
    return _OF_CONNECTIONS[connection]


def close_session(number: int) -> None:
    """Remove the session."""
    _SESSIONS.pop(number, None)


@cache
def _client(fleet: Fleet, store: AsyncCallStore) -> CachingClient:
    return CachingClient(fleet, store)


def _reset_after_fork() -> None:
    """Give every session in a forked child process a new client; models on Ray cannot be reached from there."""
    _client.cache_clear()
    for session in _SESSIONS.values():
        session.lock = threading.RLock()
        if not session.fleet.address:
            session.client = _client(session.fleet, open_store(session.fleet))


after_fork(_reset_after_fork)
