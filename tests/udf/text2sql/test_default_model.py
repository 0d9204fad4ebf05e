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


def test_of_several_none_is_chosen(service: StandIn) -> None:
    quackllm.deploy("writer", "openai", infer_params=service.openai_params())
    quackllm.deploy("other", "openai", infer_params=service.openai_params())
    assert connection_to_singers().execute(QUESTION).fetchone() == ("builtin_text2sql",)
