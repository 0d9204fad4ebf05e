"""The functions behind the macros: Arrow columns in, Arrow columns out. Registered once for each DuckDB instance."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from ...workers.errors import QuackLLMError, RequestError
from ...workers.messages import Message, Request, Response
from ..ai.estimate_tokens import count_tokens
from ..raw_sql import execute_raw
from ..session.session import Session, session_by_number
from . import aggregates, introspection, rankings, stated_calls, text2sql, typed
from .arrow import (
    REQUEST_SQL,
    RESPONSE_SQL,
    messages_from_rows,
    params_requests,
    prompt_texts,
    request_keys,
    requests_from_arrow,
    requests_to_arrow,
    responses_to_arrow,
    sql_type_name,
    vectors_to_arrow,
)
from .distinct import Column, answer_column, answer_source, store_mode
from .params import continue_conversation

_REGISTERING = threading.Lock()


def llm_param(_: Session, given: Column) -> pa.Array:
    """`llm_param(STRUCT or MAP)` → Request."""
    if not (pa.types.is_struct(given.type) or pa.types.is_map(given.type) or pa.types.is_null(given.type)):
        hint = "write llm_param({'instruction': 'your prompt', 'temperature': 0.2})"
        raise RequestError(f"llm_param takes a STRUCT or a MAP, not {sql_type_name(given.type)}", hint=hint)
    return requests_to_arrow([None] * len(given) if pa.types.is_null(given.type) else params_requests(given))


def llm_stack(_: Session, responses: Column, requests: Column) -> pa.Array:
    """`llm_stack(response, request or text)` → Request: the history, then the new message."""
    new = requests_from_arrow(requests)
    if pa.types.is_null(responses.type):
        return requests_to_arrow(new)
    if not (pa.types.is_struct(responses.type) and responses.type.get_field_index("history") >= 0):
        raise RequestError(
            f"llm_stack continues a response, not {sql_type_name(responses.type)}",
            hint="write llm_stack(response, 'your next question')",
        )
    import pyarrow.compute as pc  # Imported late: it costs a tenth of connect(), and only conversations need it.

    return requests_to_arrow(map(_stacked, pc.struct_field(responses, "history").to_pylist(), new))


def llm_result(_: Session, responses: Column) -> pa.Array:
    """`llm_result(response)` → VARCHAR: the answer, if it is a whole one."""
    if pa.types.is_null(responses.type):
        return pa.nulls(len(responses), pa.string())
    if not (pa.types.is_struct(responses.type) and responses.type.get_field_index("finish_reason") >= 0):
        hint = "write llm_result(model('your prompt'))"
        raise RequestError(f"llm_result reads a response, not {sql_type_name(responses.type)}", hint=hint)
    import pyarrow.compute as pc  # As above.

    whole = pc.equal(pc.struct_field(responses, "finish_reason"), "stop")
    return pc.if_else(whole, pc.struct_field(responses, "output"), pa.scalar(None, pa.string()))


def _stacked(history: list[dict[str, Any]] | None, request: Request | None) -> Request | None:
    return continue_conversation(messages_from_rows(history), request) if request else None


def llm_chat(session: Session, names: Column, requests: Column, mode: Column) -> pa.Array:
    """`llm_chat(model, request)` → Response."""
    return answer_column(session, names, *request_keys(requests), mode, responses_to_arrow)


def llm_embed(session: Session, names: Column, texts: Column, mode: Column) -> pa.Array:
    """`llm_embed(model, text)` → FLOAT[]; NULL where the text is NULL or the service refused it."""
    if pa.types.is_struct(texts.type) and texts.type.get_field_index("messages") >= 0:
        raise RequestError("llm_embed takes a text, not a request", hint="write llm_embed('model', 'your text')")
    return answer_column(session, names, prompt_texts(texts), _embed_request, mode, _vectors)


def ai_embed(session: Session, names: Column, texts: Column, mode: Column) -> pa.Array:
    """`ai_embed(text)` → FLOAT[], also behind `ai_similarity` and `ai_near`; its calls say so in `llm_calls()`."""
    return answer_column(session, names, prompt_texts(texts), _typed_embed_request, mode, _vectors)


def _embed_request(text: str) -> Request:
    return Request((Message("user", text),), kind="embed")


def _typed_embed_request(text: str) -> Request:
    return Request((Message("user", text),), kind="embed", function="ai_embed")


def _vectors(responses: Sequence[Response | None]) -> pa.Array:
    return vectors_to_arrow([response.embedding if response else None for response in responses])


def ai_count_tokens(_: Session, texts: Column) -> pa.Array:
    """`ai_count_tokens(text)` → BIGINT: about how many tokens a value has as a text."""
    counts = [None if text is None else count_tokens(text) for text in prompt_texts(texts)]
    return pa.array(counts, pa.int64())


def joined_parts(_: Session, parts: Column) -> pa.Array:
    """Return the texts of BigQuery's prompts, each a JSON text, or a JSON list of parts that follow each other."""
    values = [None if text is None else json.loads(text) for text in parts.to_pylist()]
    texts = ["".join(map(_as_text, value)) if isinstance(value, list) else _as_text(value) for value in values]
    return pa.array([None if value is None else text for value, text in zip(values, texts, strict=True)], pa.string())


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def text2sql_detail(session: Session, questions: Column, *columns: Column) -> pa.Array:
    """`text2sql_detail(question, schema, model, …)` → STRUCT with the SQL, or the error, attempts and cost."""
    return text2sql.detail_column(*_text2sql_results(session, questions, columns)[1:])


def text2sql_query(session: Session, questions: Column, *columns: Column) -> pa.Array:
    """`text2sql(question, schema, model, …)` → VARCHAR: the SQL; what speaks against it becomes a warning."""
    return text2sql.sql_column(session.statement, *_text2sql_results(session, questions, columns))


def _text2sql_results(session: Session, questions: Column, columns: Sequence[Column]) -> text2sql.Answers:
    *options, mode = columns
    bound = session.statement.scope.options.llm_min_confidence or 0.0
    keys = text2sql.question_keys(requests_from_arrow(questions), bound, *(option.to_pylist() for option in options))
    text2sql.count_rows(session, keys)
    return text2sql.answer_distinct(session.statement, answer_source(session, mode), keys, store_mode(mode))


def ask_sql(session: Session, questions: Column, *columns: Column) -> pa.Array:
    """`FROM ask(question)` → the SQL that `query()` then runs. No row could hold an error, so it is raised."""
    *options, rows, seconds, megabytes, mode = columns
    limits = text2sql.AskLimits(int(rows[0].as_py()), float(seconds[0].as_py()), int(megabytes[0].as_py()))
    chosen = session.statement.scope.options.llm_min_confidence
    bound = text2sql.ASK_MIN_CONFIDENCE if chosen is None else chosen
    given = ([option[0].as_py()] for option in options)
    (question,) = text2sql.question_keys(requests_from_arrow(questions)[:1], bound, *given)
    return pa.array([text2sql.ask_sql(session, question, limits, store_mode(mode))])


def guarded_query(
    session: Session, statements: Column, rows: Column, seconds: Column, megabytes: Column, _: Column
) -> pa.Array:
    """`FROM guarded_query(sql)` → the SQL that `query()` then runs."""
    sql = statements[0].as_py()
    if sql is None:
        raise RequestError("the SQL is NULL", hint="write FROM guarded_query('SELECT …')")
    limits = text2sql.AskLimits(int(rows[0].as_py()), float(seconds[0].as_py()), int(megabytes[0].as_py()))
    return pa.array([text2sql.guarded_query(session, sql, limits)])


# DuckDB may treat these as pure functions: a repeated evaluation gets its answer from the store.
SCALAR: dict[str, tuple[Callable[..., pa.Array], str]] = {
    "quackllm_param": (llm_param, REQUEST_SQL),
    "quackllm_stack": (llm_stack, REQUEST_SQL),
    "quackllm_result": (llm_result, "VARCHAR"),
    "quackllm_chat": (llm_chat, RESPONSE_SQL),
    "quackllm_embed": (llm_embed, "FLOAT[]"),
    "quackllm_ai_embed": (ai_embed, "FLOAT[]"),
    "quackllm_text2sql": (text2sql_query, "VARCHAR"),
    "quackllm_text2sql_detail": (text2sql_detail, text2sql.DETAIL_SQL),
    "quackllm_ask": (ask_sql, "VARCHAR"),
    "quackllm_guarded": (guarded_query, "VARCHAR"),
    "quackllm_ai": (typed.answer, "VARCHAR"),
    "quackllm_ai_agg": (aggregates.aggregate, "VARCHAR"),
    "quackllm_ai_top": (rankings.top, "VARCHAR"),
    "quackllm_parts": (joined_parts, "VARCHAR"),
    "quackllm_count_tokens": (ai_count_tokens, "BIGINT"),
    "quackllm_ai_type": (typed.result_type, "VARCHAR"),
}

# The results of these change from one statement to the next.
VOLATILE: dict[str, tuple[Callable[..., pa.Array], str]] = {
    "quackllm_models": (introspection.models, introspection.MODELS_SQL),
    "quackllm_usage": (introspection.usage, introspection.USAGE_SQL),
    "quackllm_calls": (introspection.calls, introspection.CALLS_SQL),
    "quackllm_estimate": (introspection.estimate, introspection.ESTIMATE_SQL),
    "quackllm_ai_accuracy": (stated_calls.accuracy_reports, stated_calls.REPORT_SQL),
    "quackllm_explain": (introspection.explain, introspection.EXPLAIN_SQL),
    "quackllm_forget": (introspection.forget, "BIGINT"),
}


def _with_session(function: Callable[..., pa.Array]) -> Callable[..., pa.Array]:
    """Replace the session's number by the session, and save a quackllm error in the statement.

    DuckDB passes on only the text of an exception, so the connection later raises the saved error instead.
    """

    def run(*columns: Column) -> pa.Array:
        *arguments, numbers = columns
        session = session_by_number(numbers[0].as_py())
        try:
            return function(session, *arguments)
        except QuackLLMError as error:
            session.statement.error = error
            raise

    return run


# A global reference for the life of the process: DuckDB drops its own when the registering connection closes.
FUNCTIONS = {name: _with_session(function) for name, (function, _) in {**SCALAR, **VOLATILE}.items()}


def register_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Register the functions with the connection's DuckDB instance, unless they are registered already."""
    with _REGISTERING:
        # A separate connection: a rollback of the user's transaction would remove functions created in it.
        private = duckdb.DuckDBPyConnection.cursor(connection)
        try:
            if execute_raw(private, "SELECT 1 FROM duckdb_functions() WHERE function_name = 'quackllm_chat'"):
                return
            for name, (_, result) in {**SCALAR, **VOLATILE}.items():
                private.create_function(
                    name,
                    FUNCTIONS[name],
                    None,
                    result,
                    type=PythonUDFType.ARROW,
                    null_handling=FunctionNullHandling.SPECIAL,
                    side_effects=name in VOLATILE,
                )
        finally:
            private.close()
