"""`ask` says when it is unsure, runs nothing when it is very unsure, and passes a question back to the user."""

from __future__ import annotations

import re

import pytest
from quackllm.workers.errors import RequestError, Text2SQLError

import quackllm
from quackllm import deploy
from standin.fixtures import StandIn

QUESTION = "How many singers are there?"
SQL = "SELECT count(*) FROM singer"


@pytest.fixture
def connection(service: StandIn):
    deploy("writer", "saas/openai", infer_params=service.openai_params())
    with quackllm.connect() as connection:
        connection.execute("CREATE TABLE singer (name VARCHAR); INSERT INTO singer VALUES ('Ann'), ('Bo')")
        yield connection


@pytest.fixture
def ask(connection: quackllm.Connection, service: StandIn):
    def asked(reply: str, options: str = ""):
        service.script([{"fault": "reply", "text": reply}] * 5)
        return connection.execute(f"FROM ask('{QUESTION}'{options})").fetchall()

    return asked


@pytest.mark.filterwarnings("error")
def test_a_sure_answer_has_no_warning(ask) -> None:
    assert ask(f"-- confidence: 0.9\n{SQL}") == [(2,)]


def test_an_unsure_one_is_given_with_a_warning(ask) -> None:
    warning = (
        rf"^the SQL may be wrong: '{re.escape(QUESTION)}': confidence 28%; is a band a singer\?. More: text2sql_detail"
    )
    with pytest.warns(UserWarning, match=warning):
        assert ask(f"-- confidence: 0.35\n-- warning: is a band a singer?\n{SQL}") == [(2,)]


def test_a_sure_one_with_a_doubt_has_a_warning(ask) -> None:
    with pytest.warns(UserWarning, match=r"is a band a singer\?"):
        assert ask(f"-- confidence: 0.9\n-- warning: is a band a singer?\n{SQL}") == [(2,)]


def test_a_very_unsure_one_is_not_run(ask) -> None:
    with pytest.raises(Text2SQLError, match=r"writer is too unsure of its SQL \(10% where 20% is demanded\)") as error:
        ask(f"-- confidence: 0.1\n{SQL}")
    assert SQL in error.value.message


@pytest.mark.parametrize("bound", ["option", "variable"])
def test_the_bound_is_the_user_s(ask, connection: quackllm.Connection, bound: str) -> None:
    if bound == "variable":
        connection.execute("SET VARIABLE llm_min_confidence = 0.95")
    with pytest.raises(Text2SQLError, match="90% where 95%"):
        ask(f"-- confidence: 0.9\n{SQL}", ", min_confidence := 0.95" if bound == "option" else "")


@pytest.mark.filterwarnings("ignore::quackllm.FailedRowsWarning")
def test_the_bound_may_be_none(ask) -> None:
    assert ask(f"-- confidence: 0.01\n{SQL}", ", min_confidence := 0") == [(2,)]


def test_text2sql_gives_its_query_however_unsure_with_one_warning_a_statement(
    connection: quackllm.Connection, service: StandIn
) -> None:
    service.script([{"fault": "reply", "text": f"-- confidence: 0.1\n{SQL}"}] * 5)
    questions = f"VALUES ('{QUESTION}'), ('{QUESTION}'), ('Count the singers')"
    with pytest.warns(quackllm.FailedRowsWarning) as warned:
        assert connection.execute(f"SELECT text2sql(col0) FROM ({questions})").fetchall() == [(SQL,)] * 3
    (warning,) = warned
    assert str(warning.message).startswith("the SQL of 2 questions may be wrong, first: ")


@pytest.mark.filterwarnings("error")
def test_text2sql_detail_shows_it_in_its_own_fields(connection: quackllm.Connection, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": f"-- confidence: 0.1\n{SQL}"}])
    assert connection.execute(f"SELECT (text2sql_detail('{QUESTION}')).confidence").fetchone() == (0.1,)


def test_text2sql_declines_below_a_stated_bound(connection: quackllm.Connection, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": f"-- confidence: 0.4\n{SQL}"}])
    detail = f"SELECT text2sql_detail('{QUESTION}', min_confidence := 0.5)"
    with pytest.warns(quackllm.FailedRowsWarning, match="1 × unsure"):
        (found,) = connection.execute(detail).fetchone()
    assert (found["sql"], found["error"]["code"], found["alternatives"]) == (None, "unsure", [SQL])
    assert not found["history"]


def test_a_question_back(ask) -> None:
    with pytest.raises(Text2SQLError, match="writer asks back: In which year"):
        ask("UNCLEAR: In which year?")


@pytest.mark.parametrize(
    "options", [", votes := 0", ", votes := 1000", ", examples := 99", ", notes := 'gone.md'", ", min_confidence := 2"]
)
def test_wrong_options_are_said(ask, options: str) -> None:
    with pytest.raises(RequestError) as error:
        ask(SQL, options)
    assert error.value.hint
