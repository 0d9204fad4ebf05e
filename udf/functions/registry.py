"""The functions behind the macros: Arrow columns in, Arrow columns out, registered once a DuckDB instance."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from ...workers.errors import QuackLLMError, RequestError
from ...workers.messages import Message, Request, Response
from ..planner.modes import KNOWN, KNOWN_ONLY, Asker, Recalling
from ..session.session import Session, plain, session_of
from ..settings import StoreMode, settings
from . import introspection
from .arrow import (
    REQUEST_SQL,
    RESPONSE_SQL,
    messages_of,
    requests_of,
    requests_to_arrow,
    responses_to_arrow,
    spread,
    sql_name,
)
from .params import stacked
from .text2sql import DETAIL_SQL, ask_sql, detail

Column: TypeAlias = pa.ChunkedArray
_REGISTERING = threading.Lock()


def param(_: Session, given: Column) -> pa.Array:
    """`llm_param(STRUCT or MAP)` → Request."""
    if not (pa.types.is_struct(given.type) or pa.types.is_map(given.type) or pa.types.is_null(given.type)):
        hint = "write llm_param({'instruction': 'your prompt', 'temperature': 0.2})"
        raise RequestError(f"llm_param takes a STRUCT or a MAP, not {sql_name(given.type)}", hint=hint)
    return requests_to_arrow(requests_of(given, "llm_param"))


def stack(_: Session, responses: Column, requests: Column) -> pa.Array:
    """`llm_stack(response, request or text)` → Request: the history with the new turn."""
    new = requests_of(requests, "llm_stack")
    if pa.types.is_null(responses.type):
        return requests_to_arrow(new)
    if not (pa.types.is_struct(responses.type) and responses.type.get_field_index("history") >= 0):
        raise RequestError(
            f"llm_stack continues a response, not {sql_name(responses.type)}",
            hint="write llm_stack(response, 'your next question')",
        )
    import pyarrow.compute as pc  # A tenth of what connect() may take, and only conversations need it.

    return requests_to_arrow(map(_stacked, pc.struct_field(responses, "history").to_pylist(), new))


def _stacked(history: list[dict[str, Any]] | None, request: Request | None) -> Request | None:
    return stacked(messages_of(history), request) if request else None


def chat(session: Session, names: Column, requests: Column, mode: Column) -> pa.Array:
    """`llm_chat(model, request)` → Response."""
    responses, places = _asked(session, names, requests_of(requests, "llm_chat"), mode)
    return spread(responses_to_arrow(responses), places)


def embed(session: Session, names: Column, texts: Column, mode: Column) -> pa.Array:
    """`llm_embed(model, text)` → FLOAT[]; NULL where the text is NULL or the service refused it."""
    if not (pa.types.is_string(texts.type) or pa.types.is_null(texts.type)):
        raise RequestError(f"llm_embed takes a text, not {sql_name(texts.type)}", hint="write CAST(… AS VARCHAR)")
    requests = [None if text is None else Request((Message("user", text),), kind="embed") for text in texts.to_pylist()]
    responses, places = _asked(session, names, requests, mode)
    vectors = [response.embedding if response else None for response in responses]
    return spread(pa.array(vectors, pa.list_(pa.float32())), places)


def _asked(
    session: Session, names: Column, requests: Sequence[Request | None], mode: Column
) -> tuple[list[Response | None], list[int | None]]:
    """Ask each distinct request of a chunk once; return the answers and each row's place among them.

    None stands for an answer that is not there yet, where the statement is only rehearsed.
    """
    places: list[int | None] = []
    distinct: dict[tuple[str | None, Request], int] = {}
    for name, request in zip(names.to_pylist(), requests, strict=True):
        places.append(distinct.setdefault((name, request), len(distinct)) if request else None)
    answers: dict[int, Response | None] = {}
    asker = Recalling(asker_of(session, mode))
    for model in dict.fromkeys(name for name, _ in distinct):
        chosen = {place: request for (name, request), place in distinct.items() if name == model}
        spec = session.meant(model)
        session.statement.rows[spec.name] += sum(place in chosen for place in places)
        found = asker.responses(session, spec, list(chosen.values()), store_mode(mode))
        answers |= zip(chosen, found, strict=True)
    for asked, place in distinct.items():
        if (response := answers[place]) is not None:
            session.statement.note_failure(asked, response.error)
    return [answers[place] for place in range(len(distinct))], places


def asker_of(session: Session, mode: Column) -> Asker:
    """Return how the statement's requests become answers; a rehearsal may forbid single calls to ask."""
    return KNOWN_ONLY if mode[0].as_py() == KNOWN else session.statement.asker


def store_mode(column: Column) -> StoreMode:
    """Return what the SQL variable `llm_store` says, else `settings.yaml`.

    Raises:
        RequestError: it says something else.
    """
    mode = column[0].as_py() or settings().llm_store
    if mode == KNOWN:
        return settings().llm_store
    if mode not in ("on", "off", "refresh"):
        raise RequestError(f"llm_store is {mode!r}", hint="type: SET VARIABLE llm_store = 'on'   ('off', 'refresh')")
    return cast(StoreMode, mode)


def text2sql(session: Session, questions: Column, schemas: Column, models: Column, mode: Column) -> pa.Array:
    """`text2sql_detail(question, schema, model)` → the SQL with how it was found."""
    return detail(
        session, requests_of(questions, "text2sql"), schemas.to_pylist(), models.to_pylist(), store_mode(mode)
    )


def ask(session: Session, questions: Column, models: Column, rows: Column, seconds: Column, mode: Column) -> pa.Array:
    """`FROM ask(question)` → the SQL that `query()` then runs; there is no row to hold an error, so it is raised."""
    limits = (int(rows[0].as_py()), float(seconds[0].as_py()))
    request = requests_of(questions, "ask")[0]
    return pa.array([ask_sql(session, request, models[0].as_py(), limits, store_mode(mode))])


SCALAR: dict[str, tuple[Callable[..., pa.Array], str]] = {
    "quackllm_param": (param, REQUEST_SQL),
    "quackllm_stack": (stack, REQUEST_SQL),
    "quackllm_chat": (chat, RESPONSE_SQL),
    "quackllm_embed": (embed, "FLOAT[]"),
    "quackllm_text2sql": (text2sql, DETAIL_SQL),
    "quackllm_ask": (ask, "VARCHAR"),
}
"""Answered from the store when they are evaluated again, and therefore as good as pure."""

READING: dict[str, tuple[Callable[..., pa.Array], str]] = {
    "quackllm_models": (introspection.models, introspection.MODELS_SQL),
    "quackllm_usage": (introspection.usage, introspection.USAGE_SQL),
    "quackllm_calls": (introspection.calls, introspection.CALLS_SQL),
    "quackllm_estimate": (introspection.estimate, introspection.ESTIMATE_SQL),
    "quackllm_forget": (introspection.forget, "BIGINT"),
}
"""What they return changes from one statement to the next."""


def _guarded(function: Callable[..., pa.Array]) -> Callable[..., pa.Array]:
    """Call the function with its session in place of the number, and leave an error of ours with the statement.

    DuckDB passes on no more of an exception than its text; the connection's hook raises the error itself.
    """

    def run(*columns: Column) -> pa.Array:
        *arguments, numbers = columns
        session = session_of(numbers[0].as_py())
        try:
            return function(session, *arguments)
        except QuackLLMError as error:
            session.statement.error = error
            raise

    return run


FUNCTIONS = {name: _guarded(function) for name, (function, _) in {**SCALAR, **READING}.items()}
"""Kept here for good: DuckDB holds them no longer than the connection that registered them lives."""


def register_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Register our functions with the connection's instance, unless they are there."""
    with _REGISTERING:
        # A connection of its own: functions created in the user's transaction would go with its rollback.
        private = duckdb.DuckDBPyConnection.cursor(connection)
        try:
            if plain(private, "SELECT 1 FROM duckdb_functions() WHERE function_name = 'quackllm_chat'"):
                return
            for name, (_, result) in {**SCALAR, **READING}.items():
                private.create_function(
                    name,
                    FUNCTIONS[name],
                    None,
                    result,
                    type=PythonUDFType.ARROW,
                    null_handling=FunctionNullHandling.SPECIAL,
                    side_effects=name in READING,
                )
        finally:
            private.close()
