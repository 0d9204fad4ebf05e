"""A stated accuracy in SQL: a helper or a proxy answers where it is sure, and nothing changes where none is stated."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import duckdb
import pytest
from quackllm.workers.engines import ENGINES
from quackllm.workers.errors import BudgetError, QuackLLMError, RequestError, UnknownModelError

import quackllm
from standin.fixtures import StandIn
from support.judge import NO_PLAN, JudgeEngine

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


@pytest.fixture
def judge(connection: quackllm.Connection, monkeypatch: pytest.MonkeyPatch) -> type[JudgeEngine]:
    monkeypatch.setitem(ENGINES, "judge", "support.judge:JudgeEngine")
    monkeypatch.setattr(JudgeEngine, "tasks", [])
    quackllm.deploy("judging", "judge")
    return JudgeEngine


def calls_of(service: StandIn, model: str = "standin") -> int:
    return [request["body"]["model"] for request in service.requests()].count(model)


def test_without_a_stated_accuracy_the_model_answers_every_row(
    connection: quackllm.Connection, service: StandIn
) -> None:
    connection.execute("SET VARIABLE llm_helper = 'small'")
    assert connection.execute(FILTER).fetchall() == [(ROWS // 2,)]
    assert (calls_of(service), calls_of(service, "small")) == (ROWS, 0)


def test_a_proxy_answers_most_rows_and_the_next_run_sends_nothing(
    connection: quackllm.Connection, service: StandIn, judge: type[JudgeEngine]
) -> None:
    connection.execute("SET VARIABLE llm_proxy = 'judging'")
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


def test_a_proxy_on_vectors_of_the_built_in_encoder(connection: quackllm.Connection, service: StandIn) -> None:
    connection.execute("SET VARIABLE llm_accuracy = 0.9; SET VARIABLE llm_confidence = 0.8")
    connection.execute("SET VARIABLE llm_max_calls = 112")
    ((passed,),) = connection.execute(f"{FILTER} AND i < 112").fetchall()
    assert abs(passed - 56) <= 11
    assert "builtin_encoder" in str(connection.execute("SELECT reason FROM ai_accuracy()").fetchone())
    assert calls_of(service) < 112  # The encoder's own calls are free: they count for no budget.


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


def test_an_interrupted_statement_goes_on_where_it_stopped(connection: quackllm.Connection, service: StandIn) -> None:
    connection.execute("SET VARIABLE llm_accuracy = 0.9; SET VARIABLE llm_helper = 'small'")
    service.script([{"fault": "slow", "seconds": 0.05}, *TRUTH])
    timer = threading.Timer(0.3, connection.interrupt)
    timer.start()
    with pytest.raises(duckdb.InterruptException):
        connection.execute(FILTER).fetchall()
    timer.join()
    service.script(TRUTH)
    connection.execute(FILTER).fetchall()
    sent = service.count()
    assert calls_of(service) < ROWS / 3
    connection.execute(FILTER).fetchall()
    assert service.count() == sent


@pytest.mark.parametrize("way", ["view", "transaction", "table"])
def test_a_stated_accuracy_holds_in_a(way: str, connection: quackllm.Connection, service: StandIn) -> None:
    connection.execute("SET VARIABLE llm_accuracy = 0.9; SET VARIABLE llm_helper = 'small'")
    if way == "view":
        connection.execute("CREATE TEMP VIEW judged AS SELECT i, ai_filter(body, 'is praise') AS good FROM review")
        ((passed,),) = connection.execute("SELECT count(*) FROM judged WHERE good").fetchall()
    elif way == "transaction":
        connection.begin()
        ((passed,),) = connection.execute(FILTER).fetchall()
        connection.commit()
    else:
        connection.execute("CREATE TABLE judged AS SELECT i, ai_filter(body, 'is praise') AS good FROM review")
        ((passed,),) = connection.execute("SELECT count(*) FROM judged WHERE good").fetchall()
    assert abs(passed - ROWS // 2) <= 0.1 * ROWS
    assert calls_of(service) <= ROWS


def test_the_model_answers_few_rows(connection: quackllm.Connection, service: StandIn) -> None:
    connection.execute("SET VARIABLE llm_accuracy = 0.9")
    connection.execute(f"{FILTER} AND i < 50").fetchall()
    assert service.count() == 50
    assert connection.execute("SELECT by_model, reason FROM ai_accuracy()").fetchall() == [
        (50, "there are fewer than 100 distinct inputs")
    ]


def test_cached_answers_are_the_models(connection: quackllm.Connection) -> None:
    connection.execute(FILTER).fetchall()
    connection.execute("SET VARIABLE llm_accuracy = 0.9")
    assert connection.execute(FILTER).fetchall() == [(ROWS // 2,)]
    assert connection.execute("SELECT inputs, by_model, reason FROM ai_accuracy()").fetchall() == [
        (ROWS, ROWS, "every answer was cached")
    ]


def test_an_estimate_is_an_upper_limit(connection: quackllm.Connection, service: StandIn) -> None:
    connection.execute("SET VARIABLE llm_accuracy = 0.9")
    (found,) = quackllm.estimate(connection, "SELECT ai_filter(body, 'is praise') FROM review")
    assert (found.calls, found.at_most) == (ROWS, True)
    assert service.count() == 0


def test_a_statement_that_is_not_planned_gets_the_models_answers(
    connection: quackllm.Connection, service: StandIn
) -> None:
    connection.execute("SET VARIABLE llm_accuracy = 0.9; SET VARIABLE llm_prefetch = 'off'")
    assert connection.execute(FILTER).fetchall() == [(ROWS // 2,)]
    assert service.count() == ROWS
    assert connection.execute("FROM ai_accuracy()").fetchall() == []


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


CRITERIA = "'are of opposite sentiment', accuracy := 0.9, model := 'judging'"
PAIRS = (
    f"SELECT l.i, r.i FROM review l JOIN review r ON l.i < r.i AND ai_match(l.body, r.body, {CRITERIA}) WHERE r.i < 60"
)


def test_a_join_is_labels_of_both_sides(connection: quackllm.Connection, judge: type[JudgeEngine]) -> None:
    rows = connection.execute(PAIRS).fetchall()
    right = {(left, other) for left in range(60) for other in range(left + 1, 60) if (left + other) % 2}
    assert set(rows) == right
    assert len(judge.tasks) < 60 + 60  # A plan, 60 values, and a sample of the 1,770 pairs.
    assert "labels of both sides: good, bad" in str(connection.execute("SELECT reason FROM ai_accuracy()").fetchone())
    sent = len(judge.tasks)
    assert set(connection.execute(PAIRS).fetchall()) == right
    assert len(judge.tasks) == sent


def test_a_join_is_a_choice_where_one_side_has_few_values(
    connection: quackllm.Connection, judge: type[JudgeEngine]
) -> None:
    rows = connection.execute(
        "SELECT i, day FROM review "
        "JOIN (VALUES ('a wonderful day'), ('a terrible day'), ('a day'), ('no day')) t (day) "
        f"ON ai_match(body, day, {CRITERIA})"
    ).fetchall()
    opposite = {(i, "a terrible day" if i % 2 == 0 else "a wonderful day") for i in range(ROWS)}
    neutral = {(i, day) for i in range(0, ROWS, 2) for day in ("a day", "no day")}
    errors = len(set(rows) ^ (opposite | neutral))
    assert errors <= 0.1 * 4 * ROWS or len(judge.tasks) >= 4 * ROWS
    assert any("Choose every" in task for task in judge.tasks)


def test_a_join_that_no_labels_decide_is_no_guess(
    connection: quackllm.Connection, judge: type[JudgeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "plan", NO_PLAN)
    connection.execute("SET VARIABLE llm_proxy = 'off'")
    rows = connection.execute(PAIRS.replace("< 60", "< 30")).fetchall()
    assert set(rows) == {(left, other) for left in range(30) for other in range(left + 1, 30) if (left + other) % 2}
    assert len(judge.tasks) == 1 + 30 * 29 // 2
