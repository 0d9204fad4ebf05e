"""`POST /`, as Chat2DB's custom AI sends it: which model sees what, and that the reply is a bare JSON string."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quackllm.deploy.gateway.chat2db.parse_prompt import parse_prompt

from quackllm import deploy
from standin.fixtures import StandIn
from support.gateway_in_process import chat2db_prompt, client, configure

DDL = """\
CREATE TABLE `singer` (
  `id` int(11) NOT NULL,
  `name` varchar(30) COMMENT 'who, in full',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;"""


def told(body: dict[str, Any], status: int = 200, path: str = "/") -> str:
    reply = client().post(path, json=body)
    assert reply.status_code == status, reply.text
    text = reply.json()
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("field", ["prompt", "question"])
def test_the_built_in_model_answers_chat2db_with_sql_in_the_dialect_of_its_prompt(field: str) -> None:
    body = {field: chat2db_prompt("How many singers are there?"), "history": [], "max_length": 2048, "top_p": 0.7}
    assert told({**body, "temperature": 0.95}) == "SELECT COUNT(*) FROM `singer`;"
    postgres = chat2db_prompt("How many singers are there?", kind="POSTGRESQL")
    assert told({field: postgres}) == 'SELECT COUNT(*) FROM "singer";'


def test_newer_versions_of_chat2db_send_ddl() -> None:
    assert told({"prompt": chat2db_prompt("How many singers are there?", DDL)}) == "SELECT COUNT(*) FROM `singer`;"


def test_a_follow_up_question_continues_the_history() -> None:
    first = chat2db_prompt("Show the names of singers older than 30.")
    history = [[first, "SELECT `name` FROM `singer` WHERE `age` > 30;"]]
    assert "singer" in told({"prompt": chat2db_prompt("How many are there?"), "history": history})


def test_a_chat_model_gets_the_prompt_as_it_is_with_history_and_options(service: StandIn) -> None:
    deploy("chatty", "saas/openai", infer_params=service.openai_params())
    service.script([{"fault": "reply", "text": "好的：\n```sql\nSELECT 1\n```"}])
    prompt = chat2db_prompt("有多少歌手？")
    body = {"prompt": prompt, "history": [["你好", "你好！"]], "max_length": 77, "top_p": 0.5, "temperature": 0.25}
    assert told(body) == "好的：\n```sql\nSELECT 1\n```"
    (sent,) = service.requests()
    assert [message["content"] for message in sent["body"]["messages"]] == ["你好", "你好！", prompt]
    wanted = {"max_completion_tokens": 77, "top_p": 0.5, "temperature": 0.25}
    assert wanted.items() <= sent["body"].items()


def test_a_sqlcoder_model_is_asked_in_its_own_prompt_form(service: StandIn) -> None:
    deploy("sqlcoder", "saas/openai", infer_params=service.openai_params())
    service.script([{"fault": "reply", "text": "SELECT count(*) FROM singer;\n```"}])
    assert told({"prompt": chat2db_prompt("How many singers?", DDL)}) == "SELECT COUNT(*) FROM `singer`;"
    (prompt,) = service.prompts()
    assert prompt.startswith("### Task\nGenerate a SQL query to answer the following question:\n`How many singers?`")
    assert "CREATE TABLE singer" in prompt
    explain = chat2db_prompt("SELECT 1", task="解释SQL")
    service.script([{"fault": "reply", "text": "它返回 1。"}])
    assert told({"prompt": explain}) == "它返回 1。"
    assert service.prompts()[-1] == explain


def test_the_built_in_model_says_that_it_cannot_explain_sql() -> None:
    words = told({"prompt": chat2db_prompt("SELECT 1", task="解释SQL")}, 400)
    assert "only writes SQL" in words


def test_a_bare_question_is_asked_of_the_configured_database(home: Any) -> None:
    assert "no schema" in told({"prompt": "How many singers are there?"}, 400)
    configure(home, "concert_singer", "pets_1")
    assert "several databases" in told({"prompt": "How many singers are there?"}, 400)
    answer = told({"prompt": "How many singers are there?"}, path="/?database=concert_singer")
    assert answer == 'SELECT COUNT(*) FROM "singer";'


def test_the_model_can_be_named_in_the_address_that_chat2db_is_given(service: StandIn) -> None:
    deploy("one", "saas/openai", infer_params=service.openai_params())
    deploy("two", "echo")
    assert told({"prompt": "hello"}, path="/?model=two") == "echo: hello"
    assert "no model is called" in told({"prompt": "hello"}, 404, "/?model=thre")


def test_a_service_that_fails_is_a_bare_string_with_its_words(service: StandIn) -> None:
    deploy("chatty", "saas/openai", infer_params=service.openai_params(limits__max_attempts=1))
    service.script([{"fault": "bad_request"}])
    assert told({"prompt": "hello"}, 400) == "The request cannot be read."


@pytest.mark.parametrize(
    "body", [{}, {"prompt": ""}, {"prompt": 3}, {"prompt": "x", "history": [["one"]]}, {"prompt": "x", "top_p": 7}]
)
def test_a_body_that_holds_no_prompt_is_refused_in_a_bare_string(body: dict[str, Any]) -> None:
    assert told(body, 400)


def test_a_prompt_of_chat2db_is_taken_apart() -> None:
    read = parse_prompt(chat2db_prompt("有多少歌手？\n按年份"))
    assert (read.question, read.dialect, read.wants_sql) == ("有多少歌手？\n按年份", "mysql", True)
    assert "# Table: singer" in read.schema
    assert "concert.singer_id=singer.id" in read.schema
    converted = parse_prompt(chat2db_prompt("SELECT 1", task="进行SQL转换") + "\n#\n### 目标SQL类型: ORACLE")
    assert (converted.question, converted.wants_sql) == ("SELECT 1", False)
    assert parse_prompt(chat2db_prompt("x", kind="DM")).dialect is None
    assert parse_prompt("### 请根据以下SQL input将自然语言转换成SQL查询. \n#\n### SQL input: 多少").question == "多少"
    behind = parse_prompt(f"{DDL}\n\nHow many singers?")
    assert (behind.question, behind.schema) == ("How many singers?", DDL)


@given(
    st.text(max_size=200) | st.builds(chat2db_prompt, st.text(max_size=20), st.text(max_size=60), st.text(max_size=8))
)
@settings(max_examples=100)
def test_any_text_can_be_taken_apart(text: str) -> None:
    parse_prompt(text)


PROMPTS = st.text(max_size=60) | st.builds(
    chat2db_prompt,
    st.text(max_size=30),
    st.sampled_from(["a(b)", DDL, "(", "a(b, c)\n# d(b)"]),
    st.sampled_from(["MYSQL", "X"]),
)
VALUES = st.none() | st.integers() | st.floats() | st.text(max_size=10) | st.lists(st.text(max_size=5), max_size=3)
BODIES = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("prompt", "question"), PROMPTS | VALUES) | {
        "history": VALUES | st.lists(st.lists(st.text(max_size=9), max_size=3), max_size=2),
        "max_length": VALUES, "top_p": VALUES, "temperature": VALUES, "other": VALUES,
    },
)  # fmt: skip


@given(BODIES | VALUES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_of_chat2db_is_the_server_s_fault(built_in: TestClient, body: Any) -> None:
    reply = built_in.post("/", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert reply.status_code < 500, reply.text
    assert isinstance(reply.json(), str)


@pytest.fixture
def built_in() -> TestClient:
    return client()
