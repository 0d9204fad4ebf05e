"""N rows with D distinct requests make D calls, and reading again makes none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import pytest
from quackllm.workers.deployments.models_yaml import save_model
from quackllm.workers.deployments.spec import make_spec
from quackllm.workers.engines.echo import EchoEngine
from quackllm.workers.messages import Request, Response

import quackllm
from standin.fixtures import StandIn

ROWS_37 = "SELECT 'p' || (i % 37) AS prompt FROM range(5000) t(i)"


@pytest.fixture
def connection(service: StandIn) -> quackllm.Connection:
    quackllm.deploy("chat", "openai", infer_params=service.openai_params())
    return quackllm.connect()


def in_another_process(statement: str) -> subprocess.Popen[str]:
    program = f"import quackllm; print(len(quackllm.connect().execute({statement!r}).fetchall()))"
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=os.environ.copy())


def test_5000_rows_with_37_distinct_requests_make_37_calls_and_later_none(connection, service: StandIn):
    statement = f"SELECT llm_result(chat(prompt)) FROM ({ROWS_37})"
    rows = connection.execute(statement).fetchall()
    assert len(rows) == 5000
    assert {row for (row,) in rows} == {f"answer to: p{i}" for i in range(37)}
    assert service.count() == 37
    connection.execute(statement).fetchall()
    assert in_another_process(statement).communicate()[0].strip() == "5000"
    assert service.count() == 37


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT chat(prompt), llm_result(chat(prompt)) FROM ({rows})",
        "SELECT llm_result(chat(prompt)) AS a FROM ({rows}) WHERE llm_result(chat(prompt)) LIKE 'answer%' ORDER BY a",
        "SELECT DISTINCT llm_result(chat(prompt)) FROM ({rows})",
        "EXPLAIN ANALYZE SELECT chat(prompt) FROM ({rows})",
        "CREATE TABLE kept AS SELECT chat(prompt) FROM ({rows})",
    ],
)
def test_no_spelling_of_the_statement_asks_twice(connection, service: StandIn, statement: str):
    connection.execute(statement.format(rows=ROWS_37)).fetchall()
    assert service.count() == 37


def test_explain_and_prepare_of_a_constant_make_one_call_at_most(connection, service: StandIn):
    connection.execute("EXPLAIN SELECT llm_result(chat('constant'))").fetchall()
    connection.execute("PREPARE asked AS SELECT llm_result(chat('constant'))")
    connection.execute("EXECUTE asked").fetchall()
    connection.execute("EXECUTE asked").fetchall()
    assert service.count() <= 1


def test_a_relation_read_many_times_asks_once(connection, service: StandIn):
    relation = connection.sql(f"SELECT llm_result(chat(prompt)) AS a FROM ({ROWS_37})")
    assert len(relation.fetchall()) == len(relation.fetchall()) == 5000
    repr(relation)
    assert service.count() == 37


def test_two_threads_and_two_connections_at_once_ask_once(connection, service: StandIn):
    service.script([{"fault": "slow", "seconds": 0.2}])
    statement = f"SELECT llm_result(chat(prompt)) FROM ({ROWS_37})"
    other = quackllm.connect()
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda c=c: counts.append(len(c.execute(statement).fetchall())))
        for c in (connection, connection.cursor(), other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [5000] * 3
    assert service.count() == 37


def test_two_processes_at_once_ask_once(connection, service: StandIn):
    service.script([{"fault": "slow", "seconds": 0.5}])
    statement = f"SELECT llm_result(chat(prompt)) FROM ({ROWS_37})"
    processes = [in_another_process(statement) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in processes] == ["5000", "5000"]
    assert service.count() == 37


def test_one_poisoned_row_of_1000_is_one_error_with_the_services_own_words(connection, service: StandIn):
    service.script(
        [{"fault": "bad_request", "marker": "poison", "code": "content_too_odd", "message": "No, thank you."}]
    )
    rows = "SELECT CASE i WHEN 500 THEN 'poison' ELSE 'row ' || i END AS prompt FROM range(1000) t(i)"
    with pytest.warns(UserWarning, match="1 request got no complete answer: 1 × content_too_odd"):
        answers = connection.execute(f"SELECT chat(prompt) FROM ({rows})").fetchall()
    failed = [answer for (answer,) in answers if answer["error"]]
    assert len(answers) - len(failed) == 999
    assert all(answer["output"] for (answer,) in answers if not answer["error"])
    assert [(a["error"]["code"], a["error"]["message"], a["finish_reason"]) for a in failed] == [
        ("content_too_odd", "No, thank you.", "error")
    ]
    assert failed[0]["output"] is None


def test_a_failure_is_asked_again_by_the_next_statement_only(connection, service: StandIn):
    service.script([{"fault": "bad_request", "marker": "poison"}])
    for _ in range(2):
        with pytest.warns(UserWarning, match="no complete answer"):
            connection.execute("SELECT chat(p), chat(p) FROM (VALUES ('poison'), ('poison')) t(p)").fetchall()
    assert service.count() == 2


def test_a_draw_asks_for_another_answer(connection, service: StandIn):
    for draw in (0, 1, 2, 0, 1, 2):
        connection.execute(f"SELECT chat(llm_param({{'instruction': 'same', 'draw': {draw}}}))").fetchall()
    assert service.count() == 3


def test_the_store_can_be_refreshed_and_switched_off(connection, service: StandIn):
    ask = "SELECT chat('p' || (i % 3)) FROM range(100) t(i)"
    connection.execute(ask).fetchall()
    connection.execute("SET VARIABLE llm_store = 'refresh'")
    connection.execute(ask).fetchall()
    assert service.count() == 6
    connection.execute("SET VARIABLE llm_store = 'off'")
    connection.execute(ask).fetchall()
    assert service.count() == 9, "asked again, but each distinct request once"
    connection.execute("SET VARIABLE llm_store = 'on'")
    connection.execute(ask).fetchall()
    assert service.count() == 9
    with pytest.raises(quackllm.QuackLLMError, match="SET VARIABLE llm_store"):
        connection.execute("SET VARIABLE llm_store = 'of'; SELECT chat('x')")


def test_forgotten_answers_are_asked_again(connection, service: StandIn):
    connection.execute("SELECT chat('p' || i) FROM range(5) t(i)").fetchall()
    assert connection.execute("SELECT llm_forget(model := 'chat')").fetchall() == [(5,)]
    connection.execute("SELECT chat('p' || i) FROM range(5) t(i)").fetchall()
    assert service.count() == 10


def test_what_was_asked_and_spent_is_a_table(connection):
    connection.execute("SELECT chat('p' || i) FROM range(5) t(i)").fetchall()
    usage = connection.execute("SELECT model, calls, failed, input_tokens > 0, output_tokens > 0 FROM llm_usage()")
    assert usage.fetchall() == [("chat", 5, 0, True, True)]
    prompts = connection.execute("SELECT prompt FROM llm_calls() ORDER BY id").fetchall()
    assert prompts == [(f"p{i}",) for i in range(5)]
    paged = connection.execute("SELECT count(*) FROM llm_calls(max_calls := 2)").fetchall()
    assert paged == [(2,)]


def test_kill_9_in_the_middle_loses_no_more_than_what_was_in_flight(service: StandIn):
    params = service.openai_params()
    quackllm.deploy("chat", "openai", worker_concurrency=32, infer_params=params)
    service.script([{"fault": "slow", "seconds": 0.2}])  # Slow beside a disk: what waits for a commit is few.
    statement = "SELECT llm_result(chat('row ' || i)) FROM range(800) t(i)"
    with in_another_process(statement) as first:
        while service.count() < 400:
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
    asked_before = service.count()
    assert in_another_process(statement).communicate()[0].split()[-1] == "800"
    asked_after = service.count() - asked_before
    in_flight = 32 * 2
    assert asked_after <= 800 - asked_before + in_flight


def test_ctrl_c_answers_within_a_second_and_loses_nothing(service: StandIn):
    quackllm.deploy("chat", "openai", worker_concurrency=16, infer_params=service.openai_params())
    service.script([{"fault": "slow", "seconds": 0.1}])
    program = """
import json, quackllm, signal, time
connection = quackllm.connect()
connection.execute("CREATE TABLE t AS SELECT 'row ' || i AS p FROM range(300000) t(i)")
print("ready", flush=True)
try:
    connection.execute("SELECT llm_result(chat(p)) FROM t").fetchall()
except KeyboardInterrupt:
    stopped = time.time()
time.sleep(1)
print(json.dumps({"stopped": stopped, "kept": connection.execute("SELECT sum(calls) FROM llm_usage()").fetchone()[0]}))
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ.copy()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        while service.count() < 100:
            time.sleep(0.02)
        pressed = time.time()
        process.send_signal(signal.SIGINT)
        told = json.loads(process.stdout.read().splitlines()[-1])
    assert told["stopped"] - pressed < 1.0
    assert told["kept"] == service.count(), "what was in flight landed in the store"


def test_nothing_is_said_when_nothing_failed(connection):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        connection.execute("SELECT chat('fine')").fetchall()


class BrokenEngine(EchoEngine):
    """An engine with a mistake in it."""

    chat_batch = 1

    async def answer(self, request: Request) -> Response:
        raise {"time": TimeoutError}.get(request.messages[-1].content, ZeroDivisionError)("a mistake in the engine")


class HalfEngine(EchoEngine):
    """An engine with a mistake in its class."""

    concurrency = "many"


def test_what_an_engine_raises_is_the_rows_error_and_leaves_nobody_waiting(install_engine) -> None:
    install_engine("broken", BrokenEngine)
    save_model(make_spec(name="chat", type="broken"))
    with pytest.warns(UserWarning, match="1 × engine_error"):
        found = (
            quackllm.connect().execute("SELECT r.error.code, r.error.message FROM (SELECT chat('x') AS r)").fetchone()
        )
    code, message = found or (None, "")
    assert code == "engine_error"
    assert "a mistake in the engine" in message


def test_a_mistake_in_an_engines_class_stops_the_statement(install_engine) -> None:
    install_engine("broken", HalfEngine)
    save_model(make_spec(name="chat", type="broken"))
    with pytest.raises(Exception, match="'str'") as caught:
        quackllm.connect().execute("SELECT chat('x')").fetchall()
    assert "TypeError" in type(caught.value).__name__ + str(caught.value)


def test_a_time_limit_in_an_engine_is_a_rows_error_and_no_endless_wait(install_engine):
    install_engine("broken", BrokenEngine)
    save_model(make_spec(name="chat", type="broken", infer_params={"limits.max_attempts": 1}))
    with pytest.warns(UserWarning, match="1 × timeout"):
        quackllm.connect().execute("SELECT chat('time')").fetchall()
