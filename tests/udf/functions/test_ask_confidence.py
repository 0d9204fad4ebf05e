"""`ask` says when it is unsure, runs nothing when it is very unsure, and passes a question back to the user."""

from __future__ import annotations

import pytest
from quackllm.workers.errors import RequestError, Text2SQLError

import quackllm
from quackllm import deploy
from standin.fixtures import StandIn

QUESTION = "How many singers are there?"
SQL = "SELECT count(*) FROM singer"


@pytest.fixture
def ask(service: StandIn):
    deploy("writer", "saas/openai", infer_params=service.openai_params())
    with quackllm.connect() as connection:
        connection.execute("CREATE TABLE singer (name VARCHAR); INSERT INTO singer VALUES ('Ann'), ('Bo')")

        def asked(reply: str, options: str = ""):
            service.script([{"fault": "reply", "text": reply}] * 5)
            return connection.execute(f"FROM ask('{QUESTION}'{options})").fetchall()

        yield asked


@pytest.mark.filterwarnings("error")
def test_a_sure_answer_has_no_warning(ask) -> None:
    assert ask(f"-- confidence: 0.9\n{SQL}") == [(2,)]


def test_an_unsure_one_is_given_with_a_warning(ask) -> None:
    with pytest.warns(UserWarning, match=r"writer is unsure of this answer \(28%\): is a band a singer\?"):
        assert ask(f"-- confidence: 0.35\n-- warning: is a band a singer?\n{SQL}") == [(2,)]


def test_a_very_unsure_one_is_not_run(ask) -> None:
    with pytest.raises(Text2SQLError, match=r"too unsure \(1%\)") as error:
        ask(f"-- confidence: 0.01\n{SQL}")
    assert SQL in error.value.message


def test_a_question_back(ask) -> None:
    with pytest.raises(Text2SQLError, match="writer asks back: In which year"):
        ask("UNCLEAR: In which year?")


@pytest.mark.parametrize("options", [", votes := 0", ", votes := 1000", ", examples := 99", ", notes := 'gone.md'"])
def test_wrong_options_are_said(ask, options: str) -> None:
    with pytest.raises(RequestError) as error:
        ask(SQL, options)
    assert error.value.hint
