"""A service that refuses an option: found out once, told once in the log, and nothing is sent that is refused again."""

from __future__ import annotations

from typing import Any

import pytest

import quackllm
from standin.fixtures import StandIn

YES = {"fault": "reply", "text": "yes"}
FOUND = {"fault": "reply", "text": '{"age": 41}'}
FILTER = "SELECT count(*) FILTER (ai_filter(body, 'is praise')) FROM review"
EXTRACT = "SELECT count(*) FILTER (ai_extract(body, {'age': 'INTEGER'}).age = 41) FROM review"


def refusal(option: str, message: str) -> dict[str, Any]:
    return {"fault": "bad_request", "option": option, "message": message}


@pytest.mark.parametrize(
    ("statement", "option", "message", "answer"),
    [
        (FILTER, "logprobs", "logprobs is not supported with this model", YES),
        (FILTER, "logprobs", "The request cannot be read.", YES),
        (FILTER, "max_tokens", "Unsupported parameter: 'max_tokens'", YES),
        (EXTRACT, "response_format", "response_format json_schema is not supported", FOUND),
        (EXTRACT, "response_format", "The request cannot be read.", FOUND),
    ],
)
def test_what_is_refused_is_not_sent_again(
    statement: str,
    option: str,
    message: str,
    answer: dict[str, Any],
    service: StandIn,
    caplog: pytest.LogCaptureFixture,
) -> None:
    params = service.openai_params(saas__max_tokens_field="max_tokens")
    quackllm.deploy("judge", "saas/openai", infer_params=params, worker_concurrency=4)
    service.script([refusal(option, message), answer])
    with quackllm.connect() as connection:
        connection.execute("CREATE TABLE review AS SELECT '41 years, ' || i AS body FROM range(50) t (i)")
        assert connection.execute(statement).fetchone() == (50,)
    requests = service.requests()
    refused = [request for request in requests if option in request["body"]]
    assert 1 <= len(refused) <= 8
    assert len(requests) <= 50 + 2 * len(refused)
    told = [record.getMessage() for record in caplog.records if "from now on" in record.getMessage()]
    assert len(told) == 1
    assert f"standin is sent no {option} from now on" in told[0]
    others = {"logprobs", "max_tokens"} - {option} if statement == FILTER else set()
    assert others <= requests[-1]["body"].keys()  # What was not refused is sent on.


@pytest.mark.filterwarnings("ignore:1 request got no complete answer")
def test_a_request_that_is_refused_for_itself_teaches_nothing(
    service: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    quackllm.deploy("judge", "saas/openai", infer_params=service.openai_params(), worker_concurrency=1)
    service.script([{"fault": "bad_request", "marker": "poison"}, FOUND])
    with quackllm.connect() as connection:
        connection.execute("CREATE TABLE review AS SELECT 'is 41, ' || i AS body FROM range(20) t (i)")
        connection.execute("INSERT INTO review VALUES ('poison')")
        assert connection.execute(EXTRACT).fetchone() == (20,)
        connection.execute("INSERT INTO review VALUES ('is 41 too')")
        connection.execute("SELECT ai_extract('is 41 too', {'age': 'INTEGER'})").fetchall()
    assert "response_format" in service.requests()[-1]["body"]
    assert not [record for record in caplog.records if "from now on" in record.getMessage()]


@pytest.mark.filterwarnings("ignore:1 request got no complete answer")
def test_a_format_that_the_user_asks_for_is_never_left_out(service: StandIn) -> None:
    quackllm.deploy("judge", "openai", infer_params=service.openai_params())
    service.script([refusal("response_format", "response_format is not supported"), YES])
    with quackllm.connect() as connection:
        asked = "llm_param({'instruction': 'x', 'response_format': {'type': 'json_object'}})"
        (code,) = connection.execute(f"SELECT llm_chat({asked}).error.code").fetchone() or ()
    assert code == "invalid_value"
    assert service.count() == 1
