"""The TEMP macros that users call in SQL. They are created on every connection and never stored in a database file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import duckdb

from ...workers.errors import RequestError
from ..ai import aliases as ai_aliases
from ..ai import macros as ai
from ..raw_sql import execute_raw
from ..session.session import Session
from ..value_text import PROMPT_VALUE, PROMPT_VALUE_SQL

STORE_MODE_SQL = "getvariable('llm_store')"

QUESTION_PARAMETERS = (
    "schema := NULL, model := NULL, notes := NULL, examples := NULL, votes := NULL, min_confidence := NULL"
)
QUESTION_OPTIONS = "schema, model, notes, examples, votes, min_confidence"
SCALAR = {
    "llm_param": "(given) AS quackllm_param({prompt}(given), {number})",
    "llm_stack": "(response, request) AS quackllm_stack(response, {prompt}(request), {number})",
    # A function, for it names its argument once: CASE would bind and evaluate each nested call twice, and DuckDB
    # does not bind a lambda in HAVING.
    "llm_result": "(response) AS quackllm_result(response, {number})",
    "llm_chat": "(request) AS quackllm_chat(NULL, {prompt}(request), {mode}, {number}), "
    "(model, request) AS quackllm_chat(model, {prompt}(request), {mode}, {number})",
    "llm_embed": "(model, text) AS quackllm_embed(model, {prompt}(text), {mode}, {number})",
    "text2sql_detail": f"(question, {QUESTION_PARAMETERS}) AS "
    f"quackllm_text2sql_detail({{prompt}}(question), {QUESTION_OPTIONS}, {{mode}}, {{number}})",
    "text2sql": f"(question, {QUESTION_PARAMETERS}) AS "
    f"quackllm_text2sql({{prompt}}(question), {QUESTION_OPTIONS}, {{mode}}, {{number}})",
    "llm_forget": "(model := NULL, older_than_seconds := 0) AS quackllm_forget(model, older_than_seconds, {number})",
    "ai_count_tokens": "(text) AS quackllm_count_tokens({prompt}(text), {number})",
    **ai.SCALAR,
}
TABLE = {
    "ask": f"(question, {QUESTION_PARAMETERS}, max_rows := 10000, seconds := 60, max_memory_mb := 1024) AS TABLE "
    f"SELECT * FROM query(quackllm_ask({{prompt}}(question), {QUESTION_OPTIONS}, "
    "max_rows, seconds, max_memory_mb, {mode}, {number}))",
    "guarded_query": "(sql, max_rows := 10000, seconds := 60, max_memory_mb := 1024) AS TABLE "
    "SELECT * FROM query(quackllm_guarded(sql, max_rows, seconds, max_memory_mb, {mode}, {number}))",
    "llm_models": "() AS TABLE SELECT row.* FROM (SELECT unnest(quackllm_models({number})) AS row)",
    "llm_usage": "() AS TABLE SELECT row.* FROM (SELECT unnest(quackllm_usage({number})) AS row)",
    "llm_estimate": "(statement) AS TABLE "
    "SELECT row.* FROM (SELECT unnest(quackllm_estimate(statement, {number})) AS row)",
    "ai_explain": "(statement) AS TABLE "
    "SELECT row.* FROM (SELECT unnest(quackllm_explain(statement, {number})) AS row)",
    "llm_calls": "(max_calls := 1000, before := NULL) AS TABLE "
    "SELECT row.* FROM (SELECT unnest(quackllm_calls(max_calls, before, {number})) AS row)",
    "ai_accuracy": "() AS TABLE SELECT row.* FROM (SELECT unnest(quackllm_ai_accuracy({number})) AS row)",
    **ai.TABLE,
}
MODEL_MACRO = "(request) AS quackllm_chat('{model}', {prompt}(request), {mode}, {number})"


def create_macros(
    connection: duckdb.DuckDBPyConnection, session: Session, called: Collection[str] | None = None
) -> None:
    """Create the macros that are not named after models.

    Args:
        connection, session: for which they are.
        called: names of functions; None: create every macro.
    """
    _make(connection, PROMPT_VALUE, f"(given) AS {PROMPT_VALUE_SQL}")
    for name, body in {**SCALAR, **TABLE}.items():
        if called is None or name in called:
            _make(connection, name, body.format(number=session.number, mode=STORE_MODE_SQL, prompt=PROMPT_VALUE))


def create_alias_macros(connection: duckdb.DuckDBPyConnection, session: Session, aliases: Sequence[str]) -> None:
    """Create the macros that have the names of other databases' functions.

    Args:
        connection, session: for which they are.
        aliases: names of `ALIASES`.

    Raises:
        RequestError: there are no aliases of that name, or the database that BigQuery's need is there already.
    """
    own, bigquery = ai_aliases.alias_macros(aliases)
    values = {"number": session.number, "mode": STORE_MODE_SQL, "prompt": PROMPT_VALUE}
    for name, body in own.items():
        _make(connection, name, body.format(**values))
    database = ai_aliases.BIGQUERY_DATABASE
    if not bigquery:
        return
    try:
        execute_raw(connection, f"ATTACH IF NOT EXISTS ':memory:' AS {database}")
        for name, body in bigquery.items():
            macro = f'{database}.main."{name}"'
            execute_raw(connection, f"CREATE OR REPLACE MACRO {macro}{body.format(**values)}")
    except duckdb.Error as error:
        message = str(error).partition("\n")[0]
        hint = f"BigQuery's names need a database {database} in memory: detach the one that you have"
        raise RequestError(f"AI.IF and the others cannot be made: {message}", hint=hint) from error


def sync_model_macros(
    connection: duckdb.DuckDBPyConnection, session: Session, called: Iterable[str] | None = None
) -> None:
    """Create the macros of deployed models that are about to be called, and drop those of undeployed models.

    DuckDB takes 0.4 ms for a macro, so that a thousand models would double what a connection costs.

    Args:
        connection, session: where they are called.
        called: names of functions, models among them; None: all models are.
    """
    deployed = session.deployed = frozenset(session.fleet.deployed())
    for name in deployed.intersection(deployed if called is None else called) - session.model_macros:
        create_model_macro(connection, session, name)
        session.model_macros.add(name)
    for name in session.model_macros - deployed:
        execute_raw(connection, f'DROP MACRO IF EXISTS temp."{name}"')
        session.model_macros.remove(name)


def create_model_macro(connection: duckdb.DuckDBPyConnection, session: Session, name: str) -> None:
    """Create the macro of a model."""
    body = MODEL_MACRO.format(model=name, number=session.number, mode=STORE_MODE_SQL, prompt=PROMPT_VALUE)
    _make(connection, f'"{name}"', body)


def _make(connection: duckdb.DuckDBPyConnection, name: str, body: str) -> None:
    execute_raw(connection, f"CREATE OR REPLACE TEMP MACRO {name}{body}")
