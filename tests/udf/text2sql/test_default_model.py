"""Which model is asked for SQL where nobody names one."""

from __future__ import annotations

import pytest

import quackllm
from standin.fixtures import StandIn

QUESTION = "SELECT (text2sql_detail('How many singers are there?')).model"


def connection_to_singers() -> quackllm.Connection:
    connection = quackllm.connect()
    connection.execute("CREATE TABLE singer (name VARCHAR, age INTEGER)")
    return connection


def test_a_model_that_only_repeats_is_not_asked() -> None:
    quackllm.deploy("parrot", "echo")
    assert connection_to_singers().execute(QUESTION).fetchone() == ("builtin_text2sql",)


@pytest.mark.filterwarnings("ignore::UserWarning")  # The stand-in writes no SQL.
def test_the_only_model_that_writes_is_asked(service: StandIn) -> None:
    quackllm.deploy("parrot", "echo")
    quackllm.deploy("writer", "openai", infer_params=service.openai_params())
    assert connection_to_singers().execute(QUESTION).fetchone() == ("writer",)


def test_of_several_none_is_chosen_and_one_warning_says_so(service: StandIn) -> None:
    quackllm.deploy("writer", "openai", infer_params=service.openai_params())
    quackllm.deploy("other", "openai", infer_params=service.openai_params())
    connection = connection_to_singers()
    with pytest.warns(quackllm.FailedRowsWarning) as warned:
        rows = connection.execute(f"{QUESTION} FROM range(3)").fetchall()
    assert rows == [("builtin_text2sql",)] * 3
    (warning,) = warned
    assert str(warning.message).startswith("several models are deployed (other, writer) and none is the default: built")
    assert "model := 'other'" in str(warning.message)


@pytest.mark.filterwarnings("error")
def test_who_names_the_builtin_one_is_not_warned(service: StandIn) -> None:
    quackllm.deploy("writer", "openai", infer_params=service.openai_params())
    quackllm.deploy("other", "openai", infer_params=service.openai_params())
    named = QUESTION.replace("?'", "?', model := 'builtin_text2sql'")
    assert connection_to_singers().execute(named).fetchone() == ("builtin_text2sql",)
