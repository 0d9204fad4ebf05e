"""The names and arguments of other databases for the typed functions: `connect(aliases=['snowflake', …])`.

Sources: the references of Snowflake Cortex (AI_FILTER, AI_CLASSIFY, AI_COMPLETE, AI_SUMMARIZE_AGG, PROMPT), BigQuery
(AI.IF, AI.SCORE, AI.CLASSIFY, AI.GENERATE), Databricks (ai_query, ai_gen) and MotherDuck (prompt), as public in
November 2026.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...workers.errors import RequestError, did_you_mean
from .macros import SCALAR

Macros = dict[str, str]
"""Bodies of macros by name, as CREATE MACRO takes them: overloads are separated by commas."""
WHOLE_QUESTION = "'the statement in it is true, or the answer to the question in it is yes'"
"""The predicate where the input holds the question too."""
MOST_VALUES = 8
BIGQUERY_DATABASE = "ai"
"""The attached database that holds BigQuery's functions: `AI.IF` is the macro `if` in it."""


def _template(count: int) -> str:
    """Return the overload of Snowflake's PROMPT that fills `{0}`, `{1}` and so on with so many values."""
    names = [f"value_{place}" for place in range(count)]
    text = "template"
    for place, name in enumerate(names):
        text = f"replace({text}, '{{{{{place}}}}}', coalesce(CAST({{prompt}}({name}) AS VARCHAR), ''))"
    return f"(template, {', '.join(names)}) AS {text}"


def _as_labels(body: str) -> str:
    """Return a function that gives its label in Snowflake's object."""
    head, _, expression = body.partition(" AS ")
    return f"{head} AS {{{{'labels': [{expression}]}}}}"


TEMPLATES = ", ".join(map(_template, range(1, MOST_VALUES + 1)))
SNOWFLAKE: Macros = {
    "ai_filter": SCALAR["ai_filter"].replace("(input, predicate,", f"(input, predicate := {WHOLE_QUESTION},", 1),
    "ai_classify": _as_labels(SCALAR["ai_classify"]),
    "ai_complete": SCALAR["ai_complete"].replace("(input, model := NULL,", "(model, input,", 1),
    "ai_summarize_agg": "(input) AS ai_summarize(input)",
    "prompt": TEMPLATES,
}
DATABRICKS: Macros = {
    "ai_gen": "(request) AS ai_complete(input := request, model := NULL)",
    "ai_query": "(endpoint, request) AS ai_complete(input := request, model := endpoint), "
    "(endpoint, request, returntype) AS ai_value(request, returntype, model := endpoint), "
    "(endpoint, request, failonerror, returntype := 'VARCHAR') AS "
    "{{'result': ai_value(request, returntype, model := endpoint), "
    "'errorMessage': ai_value_detail(request, returntype, model := endpoint).error.message}}",
}
MOTHERDUCK: Macros = {
    "prompt": "(input, model := NULL) AS ai_complete(input := input, model := model), "
    "(input, return_type, model := NULL) AS ai_value(input, return_type, model := model)",
}
IGNORED = "connection_id := NULL, endpoint := NULL, model_params := NULL, optimization_mode := NULL, embeddings := NULL"
PARTS = "quackllm_parts(to_json(parts), {number})"


def _generated(return_type: str) -> str:
    detail = f"ai_value_detail({PARTS}, {return_type}, model := endpoint)"
    return f"{{{{'result': {detail}.value, 'status': coalesce({detail}.error.message, '')}}}}"


BIGQUERY: Macros = {
    "if": f"(parts, {IGNORED}) AS ai_filter({PARTS}, {WHOLE_QUESTION}, model := endpoint)",
    "score": f"(parts, {IGNORED}) AS ai_score({PARTS}, 'what the input asks to be rated', model := endpoint)",
    "classify": f"(parts, categories, {IGNORED}) AS ai_choose({PARTS}, categories, model := endpoint)",
    "generate": f"(parts, {IGNORED}) AS {_generated(chr(39) + 'VARCHAR' + chr(39))}, "
    f"(parts, output_schema, {IGNORED}) AS {_generated('''concat('STRUCT(', output_schema, ')')''')}",
    **{
        f"generate_{name}": f"(parts, {IGNORED}) AS " + _generated(f"'{kind}'")
        for name, kind in {"bool": "BOOLEAN", "int": "BIGINT", "double": "DOUBLE"}.items()
    },
}
ALIASES: dict[str, Macros] = {
    "snowflake": SNOWFLAKE,
    "bigquery": BIGQUERY,
    "databricks": DATABRICKS,
    "motherduck": MOTHERDUCK,
}


def alias_macros(aliases: Sequence[str]) -> tuple[Macros, Macros]:
    """Return the macros of the connection, and those of the database `ai`.

    Args:
        aliases: keys of `ALIASES`.

    Raises:
        RequestError: there are no aliases of that name.
    """
    for name in aliases:
        if name not in ALIASES:
            raise RequestError(f"there are no aliases {name!r}", hint=did_you_mean(name, ALIASES))
    own: Macros = {}
    for name in ("motherduck", "databricks", "snowflake"):
        if name in aliases:
            own |= ALIASES[name]
    if {"snowflake", "motherduck"} <= {*aliases}:  # DuckDB tells overloads by their number of arguments alone.
        own["prompt"] = f"(input) AS ai_complete(input := input, model := NULL), {TEMPLATES}"
    return own, BIGQUERY if "bigquery" in aliases else {}
