"""The SQL face of the typed functions: macros that give each answer its type when a statement is bound.

`json_transform` takes its type from a constant, so labels, fields and types are constants, and stand twice in a macro:
once in the question, once in the type. The CASE keeps DuckDB from evaluating them while the macro is made.
"""

from __future__ import annotations

import json

from ...workers.sql_text import quote_literal
from ..accuracy.stated import FUNCTIONS
from .prompts import SENTIMENTS
from .shapes import OneLabel
from .task import result_structure

NAMED = "model := NULL, instructions := NULL, examples := NULL, draw := 0, store := NULL"
DETAILS = "'instructions': instructions, 'examples': examples, 'draw': draw"


def _call(function: str, given: str, question: str, more: str) -> str:
    details = f"to_json({{{{{DETAILS}{more}}}}})"
    call = f"quackllm_ai('{function}', model, {{prompt}}({given}), to_json({question}), {details}, "
    return call + "coalesce(store, {mode}), {number})"


def _fixed(structure: str) -> str:
    """Return the SQL text of a detail's type that no argument changes."""
    written = json.dumps({**result_structure(OneLabel(SENTIMENTS)), "value": structure}, ensure_ascii=False)
    return quote_literal(written).replace("{", "{{").replace("}", "}}")


def _by_arguments(function: str, question: str, more: str) -> str:
    """Return the SQL of a detail's type that follows from the question."""
    given = f"to_json({{{{{more.removeprefix(', ')}}}}})" if more else "NULL"
    return (
        f"CASE WHEN {question} IS NOT NULL "
        f"THEN quackllm_ai_type('{function}', to_json({question}), {given}, {{number}}) END"
    )


def _pair(
    name: str,
    parameters: str,
    given: str,
    question: str,
    structure: str | None,
    *,
    more: dict[str, str] | None = None,
    function: str = "",
    stated: tuple[str, ...] = (),
) -> dict[str, str]:
    """Return the macros of a function and of its detail.

    Args:
        name: what SQL calls the function, without `ai_`.
        parameters: its own arguments, before those that all have.
        given: the SQL of the input.
        question: the SQL of the question.
        structure: the SQL type of the value; None: it follows from the question.
        more: further arguments that reach the task, with their defaults.
        function: the task's name; left out, it is `name`.
        stated: what can be stated about the accuracy of its answers.
    """
    accuracy = dict.fromkeys((*stated, "confidence", "helper") if stated else (), "NULL")
    named = "".join(f", {key} := {default}" for key, default in {**(more or {}), **accuracy}.items())
    details = "".join(f", '{key}': {key}" for key in more or {})
    call = _call(function or name, given, question, details + "".join(f", '{key}': {key}" for key in accuracy))
    structure_sql = _by_arguments(function or name, question, details) if structure is None else _fixed(structure)
    body = f"({parameters}{named}, {NAMED}) AS json_transform({call}, {structure_sql})"
    return {f"ai_{name}": f"{body}.value", f"ai_{name}_detail": body}


ENUM_OF_SENTIMENTS = str(OneLabel(SENTIMENTS).sql)
SCALAR = {
    **_pair("filter", "input, predicate", "input", "predicate", "BOOLEAN", stated=FUNCTIONS["filter"]),
    **_pair(
        "match",
        "left_input, right_input, criteria",
        "{{'left': left_input, 'right': right_input}}",
        "criteria",
        "BOOLEAN",
        stated=FUNCTIONS["match"],
    ),
    **_pair("classify", "input, labels", "input", "labels", None, stated=FUNCTIONS["classify"]),
    **_pair("choose", "input, labels", "input", "labels", "VARCHAR", stated=FUNCTIONS["choose"]),
    **_pair("labels", "input, labels", "input", "labels", None),
    **_pair("extract", "input, fields", "input", "fields", None, more={"quotes": "false"}),
    **_pair("value", "input, type", "input", "type", None),
    **_pair("score", "input, criteria", "input", "criteria", "DOUBLE", more={"low": "0", "high": "1"}),
    **_pair("complete", "input", "input", "NULL", "VARCHAR"),
    **_pair("translate", "input, language", "input", "language", "VARCHAR"),
    **_pair("mask", "input, kinds", "input", "kinds", "VARCHAR"),
    **_pair("fix_grammar", "input", "input", "NULL", "VARCHAR"),
    **_pair("sentiment", "input", "input", "NULL", ENUM_OF_SENTIMENTS, stated=FUNCTIONS["sentiment"]),
}
ENCODER = "model := 'builtin_encoder', store := NULL"


def _vector(text: str) -> str:
    return f"quackllm_ai_embed(model, {{prompt}}({text}), coalesce(store, {{mode}}), {{number}})"


def _similarity(one: str, other: str) -> str:
    return f"CAST(list_cosine_similarity({_vector(one)}, {_vector(other)}) AS DOUBLE)"


def _aggregate(name: str, parameters: str, values: str, instruction: str) -> dict[str, str]:
    """Return the macros of an aggregate and of its detail."""
    body = (
        f"({parameters}, part_tokens := 4000, {NAMED}) AS json_transform(quackllm_ai_agg(model, {{prompt}}({values}), "
        f"to_json({instruction}), to_json({{{{{DETAILS}}}}}), part_tokens, coalesce(store, {{mode}}), {{number}}), "
        f"{_fixed('VARCHAR')})"
    )
    return {f"ai_{name}": f"{body}.value", f"ai_{name}_detail": body}


def _ranking(name: str, count: str, *, one: bool) -> dict[str, str]:
    """Return the macros of a function that chooses elements of a list, and of its detail.

    The function behind it chooses places, so that the elements may be of any type.
    """
    parameters = "input, criteria" if one else "input, k, criteria"
    call = (
        f"json_transform(quackllm_ai_top(model, {{prompt}}(input), {count}, to_json(criteria), "
        f"to_json({{{{{DETAILS}}}}}), per_call, coalesce(store, {{mode}}), {{number}}), {_fixed('INTEGER[]')})"
    )
    value = f"list_select(input, {call}.value)" + ("[1]" if one else "")
    head = f"({parameters}, per_call := 10, {NAMED}) AS "
    return {f"ai_{name}": head + value, f"ai_{name}_detail": f"{head}struct_update({call}, value := {value})"}


SUMMARIZE = "'Summarize the texts in a few sentences, in their own language.'"
SCALAR |= {
    **_aggregate("agg", "input, instruction", "list_sort(list(input))", "instruction"),
    **_aggregate("agg_list", "input, instruction", "input", "instruction"),
    **_aggregate("summarize", "input", "list_sort(list(input))", SUMMARIZE),
    **_ranking("top", "k", one=False),
    **_ranking("best", "1", one=True),
    "ai_embed": f"(text, {ENCODER}) AS {_vector('text')}",
    "ai_similarity": f"(text, other, {ENCODER}) AS {_similarity('text', 'other')}",
}
NEAR_COLUMN = (
    "CASE WHEN alias(content)[1] = chr(39) THEN error('the column of ai_near is a text; type it without quotes: "
    "FROM ai_near(''review'', body, ''soup'')') ELSE true END"
)
"""Raises for `ai_near('review', 'body', …)`, which would compare rows with the word body: a text is its own alias."""
EACH = _pair("each", "input, fields", "input", "fields", None, more={"quotes": "false"})
TABLE = {
    "ai_each": EACH["ai_each"].replace(" AS ", " AS TABLE SELECT unnest(", 1) + ", max_depth := 2)",
    "ai_near": f"(source, content, query, k := 10, {ENCODER}) AS TABLE "
    f"SELECT *, {_similarity('content', 'query')} AS similarity FROM query_table(source) WHERE {NEAR_COLUMN} "
    "ORDER BY similarity DESC NULLS LAST LIMIT k",
}
AI_FUNCTIONS = frozenset({*SCALAR, *TABLE})
"""The functions that call a model, by their SQL names."""
