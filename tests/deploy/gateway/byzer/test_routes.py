"""`POST /model/predict`: the form that the Byzer quick start posts, what it may call, and what it may not reach."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import psutil
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quackllm.deploy.gateway.auth.api_keys import add_key
from quackllm.deploy.gateway.byzer.select_list import Rewriting, computes_little

from quackllm import deploy
from standin.fixtures import StandIn
from support.gateway_in_process import FORM, client


@pytest.fixture
def echo() -> TestClient:
    deploy("qianwen_chat", "echo")
    return client()


def posted(gateway: TestClient, data: Any, status: int = 200, **form: str) -> Any:
    reply = gateway.post("/model/predict", data={**FORM, "data": json.dumps(data, ensure_ascii=False), **form})
    assert reply.status_code == status, reply.text
    return reply.json() if status == 200 else reply.text


def outputs(rows: Any) -> list[str]:
    return [json.loads(text)["output"].removeprefix("echo: ") for row in rows for text in row["value"]]


def test_the_form_of_byzer_s_quick_start_is_answered_as_byzer_does(echo: TestClient) -> None:
    reply = posted(echo, [{"instruction": "你好"}])
    t2 = json.loads(reply[0]["value"][0])
    assert t2["output"] == "echo: 你好"
    assert t2["input"]["instruction"] == "你好"
    assert t2["history"] == [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "echo: 你好"}]
    assert {"input_tokens_count", "generated_tokens_count", "time_cost", "request_id"} <= t2["metadata"].keys()
    assert "error" not in t2


def test_each_row_and_each_element_of_an_array_is_answered_in_order(echo: TestClient) -> None:
    rows = posted(echo, ["a", {"instruction": "b", "temperature": 0.5, "max_length": 9}, "c"])
    assert outputs(rows) == ["a", "b", "c"]
    assert json.loads(rows[1]["value"][0])["input"] == {
        "instruction": "b", "history": [], "temperature": 0.5, "max_length": 9,
    }  # fmt: skip
    rows = posted(echo, ["a"], sql='select qianwen_chat(array(feature, "two")) as value, upper(feature) as loud')
    assert outputs(rows) == ["a", "two"]
    assert rows[0]["loud"] == "A"
    assert posted(echo, []) == []


def test_a_select_list_of_many_items_is_planned_in_the_sandbox_and_not_in_the_gateway() -> None:
    plain = "select m(array(feature)) as value"
    for items, is_little in ((3, True), (600, False)):
        sql = Rewriting({"m"}, ()).rewritten(plain + ", 1" * items)
        assert computes_little(sql, {"m"}) == is_little


@pytest.mark.parametrize("as_text", [False, True])
def test_a_history_goes_to_the_model_as_a_list_or_as_json(echo: TestClient, as_text: bool) -> None:
    history: Any = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
    rows = posted(echo, [{"instruction": "b", "history": json.dumps(history) if as_text else history}])
    answer = json.loads(rows[0]["value"][0])
    assert [turn["content"] for turn in answer["history"]] == ["x", "y", "b", "echo: b"]
    assert answer["input"]["history"] == history


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ('select llm_result(qianwen_chat(llm_param(map("instruction", feature)))) as value', "echo: hi"),
        ("select llm_response_predict(qianwen_chat(array(feature))) as value", "echo: hi"),
        ("select llm_result(llm_chat('qianwen_chat', feature)) as value", "echo: hi"),
        ("llm_result(qianwen_chat(llm_param({'instruction': concat(feature, '!')}))) as value;", "echo: hi!"),
        (
            "select llm_result(qianwen_chat(llm_stack("
            "qianwen_chat(array(feature)), llm_param(map('instruction', 'and?'))))) as value",
            "echo: and?",
        ),
        ("select length(feature) as value", 2),
    ],
)
def test_the_select_list_may_use_the_models_functions_in_byzer_s_or_duckdb_s_sql(
    echo: TestClient, sql: str, value: Any
) -> None:
    assert posted(echo, ["hi"], sql=sql) == [{"value": value}]


def test_every_value_is_written_as_duckdb_s_json(echo: TestClient) -> None:
    sql = """
        select DATE 'infinity' as a, 12345678901234567890.12::DECIMAL(38,2) as b, {'c': [INTERVAL 1 MONTH, NULL]} as c,
        'nan'::DOUBLE as d, '0101'::BIT as e, llm_result(qianwen_chat('0101'::BIT)) as f,
        qianwen_chat(TIME '24:00:00') as g
    """
    reply = echo.post("/model/predict", data={**FORM, "data": '["x"]', "sql": sql})
    assert reply.status_code == 200, reply.text
    (row,) = reply.json()
    assert "12345678901234567890.12" in reply.text
    assert (row["a"], row["c"], row["d"], row["e"]) == ("infinity", {"c": ["1 month", None]}, "NaN", "0101")
    assert row["f"] == "echo: 0101"
    assert json.loads(row["g"][0])["output"] == "echo: 24:00:00"


def test_rows_of_objects_are_columns(echo: TestClient) -> None:
    sql = "select llm_result(qianwen_chat(array(concat(k, n)))) as value, tags"
    rows = posted(echo, [{"k": "a", "n": 1, "tags": ["x"]}, {"k": "b", "n": 2}], sql=sql, dataType="row")
    assert rows == [{"value": "echo: a1", "tags": '["x"]'}, {"value": "echo: b2", "tags": None}]


@pytest.mark.parametrize(
    "sql",
    [
        "select read_text('/etc/passwd')",
        "select * from read_csv('/etc/passwd')",
        "select (select count(*) from '/etc/passwd')",
        "select (select 1 from read_csv('http://127.0.0.1/x'))",
        "select current_setting('home_directory')",
        "select getenv('HOME')",
        "select query('select 1')",
        "select (select value from duckdb_settings())",
        "select llm_forget()",
        "select (select count(*) from llm_calls())",
        "select quackllm_chat('qianwen_chat', feature, NULL, 1)",
        "select text2sql(feature)",
        "select llm_chat(feature)",
        "select llm_chat(feature, 'x')",
        "select 'qianwen_chat'.llm_chat(feature)",
        "select nextval('x')",
        "drop table data",
        "select 1; select 2",
        "select 1 from data",
        "select other_chat(array(feature))",
        "select qianwen_chat(",
        "select",
    ],
)
def test_nothing_but_the_data_and_the_models_is_reached(echo: TestClient, sql: str) -> None:
    words = posted(echo, ["x"], 400, sql=sql)
    assert "root:" not in words


def test_a_model_outside_the_key_s_list_is_refused_by_name_and_by_llm_chat(home: Path, echo: TestClient) -> None:
    deploy("secret_chat", "echo")
    key = add_key(home / "keys.yaml", "alice", models=["qianwen_chat"], max_calls=2)
    keyed = client()
    assert keyed.post("/model/predict", data={**FORM, "data": "[]"}).status_code == 401
    keyed.headers["Authorization"] = f"Bearer {key}"
    for sql in (
        "select secret_chat(array(feature))",
        "select llm_chat('secret_chat', feature)",
        "select llm_chat('echo', feature)",
    ):
        assert "may not call" in posted(keyed, ["x"], 403, sql=sql)
    assert outputs(posted(keyed, ["a", "b"])) == ["a", "b"]
    assert "insufficient_quota" in posted(keyed, ["c"], 429)


def test_a_row_that_fails_is_told_and_the_others_are_answered(service: StandIn) -> None:
    deploy("qianwen_chat", "saas/openai", infer_params=service.openai_params())
    service.script([{"fault": "refused_content", "marker": "bad"}])
    rows = posted(client(), ["good", "bad"])
    good, bad = (json.loads(row["value"][0]) for row in rows)
    assert good["output"]
    assert bad["error"]["code"] == "content_filter"


def test_where_every_row_fails_the_status_says_so_in_the_provider_s_words(service: StandIn) -> None:
    deploy("qianwen_chat", "saas/openai", infer_params=service.openai_params(limits__max_attempts=1))
    service.script([{"fault": "bad_request"}])
    assert "The request cannot be read." in posted(client(), ["x"], 400)
    service.script([{"fault": "wrong_key"}])
    assert "Incorrect API key" in posted(client(), ["y"], 502)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"data": "nonsense"}, "not JSON"),
        ({"data": "{}"}, "JSON array"),
        ({"data": "[1]", "dataType": "row"}, "array of objects"),
        ({"data": "[]", "dataType": "vector"}, "dataType"),
        ({"data": '[{"a": 1}, {"a": "x"}]', "dataType": "row"}, "one type"),
        ({"data": '[{"a": 1, "A": 2}]', "dataType": "row"}, "one column"),
        ({"data": '[{"instruktion": "x"}]'}, "instruction"),
        ({"data": '[{"instruction": "x", "temperatur": 1}]'}, "temperature"),
        ({"sql": ""}, "sql"),
    ],
)
def test_a_form_that_cannot_be_read_says_what_is_wrong_in_plain_words(
    echo: TestClient, form: dict[str, str], words: str
) -> None:
    reply = echo.post("/model/predict", data={**FORM, "data": "[]", **form})
    assert reply.status_code == 400
    assert reply.headers["content-type"].startswith("text/plain")
    assert words in reply.text


ELEMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["instruction", "history", "x", ""]) | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
SQLS = st.sampled_from(
    [
        "select qianwen_chat(array(feature)) as value",
        "select *",
        "select feature",
        "select x",
        "select qianwen_chat(x)",
        "select []",
    ]
) | st.text(max_size=30).map(lambda text: f"select {text}")


@given(SQLS | st.text(max_size=30), st.lists(ELEMENTS, max_size=4), st.sampled_from(["string", "row", "vector", "row"]))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_form_is_the_server_s_fault(echo: TestClient, sql: str, data: list[Any], kind: str) -> None:
    reply = echo.post("/model/predict", data={"sql": sql, "data": json.dumps(data), "dataType": kind})
    assert reply.status_code < 500, reply.text


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select len(list_transform(range(1000000), lambda x: repeat('x', 1000000)))", "memory"),
        ("select levenshtein(repeat('a', 100000), repeat('b', 100000))", "longer"),
        ("select repeat(feature, 100000000)", "memory|too large"),
        ("select (select count(*) from range(100000) a, range(100000) b, range(100000) c)", "longer"),
        ("select (with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r)", "longer"),
    ],
)
def test_a_select_list_that_takes_too_much_is_ended_and_the_next_one_is_answered(sql: str, words: str) -> None:
    deploy("qianwen_chat", "echo")
    gateway = client(statement_seconds=1.0, statement_megabytes=256)
    before = psutil.Process().memory_info().rss
    reply = posted(gateway, ["abc"], 400, sql=sql)
    assert re.search(words, reply)
    assert psutil.Process().memory_info().rss - before < 300 << 20
    assert outputs(posted(gateway, ["next"])) == ["next"]


def test_the_models_time_is_not_the_select_list_s(service: StandIn) -> None:
    deploy("qianwen_chat", "saas/openai", infer_params=service.openai_params())
    service.script([{"fault": "slow", "seconds": 5}])
    gateway = client(statement_seconds=4.0)
    sql = "select llm_result(qianwen_chat(array(concat(feature, '!')))) as value"
    assert posted(gateway, ["hi"], sql=sql)[0]["value"]
