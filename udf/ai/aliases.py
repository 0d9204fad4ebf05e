"""The names and arguments of other databases for the typed functions: `connect(aliases=['snowflake', …])`.

Sources: the references of Snowflake Cortex (AI_FILTER, AI_CLASSIFY, AI_COMPLETE, AI_SUMMARIZE_AGG, PROMPT), BigQuery
(AI.IF, AI.SCORE, AI.CLASSIFY, AI.GENERATE), Databricks (ai_query, ai_gen) and MotherDuck (prompt), as public in
November 2026.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...workers.errors import RequestError, did_you_mean
from .macros import NAMED, SCALAR

Macros = dict[str, str]
"""Bodies of macros by name, as CREATE MACRO takes them: overloads are separated by commas."""
WHOLE_QUESTION = "'the statement in it is true, or the answer to the question in it is yes'"
"""The predicate where the input holds the question too."""
MOST_VALUES = 8
MOST_NESTED = 3
"""How deep the ARRAYs and STRUCTs of an `output_schema` stand in each other."""
STATED = "accuracy := NULL, confidence := NULL, helper := NULL"
BIGQUERY_DATABASE = "ai"
"""The attached database that holds BigQuery's functions: `AI.IF` is the macro `if` in it."""


def _template(count: int) -> str:
    """Return the overload of Snowflake's PROMPT that fills `{0}`, `{1}` and so on with so many values."""
    names = [f"value_{place}" for place in range(count)]
    text = "template"
    for place, name in enumerate(names):
        text = f"replace({text}, '{{{{{place}}}}}', coalesce(CAST({{prompt}}({name}) AS VARCHAR), ''))"
    return f"(template, {', '.join(names)}) AS {text}"


TASK = "coalesce(instructions, to_json(config) ->> '$.task_description')"
EXAMPLES = (
    "coalesce(examples, list_transform(json_transform(to_json(config) -> '$.examples', "
    """'[{{"input":"VARCHAR","labels":["VARCHAR"]}}]'), lambda one: {{'input': one.input, 'output': OUTPUT}}))"""
)
"""The examples of AI_CLASSIFY's third argument as ours; OUTPUT stands for what the model would answer."""
EXAMPLE_LABELS = "{{'labels': one.labels}}"


def _classified(body: str) -> str:
    """Return Snowflake's AI_CLASSIFY: its labels in an object, several if the third argument says so.

    The form that is not wanted gets NULL as its input: DuckDB evaluates a call of constants wherever it stands.
    """
    is_several = "coalesce((to_json(config) ->> '$.output_mode') = 'multi', false)"
    _, _, one = body.partition(" AS ")
    one = one.replace("{prompt}(input)", f"{{prompt}}(CASE WHEN NOT {is_several} THEN input END)", 1)
    one = one.replace("'instructions': instructions", f"'instructions': {TASK}", 1)
    one = one.replace("'examples': examples", "'examples': " + EXAMPLES.replace("OUTPUT", "one.labels[1]"), 1)
    several = (
        f"ai_labels(CASE WHEN {is_several} THEN input END, labels, model := model, instructions := {TASK}, "
        f"draw := draw, store := store, examples := {EXAMPLES.replace('OUTPUT', EXAMPLE_LABELS)})"
    )
    labels = f"CASE WHEN {is_several} THEN {several} ELSE [{one}] END"
    return f"(input, labels, config := NULL, {STATED}, {NAMED}) AS {{{{'labels': {labels}}}}}"


TEMPLATES = ", ".join(map(_template, range(1, MOST_VALUES + 1)))
SNOWFLAKE: Macros = {
    "ai_filter": SCALAR["ai_filter"].replace("(input, predicate,", f"(input, predicate := {WHOLE_QUESTION},", 1),
    "ai_classify": _classified(SCALAR["ai_classify"]),
    "ai_complete": SCALAR["ai_complete"]
    .replace("(input, model := NULL,", "(model, prompt, model_parameters := NULL,", 1)
    .replace("{prompt}(input)", "{prompt}(prompt)", 1),
    "ai_translate": SCALAR["ai_translate"].replace("(input, language,", "(input, source_language, language,", 1),
    "ai_summarize_agg": "(input) AS ai_summarize(input)",
    "prompt": TEMPLATES,
}
DATABRICKS: Macros = {
    "ai_gen": "(request) AS ai_complete_detail(request, model := NULL).value",
    "ai_analyze_sentiment": "(content) AS ai_sentiment(content)",
    "ai_query": "(endpoint, request) AS ai_complete_detail(request, model := endpoint).value, "
    "(endpoint, request, returntype) AS ai_value(request, returntype, model := endpoint), "
    "(endpoint, request, failonerror, returntype := 'VARCHAR') AS "
    "{{'result': ai_value(request, returntype, model := endpoint), "
    "'errorMessage': ai_value_detail(request, returntype, model := endpoint).error.message}}",
}
SETTINGS = "model := NULL, temperature := NULL, reasoning_effort := NULL"
MOTHERDUCK: Macros = {
    "prompt": f"(input, {SETTINGS}) AS ai_complete_detail(input, model := model).value, "
    f"(input, return_type, {SETTINGS}) AS ai_value(input, return_type, model := model), "
    f"(input, struct, struct_descr := NULL, {SETTINGS}) AS ai_value(input, struct, model := model, "
    "instructions := CAST(to_json(struct_descr) AS VARCHAR))",
}
IGNORED = (
    "connection_id := NULL, endpoint := NULL, model_params := NULL, optimization_mode := NULL, embeddings := NULL, "
    "request_type := NULL, max_error_ratio := NULL"
)
PARTS = "quackllm_parts(to_json(parts), {number})"


def _type_of_schema() -> str:
    """Return the SQL that makes a DuckDB type of `output_schema`: `ARRAY<STRUCT<a INT64>>` is `STRUCT(a INT64)[]`."""
    text = "replace(concat(output_schema), 'FLOAT64', 'DOUBLE')"  # DuckDB folds concat while the macro is made.
    for _ in range(MOST_NESTED):
        text = f"regexp_replace({text}, 'STRUCT<([^<>]*)>', 'STRUCT(\\1)', 'g')"
        text = f"regexp_replace({text}, 'ARRAY<([^<>]*)>', '\\1[]', 'g')"
    return f"concat('STRUCT(', {text}, ')')"


def _generated_fields() -> str:
    detail = f"ai_value_detail({PARTS}, {_type_of_schema()}, model := endpoint)"
    return f"struct_insert({detail}.value, status := coalesce({detail}.error.message, ''))"


def _generated(return_type: str) -> str:
    detail = f"ai_value_detail({PARTS}, {return_type}, model := endpoint)"
    return f"{{{{'result': {detail}.value, 'status': coalesce({detail}.error.message, '')}}}}"


BIGQUERY: Macros = {
    "if": f"(parts, {IGNORED}) AS ai_filter({PARTS}, {WHOLE_QUESTION}, model := endpoint)",
    "score": f"(parts, {IGNORED}) AS ai_value({PARTS}, 'DOUBLE', model := endpoint)",
    "classify": f"(parts, categories, {IGNORED}) AS ai_choose({PARTS}, categories, model := endpoint)",
    "generate": f"(parts, {IGNORED}) AS {_generated(chr(39) + 'VARCHAR' + chr(39))}, "
    f"(parts, output_schema, {IGNORED}) AS {_generated_fields()}",
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
        own["prompt"] = f"(input) AS ai_complete_detail(input, model := NULL).value, {TEMPLATES}"
    return own, BIGQUERY if "bigquery" in aliases else {}
