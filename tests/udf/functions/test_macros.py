"""The SQL face: macros that name each argument once, so that nothing is bound, evaluated or paid for twice."""

from __future__ import annotations

import re

import pytest
from quackllm.udf.functions import macros

import quackllm

CONSTANTS = {"labels", "fields", "type", "quotes", "model", "store"}
"""Arguments that name a type, which the bind reads once more, and the names of a model and of a mode."""
DEPTH = 24  # A macro that named its argument twice would bind 16 million calls.


def test_nested_calls_are_bound_once() -> None:
    quackllm.deploy("parrot", "echo")
    nested = "llm_result(parrot(" * DEPTH + "'n'" + "))" * DEPTH
    assert quackllm.connect().execute(f"SELECT {nested}").fetchone() == ("echo: " * DEPTH + "n",)


@pytest.mark.parametrize("body", [*macros.SCALAR.values(), *macros.TABLE.values(), macros.MODEL_MACRO])
def test_no_macro_names_an_argument_twice(body: str) -> None:
    for parameters, expression in re.findall(r"\(([^()]*)\) AS (.*?)(?=, \([^()]*\) AS |$)", body):
        for name in re.findall(r"\w+(?=\s*(?::=|,|$))", re.sub(r":= \w+", ":=", parameters)):
            # What stands in quotes is a key or a text; `name IS NOT NULL` and the type come from a constant.
            # A list is named once more where its elements are taken out by their places: no other way keeps their type.
            # `alias(content)` is the argument's name; a table macro is nested in no other.
            bare = re.sub(r"'[^']*'|\balias\(\w+\)", "", expression)
            if "quackllm_ai_top" in bare:
                bare = bare.partition("list_select(input, ")[2]
            assert len(re.findall(rf"\b{name}\b", bare)) == 1 or name in CONSTANTS, (name, expression)


@pytest.mark.parametrize(("reason", "result"), [("stop", "fine"), ("length", None), ("error", None)])
def test_only_a_whole_answer_is_a_result(reason: str, result: str | None) -> None:
    response = f"{{'output': 'fine', 'finish_reason': '{reason}'}}"
    assert quackllm.connect().execute(f"SELECT llm_result({response})").fetchone() == (result,)
