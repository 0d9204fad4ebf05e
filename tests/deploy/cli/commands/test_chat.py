"""`quackllm chat`: one question, what is piped in, and a conversation."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from quackllm.deploy.cli.main import app
from typer.testing import CliRunner, Result

import quackllm
from standin.fixtures import StandIn
from support.terminal import CTRL_C, CTRL_D, ENTER, SECONDS, Terminal


def chat(*words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, ["chat", *words], input=typed)


@pytest.fixture
def model(service: StandIn) -> str:
    quackllm.deploy("qianwen_chat", "openai", infer_params=service.openai_params())
    return "qianwen_chat"


def test_one_question(model: str) -> None:
    result = chat(model, "hello")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "answer to: hello\n", "")


def test_words_need_no_quotes_and_flags_stay_flags(model: str, service: StandIn) -> None:
    assert chat(model, "hello", "there", "-o", "temperature=0.7", "max_tokens=9", "--system", "be brief").exit_code == 0
    body = service.requests()[-1]["body"]
    assert [message["content"] for message in body["messages"]] == ["be brief", "hello there"]
    assert (body["temperature"], body["max_tokens"]) == (0.7, 9)


def test_what_is_piped_in_is_the_question(model: str, service: StandIn) -> None:
    chat(model, typed="from a pipe\n")
    chat(model, "Summarise:", "-", typed="the text\n")
    assert service.prompts()[-2:] == ["from a pipe", "Summarise:\n\nthe text"]


def test_the_same_question_is_not_asked_twice_unless_anew(model: str, service: StandIn) -> None:
    for words in ([], [], ["--store", "refresh"], ["--store", "off"]):
        assert chat(model, "hello", *words).stdout == "answer to: hello\n"
    assert service.count() == 3


def test_json_has_the_fields_that_sql_has(model: str) -> None:
    found = json.loads(chat(model, "hello", "--json").stdout)
    with quackllm.connect() as connection:
        ((response,),) = connection.execute("SELECT qianwen_chat('hello')").fetchall()
    assert list(found) == list(response)
    assert (found["output"], found["model"], found["error"]) == ("answer to: hello", model, None)
    assert [turn["role"] for turn in found["history"]] == ["user", "assistant"]


def test_an_answer_that_is_not_whole_ends_with_exit_code_1(model: str, service: StandIn) -> None:
    chat(model, "first")
    service.script([{"fault": "refused_content", "times": 2}])
    plain, as_json = chat(model, "hello"), chat(model, "hello", "--json")
    assert (plain.exit_code, as_json.exit_code) == (1, 1)
    assert "filter" in plain.stderr
    assert json.loads(as_json.stdout)["error"]["code"]


def test_without_a_name_the_only_model_answers(model: str) -> None:
    assert chat(typed="hello").stdout == "answer to: hello\n"


def test_errors_say_what_to_type(model: str) -> None:
    unknown = chat("qianwen_chap", "hello")
    assert (unknown.exit_code, "'qianwen_chat'" in unknown.stderr) == (1, True)
    option = chat(model, "hello", "-o", "temprature=1")
    assert (option.exit_code, "did you mean 'temperature'" in option.stderr) == (1, True)


def test_a_conversation_goes_on_and_begins_anew(model: str, service: StandIn, home: Path) -> None:
    terminal = Terminal("chat", model, prompt=">")
    assert "forget the conversation" in terminal.enter("/help")
    terminal.enter("/system be brief")
    assert "answer to: 我是祝威廉" in terminal.enter("我是祝威廉")
    terminal.type("第一\\" + ENTER)
    assert "answer to: 第一" in terminal.enter("第二")
    terminal.enter("/new")
    assert "answer to: hello" in terminal.enter("hello")
    terminal.type(CTRL_D)
    assert terminal.wait_for_end() == 0
    conversations = [[turn["content"] for turn in request["body"]["messages"]] for request in service.requests()]
    first, second, third = conversations
    assert first == ["be brief", "我是祝威廉"]
    assert second[:2] == first
    assert second[-1] == "第一\n第二"
    assert third == ["be brief", "hello"]
    assert (home / "chat_history").stat().st_mode & 0o077 == 0


def test_a_conversation_can_change_its_model(model: str, service: StandIn) -> None:
    quackllm.deploy("parrot", "echo")
    terminal = Terminal("chat", model, prompt=">")
    assert "qianwen_chat answers" in terminal.enter("/model")
    terminal.enter("/model parrot")
    assert "echo: hello" in terminal.enter("hello")
    assert "no model is called 'parro'" in terminal.enter("/model parro")
    assert "echo: again" in terminal.enter("again")
    assert "there is no command /modle" in terminal.enter("/modle x")
    assert service.count() == 0
    terminal.type(CTRL_D)
    assert terminal.wait_for_end() == 0


def test_ctrl_c_stops_an_answer_and_not_the_conversation(model: str, service: StandIn) -> None:
    service.script([{"fault": "hang", "times": 1}])
    terminal = Terminal("chat", model, prompt=">")
    terminal.type("hello" + ENTER)
    deadline = time.monotonic() + SECONDS
    while not service.count() and time.monotonic() < deadline:
        time.sleep(0.02)
    terminal.type(CTRL_C)
    terminal.wait_for("stopped")
    assert "answer to: again" in terminal.enter("again")
    terminal.type("/quit" + ENTER)
    assert terminal.wait_for_end() == 0
