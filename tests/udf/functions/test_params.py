"""Conversations are values: what a model receives after k turns, and what is stored."""

from __future__ import annotations

import duckdb
import pytest

import quackllm
from standin.fixtures import StandIn

TURNS = ["我是威廉，请记住我是谁。", "two", "three", "four", "请问我叫什么名字"]


@pytest.fixture(params=["openai", "dashscope"])
def chat(request: pytest.FixtureRequest, service: StandIn) -> quackllm.Connection:
    params = service.openai_params() if request.param == "openai" else service.dashscope_params()
    quackllm.deploy("kimi_chat", request.param, infer_params=params)
    return quackllm.connect()


def messages_of(body: dict) -> list[dict]:
    return body["messages"] if "messages" in body else body["input"]["messages"]


@pytest.mark.parametrize("turns", [1, 2, 5])
def test_the_service_receives_the_system_message_once_and_the_turns_in_order(chat, service: StandIn, turns: int):
    chat.execute(
        "CREATE TABLE turn1 AS SELECT kimi_chat(llm_param({'instruction': ?, 'system': 'Be brief.'})) AS response",
        [TURNS[0]],
    )
    for number in range(2, turns + 1):
        chat.execute(
            f"CREATE TABLE turn{number} AS SELECT kimi_chat(llm_stack(response, ?)) AS response FROM turn{number - 1}",
            [TURNS[number - 1]],
        )
    last = messages_of(service.requests()[-1]["body"])
    assert [message["content"] for message in last if message["role"] == "system"] == ["Be brief."]
    assert last[0]["role"] == "system"
    assert [message["content"] for message in last if message["role"] == "user"] == TURNS[:turns]
    assert [message["role"] for message in last[1:]] == ["user", "assistant"] * (turns - 1) + ["user"]
    assert service.count() == turns


def test_byzer_quickstart_section_3_runs_and_the_model_knows_the_name(chat):
    chat.execute("""
        CREATE TABLE table1 AS SELECT
        kimi_chat(llm_param(MAP{
                      'instruction': '我是威廉，请记住我是谁。'
        })) AS response;
    """)
    chat.execute("""
        CREATE TABLE table2 AS SELECT
        kimi_chat(llm_stack(response, llm_param(MAP{
                      'instruction': '请问我是谁？'
        }))) AS response FROM table1;
    """)
    ((answer,),) = chat.execute("SELECT llm_result(response) AS result FROM table2").fetchall()
    assert "威廉" in answer


def test_a_new_system_message_replaces_the_old_one(chat, service: StandIn):
    chat.execute("CREATE TABLE one AS SELECT kimi_chat(llm_param({'instruction': 'a', 'system': 'old'})) AS r")
    chat.execute("SELECT kimi_chat(llm_stack(r, llm_param({'instruction': 'b', 'system': 'new'}))) FROM one").fetchall()
    last = messages_of(service.requests()[-1]["body"])
    assert (last[0]["role"], last[0]["content"]) == ("system", "new")
    assert sum(m["role"] == "system" for m in last) == 1


def test_after_a_failed_turn_the_history_is_the_last_good_one(chat, service: StandIn):
    chat.execute("CREATE TABLE one AS SELECT kimi_chat('good') AS r")
    service.script([{"fault": "bad_request", "marker": "poison"}])
    with pytest.warns(UserWarning, match="1 × "):
        chat.execute("CREATE TABLE two AS SELECT kimi_chat(llm_stack(r, 'poison')) AS r FROM one")
    chat.execute("SELECT kimi_chat(llm_stack(r, 'after')) FROM two").fetchall()
    last = messages_of(service.requests()[-1]["body"])
    assert [m["content"] for m in last if m["role"] == "user"] == ["good", "after"]


def test_history_may_be_a_list_or_a_json_text(chat, service: StandIn):
    history = "[{'role': 'user', 'content': 'x'}, {'role': 'assistant', 'content': 'y'}]"
    chat.execute(f"SELECT kimi_chat(llm_param({{'instruction': 'z', 'history': {history}}}))").fetchall()
    text = """[{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]"""
    chat.execute("SELECT kimi_chat(llm_param(MAP{'instruction': 'z', 'history': ?}))", [text]).fetchall()
    assert service.count() == 1, "both say the same, so it is one request"
    assert [m["content"] for m in messages_of(service.requests()[0]["body"])] == ["x", "y", "z"]


def test_conversations_branch(chat, service: StandIn):
    chat.execute("CREATE TABLE q0 AS SELECT kimi_chat('root') AS q")
    chat.execute("CREATE TABLE q1 AS SELECT kimi_chat(llm_stack(q, 'left')) AS q FROM q0")
    chat.execute("CREATE TABLE q2 AS SELECT kimi_chat(llm_stack(q, 'right')) AS q FROM q0")
    asked = [[m["content"] for m in messages_of(r["body"]) if m["role"] == "user"] for r in service.requests()]
    assert asked == [["root"], ["root", "left"], ["root", "right"]]


def test_a_null_response_starts_a_conversation(chat):
    ((request,),) = chat.execute("SELECT llm_stack(NULL, 'hello')").fetchall()
    assert request["messages"] == [{"role": "user", "content": "hello", "images": []}]


def test_a_plain_duckdb_opens_the_file_and_reads_the_stored_answers(service: StandIn, tmp_path):
    quackllm.deploy("kimi_chat", "openai", infer_params=service.openai_params())
    path = tmp_path / "talk.duckdb"
    with quackllm.connect(path) as ours:
        ours.execute("CREATE TABLE talk AS SELECT kimi_chat('hello') AS response, llm_param({'instruction': 'x'}) AS p")
    with duckdb.connect(str(path), read_only=True) as plain:
        assert plain.execute("SELECT response.output, p.messages[1].content FROM talk").fetchall() == [
            ("answer to: hello", "x")
        ]
        named = plain.execute("SELECT function_name FROM duckdb_functions() WHERE NOT internal").fetchall()
        tables = plain.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    assert (named, tables) == ([], [("talk",)])


def test_a_read_only_file_works_and_continues_the_conversation(service: StandIn, tmp_path):
    quackllm.deploy("kimi_chat", "openai", infer_params=service.openai_params())
    path = tmp_path / "talk.duckdb"
    with quackllm.connect(path) as ours:
        ours.execute("CREATE TABLE talk AS SELECT kimi_chat('我叫小明') AS response")
    with quackllm.connect(path, read_only=True) as later:
        text = "SELECT llm_result(kimi_chat(llm_stack(response, '我叫什么名字'))) FROM talk"
        ((answer,),) = later.execute(text).fetchall()
    assert "小明" in answer
