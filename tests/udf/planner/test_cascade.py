"""A stated accuracy in SQL: a helper or a proxy answers where it is sure, and nothing changes where none is stated."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from quackllm.workers.errors import BudgetError, QuackLLMError, RequestError, UnknownModelError

import quackllm
from standin.fixtures import StandIn

ROWS = 300
FILTER = "SELECT count(*) FROM review WHERE ai_filter(body, 'is praise')"
TRUTH = [{"fault": "reply", "text": "yes", "marker": "wonderful"}, {"fault": "reply", "text": "no"}]


@pytest.fixture
def connection(service: StandIn) -> Iterator[quackllm.Connection]:
    quackllm.deploy("judge", "openai", infer_params=service.openai_params())
    quackllm.deploy("small", "openai", infer_params=service.openai_params(saas__model="small"))
    service.script(TRUTH)
    with quackllm.connect(model="judge") as connection:
        connection.execute(
            "CREATE TABLE review AS SELECT i, CASE WHEN i % 2 = 0 THEN 'What a wonderful evening, we loved meal ' "
            f"ELSE 'A terrible place, we hated meal ' END || i AS body FROM range({ROWS}) t (i)"
        )
        yield connection


def calls_of(service: StandIn, model: str = "standin") -> int:
    return [request["body"]["model"] for request in service.requests()].count(model)


def test_without_a_stated_accuracy_the_model_answers_every_row(
    connection: quackllm.Connection, service: StandIn
) -> None:
    connection.execute("SET VARIABLE llm_helper = 'small'")
    assert connection.execute(FILTER).fetchall() == [(ROWS // 2,)]
    assert (calls_of(service), calls_of(service, "small")) == (ROWS, 0)


def test_a_proxy_answers_most_rows_and_the_next_run_sends_nothing(
    connection: quackllm.Connection, service: StandIn
) -> None:
    statement = (
        "SELECT d.value, i % 2 = 0, d.by, d.probability FROM "
        "(SELECT i, ai_filter_detail(body, 'is praise', accuracy := 0.9) AS d FROM review) ORDER BY i"
    )
    rows = connection.execute(statement).fetchall()
    assert sum(value == truth for value, truth, _, _ in rows) >= 0.9 * ROWS
    assert all(value == truth for value, truth, by, _ in rows if by != "proxy")
    assert all(0.5 <= sure <= 1 for _, _, by, sure in rows if by == "proxy")
    sent = calls_of(service)
    assert sent < ROWS / 2
    report = "SELECT inputs, by_model, by_proxy, sampled, estimated_accuracy FROM ai_accuracy()"
    ((inputs, by_model, by_proxy, sampled, accuracy),) = connection.execute(report).fetchall()
    assert (inputs, by_model, by_proxy) == (ROWS, sent, sum(by == "proxy" for _, _, by, _ in rows))
    assert 0 < sampled < sent
    assert accuracy >= 0.9
    again = connection.execute(statement).fetchall()
    assert [value for value, *_ in again] == [value for value, *_ in rows]
    assert calls_of(service) == sent


def test_a_proxy_learns_from_vectors_of_a_deployed_model(connection: quackllm.Connection, service: StandIn) -> None:
    quackllm.deploy("vectors", "openai", infer_params=service.openai_params(saas__model="vectors"))
    connection.execute("SET VARIABLE llm_accuracy = 0.95; SET VARIABLE llm_proxy = 'vectors'")
    ((passed,),) = connection.execute(FILTER).fetchall()
    assert abs(passed - ROWS // 2) <= 0.05 * ROWS  # These vectors say nothing: nearly all rows are the model's.
    assert calls_of(service) >= 0.9 * ROWS
    assert connection.execute("SELECT reason FROM ai_accuracy()").fetchone() is not None


def test_a_helper_answers_where_it_agrees(connection: quackllm.Connection, service: StandIn) -> None:
    rows = connection.execute(
        "SELECT i % 2 = 0, d.value, d.by FROM "
        "(SELECT i, ai_filter_detail(body, 'is praise', accuracy := 0.9, helper := 'small') AS d FROM review)"
    ).fetchall()
    assert sum(value == truth for truth, value, _ in rows) >= 0.9 * ROWS
    assert sum(by == "helper" for _, _, by in rows) > ROWS / 2
    assert calls_of(service) < ROWS / 3


def test_a_useless_helper_costs_its_pilot(connection: quackllm.Connection, service: StandIn) -> None:
    quackllm.deploy("parrot", "echo")
    connection.execute("SET VARIABLE llm_accuracy = 0.95; SET VARIABLE llm_helper = 'parrot'")
    assert connection.execute(FILTER).fetchall() == [(ROWS // 2,)]
    assert calls_of(service) == ROWS
    assert "agrees too seldom" in str(connection.execute("SELECT reason FROM ai_accuracy()").fetchone())
    ((calls,),) = connection.execute("SELECT calls FROM llm_usage() WHERE model = 'parrot'").fetchall()
    assert calls <= 120  # Three draws of 40 rows.


def test_recall_loses_few_and_lets_nothing_wrong_pass(connection: quackllm.Connection, service: StandIn) -> None:
    rows = connection.execute(
        "SELECT i FROM review WHERE ai_filter(body, 'is praise', recall := 0.9, confidence := 0.9, helper := 'small')"
    ).fetchall()
    assert all(i % 2 == 0 for (i,) in rows)
    assert len(rows) >= 0.9 * ROWS / 2
    assert calls_of(service) < ROWS


def test_classes(connection: quackllm.Connection, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": "good", "marker": "wonderful"}, {"fault": "reply", "text": "bad"}])
    rows = connection.execute(
        "SELECT i % 2 = 0, ai_classify(body, ['good', 'bad'], accuracy := 0.9, helper := 'small') FROM review"
    ).fetchall()
    assert sum((value == "good") == truth for truth, value in rows) >= 0.9 * ROWS
    assert calls_of(service) < ROWS / 3


def test_a_budget_stops_and_the_next_run_goes_on(connection: quackllm.Connection, service: StandIn) -> None:
    connection.execute(
        "SET VARIABLE llm_accuracy = 0.9; SET VARIABLE llm_helper = 'small'; SET VARIABLE llm_max_calls = 30"
    )
    with pytest.raises(BudgetError):
        connection.execute(FILTER).fetchall()
    assert service.count() == 30
    connection.execute("RESET VARIABLE llm_max_calls")
    connection.execute(FILTER).fetchall()
    sent = service.count()
    assert calls_of(service) < ROWS / 3
    connection.execute(FILTER).fetchall()
    assert service.count() == sent


def test_the_model_answers_few_rows(connection: quackllm.Connection, service: StandIn) -> None:
    connection.execute("SET VARIABLE llm_accuracy = 0.9")
    connection.execute(f"{FILTER} AND i < 50").fetchall()
    assert service.count() == 50
    assert connection.execute("SELECT by_model, reason FROM ai_accuracy()").fetchall() == [
        (50, "there are fewer than 100 distinct inputs")
    ]


def test_two_conditions_are_two_promises(connection: quackllm.Connection) -> None:
    connection.execute("SET VARIABLE llm_accuracy = 0.9; SET VARIABLE llm_helper = 'small'")
    connection.execute(f"{FILTER} AND ai_filter(body, 'mentions a meal')").fetchall()
    reports = connection.execute("SELECT question, inputs FROM ai_accuracy()").fetchall()
    assert [question for question, _ in reports] == ['"is praise"', '"mentions a meal"']
    assert reports[0][1] == ROWS
    assert reports[1][1] < ROWS


@pytest.mark.parametrize(
    ("statement", "error", "says"),
    [
        ("SELECT ai_filter(body, 'x', accuracy := 0.9, recall := 0.9) FROM review", RequestError, "either an accuracy"),
        ("SELECT ai_filter(body, 'x', accuracy := 95) FROM review", RequestError, "accuracy is 95"),
        ("SELECT ai_filter(body, 'x', accuracy := 0.9, helper := 'smal') FROM review", UnknownModelError, "smal"),
        ("SET VARIABLE llm_recall = 2; SELECT ai_filter(body, 'x') FROM review", RequestError, "llm_recall"),
    ],
)
def test_what_is_wrong_is_said(
    connection: quackllm.Connection, statement: str, error: type[QuackLLMError], says: str
) -> None:
    with pytest.raises(error, match=says):
        connection.execute(statement).fetchall()
