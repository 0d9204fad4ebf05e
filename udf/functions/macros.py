"""The SQL face: TEMP macros over our functions, made on every connection: a user's file holds nothing of ours."""

from __future__ import annotations

import duckdb

from ..session.session import Session, plain

MODE = "getvariable('llm_store')"

SCALAR = {
    "llm_param": "(given) AS quackllm_param(given, {number})",
    "llm_stack": "(response, request) AS quackllm_stack(response, request, {number})",
    "llm_result": "(response) AS CASE WHEN (response).finish_reason = 'stop' THEN (response).output END",
    "llm_chat": "(request) AS quackllm_chat(NULL, request, {mode}, {number}), "
    "(model, request) AS quackllm_chat(model, request, {mode}, {number})",
    "llm_embed": "(model, text) AS quackllm_embed(model, text, {mode}, {number})",
    "text2sql_detail": "(question, schema := NULL, model := NULL) AS "
    "quackllm_text2sql(question, schema, model, {mode}, {number})",
    "text2sql": "(question, schema := NULL, model := NULL) AS "
    "(quackllm_text2sql(question, schema, model, {mode}, {number})).sql",
    "llm_forget": "(model := NULL, older_than_seconds := 0) AS quackllm_forget(model, older_than_seconds, {number})",
}
TABLE = {
    "ask": "(question, model := NULL, max_rows := 10000, seconds := 60) AS TABLE "
    "SELECT * FROM query(quackllm_ask(question, model, max_rows, seconds, {mode}, {number}))",
    "llm_models": "() AS TABLE SELECT row.* FROM (SELECT unnest(quackllm_models({number})) AS row)",
    "llm_usage": "() AS TABLE SELECT row.* FROM (SELECT unnest(quackllm_usage({number})) AS row)",
    "llm_estimate": "(statement) AS TABLE "
    "SELECT row.* FROM (SELECT unnest(quackllm_estimate(statement, {number})) AS row)",
    "llm_calls": "(max_calls := 1000, before := NULL) AS TABLE "
    "SELECT row.* FROM (SELECT unnest(quackllm_calls(max_calls, before, {number})) AS row)",
}
MODEL = "(request) AS quackllm_chat('{model}', request, {mode}, {number})"


def make_macros(connection: duckdb.DuckDBPyConnection, session: Session) -> None:
    """Make every macro but the models' own names."""
    for name, body in {**SCALAR, **TABLE}.items():
        _make(connection, name, body.format(number=session.number, mode=MODE))


def name_models(connection: duckdb.DuckDBPyConnection, session: Session) -> None:
    """Let each deployed model be called by its own name, and no other be any more."""
    wanted = frozenset(session.fleet.deployed())
    if wanted == session.named:
        return
    for name in wanted - (session.named or frozenset()):
        _make(connection, f'"{name}"', MODEL.format(model=name, number=session.number, mode=MODE))
    for name in (session.named or frozenset()) - wanted:
        plain(connection, f'DROP MACRO IF EXISTS temp."{name}"')
    session.named = wanted


def _make(connection: duckdb.DuckDBPyConnection, name: str, body: str) -> None:
    plain(connection, f"CREATE OR REPLACE TEMP MACRO {name}{body}")
