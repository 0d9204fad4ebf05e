"""A service in trouble: no row is lost, and no cut-off text passes as an answer."""

from __future__ import annotations

import pytest

import quackllm
from standin.fixtures import StandIn

ROWS = 200
SELECT = f"SELECT chat('row ' || i) AS r FROM range({ROWS}) t(i)"


@pytest.fixture(params=["openai", "dashscope"])
def connection(request: pytest.FixtureRequest, service: StandIn) -> quackllm.Connection:
    params = service.openai_params() if request.param == "openai" else service.dashscope_params()
    quackllm.deploy("chat", request.param, worker_concurrency=32, infer_params=params)
    return quackllm.connect()


@pytest.mark.parametrize(
    "script",
    [
        [{"fault": "rate_limit", "retry_after": 1, "window_seconds": 3}],
        [{"fault": "server_error", "times": 40}],
        [{"fault": "drop", "every": 5, "times": 20}],
        [{"fault": "half_json", "every": 5, "times": 20}],
        [{"fault": "empty_choice", "every": 5, "times": 20}],
        [
            {"fault": "rate_limit", "retry_after": 1, "window_seconds": 1},
            {"fault": "server_error", "times": 10},
            {"fault": "drop", "times": 10},
            {"fault": "half_json", "times": 10},
            {"fault": "empty_choice", "times": 10},
        ],
    ],
    ids=["429 for 3 s", "500", "dropped", "half a JSON", "empty choice", "all of them"],
)
def test_every_row_is_answered_in_the_end(connection, service: StandIn, script: list[dict]):
    service.script(script)
    answers = [answer for (answer,) in connection.execute(f"SELECT llm_result(r) FROM ({SELECT})").fetchall()]
    assert sorted(answers) == sorted(f"answer to: row {i}" for i in range(ROWS))
    assert service.count() > ROWS, "the fault was met"


def test_retry_after_is_kept(connection, service: StandIn):
    service.script([{"fault": "rate_limit", "retry_after": 2, "times": 1}])
    ((response,),) = connection.execute("SELECT chat('patience')").fetchall()
    assert response["output"] == "answer to: patience"
    assert response["seconds"] >= 2.0
    assert service.count() == 2


def test_a_text_that_was_cut_off_is_not_a_result(connection, service: StandIn):
    service.script([{"fault": "reply", "text": "half of it", "finish_reason": "length", "marker": "row 7"}])
    with pytest.warns(UserWarning, match="× length"):
        connection.execute(f"CREATE TABLE answers AS {SELECT}")
    cut = connection.execute(
        "SELECT r.output, llm_result(r), r.finish_reason, r.error.code FROM answers WHERE r.finish_reason <> 'stop'"
    ).fetchall()
    assert set(cut) == {("half of it", None, "length", "length")}
    ((whole,),) = connection.execute("SELECT count(llm_result(r)) FROM answers").fetchall()
    assert whole == ROWS - len(cut)


def test_a_cut_off_answer_is_not_kept(connection, service: StandIn):
    service.script([{"fault": "reply", "text": "half", "finish_reason": "length", "times": 1}])
    with pytest.warns(UserWarning, match="× length"):
        connection.execute("SELECT chat('again')").fetchall()
    assert connection.execute("SELECT llm_result(chat('again'))").fetchall() == [("answer to: again",)]


def test_a_service_that_stays_down_is_a_rows_error(service: StandIn):
    params = service.openai_params() | {"limits.max_attempts": 2}
    quackllm.deploy("chat", "openai", infer_params=params)
    service.script([{"fault": "server_error"}])
    with pytest.warns(UserWarning, match="no complete answer"):
        ((error,),) = quackllm.connect().execute("SELECT (chat('x')).error").fetchall()
    assert error["retryable"] is True
    assert service.count() == 2


def test_rates_are_kept(service: StandIn):
    params = service.openai_params() | {"limits.requests_per_minute": 600}
    quackllm.deploy("chat", "openai", worker_concurrency=64, infer_params=params)
    service.script([{"fault": "rate_limit", "per_second": 30}])
    rows = quackllm.connect().execute("SELECT llm_result(chat('row ' || i)) FROM range(30) t(i)").fetchall()
    assert len(rows) == 30
    assert service.count() == 30, "no request came above the rate, so none was refused"


def test_a_wrong_key_stops_the_statement_in_the_services_words(connection, service: StandIn):
    service.script([{"fault": "wrong_key"}])
    with pytest.raises(quackllm.QuackLLMError, match=r"(?i)key") as caught:
        connection.execute(SELECT).fetchall()
    assert "sk-standin" not in str(caught.value)
    assert service.count() < ROWS, "what was not sent yet was not sent"


@pytest.mark.parametrize("sql", ["SELECT chat('one')", "SELECT ai_complete('one')", "SELECT chat('a'), chat('b')"])
def test_a_call_over_constants_asks_a_service_that_refuses_once(connection, service: StandIn, sql: str):
    """DuckDB tries to fold such a call before it runs the statement, several times."""
    service.script([{"fault": "wrong_key"}])
    with pytest.raises(quackllm.QuackLLMError):
        connection.execute(sql)
    assert len(service.requests()) <= sql.count("('")
