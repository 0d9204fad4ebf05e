"""Bad input is a clear error that says what to type, or a row's `error`."""

from __future__ import annotations

import subprocess
import sys

import pytest
from quackllm.workers.errors import RequestError, SetupError, UnknownModelError

import quackllm
from standin.fixtures import StandIn


@pytest.fixture
def connection(service: StandIn) -> quackllm.Connection:
    quackllm.deploy("chat", "openai", infer_params=service.openai_params())
    return quackllm.connect()


def test_null_gives_null_and_no_call(connection, service: StandIn):
    statement = (
        "SELECT chat(NULL), chat(NULL::VARCHAR), chat(llm_param({'instruction': NULL})), llm_embed('chat', NULL)"
    )
    assert connection.execute(statement).fetchall() == [(None, None, None, None)]
    assert connection.execute("SELECT llm_result(NULL), llm_stack(NULL, NULL)").fetchall() == [(None, None)]
    assert service.count() == 0


@pytest.mark.parametrize("prompt", ["", "   ", "\n"])
def test_an_empty_prompt_is_the_rows_error_and_no_call(connection, service: StandIn, prompt: str):
    with pytest.warns(UserWarning, match="1 × empty_prompt"):
        ((error,),) = connection.execute("SELECT (chat(?)).error", [prompt]).fetchall()
    assert error["code"] == "empty_prompt"
    assert service.count() == 0


def test_a_prompt_of_a_megabyte_arrives_whole(connection, service: StandIn):
    prompt = "字" * 400_000
    connection.execute("SELECT chat(?)", [prompt]).fetchall()
    assert service.prompts() == [prompt]


def test_a_prompt_beyond_the_context_is_the_rows_error(connection, service: StandIn):
    service.script([{"fault": "context", "marker": "too long"}])
    with pytest.warns(UserWarning, match="no complete answer"):
        ((long, short),) = connection.execute("SELECT chat('far too long'), llm_result(chat('fine'))").fetchall()
    assert "context" in (long["error"]["code"] + long["error"]["message"])
    assert short == "answer to: fine"


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("SELECT llm_param('x')", "llm_param takes a STRUCT or a MAP"),
        ("SELECT llm_param({'temperature': 1})", "no instruction"),
        ("SELECT llm_param({'instruction': 'x', 'temprature': 1})", "did you mean 'temperature'"),
        ("SELECT llm_param({'instruction': 'x', 'temperature': 'hot'})", "temperature"),
        ("SELECT llm_param({'instruction': 'x', 'temperature': 9})", "temperature"),
        ("SELECT llm_param(MAP{'instruction': 'x', 'max_tokens': 'many'})", "max_tokens"),
        ("SELECT llm_param({'instruction': 'x', 'history': 'not json'})", "history is not JSON"),
        ("SELECT llm_param({'instruction': 'x', 'history': [{'role': 'robot', 'content': 'y'}]})", "robot"),
        ("SELECT llm_stack('x', 'y')", "continues a response"),
        ("SELECT llm_embed('chat', llm_param({'instruction': 'x'}))", "takes a text"),
        (
            "SELECT llm_chat('chat', {'messages': [{'role': 'user', 'content': 'x'}], 'options': '{\"oops\": 1}'})",
            "oops",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_type(connection, service: StandIn, statement: str, says: str):
    with pytest.raises(RequestError, match=says) as caught:
        connection.execute(statement).fetchall()
    assert caught.value.hint
    assert service.count() == 0


def test_byzers_map_of_texts_is_read_by_each_keys_type(connection, service: StandIn):
    connection.execute("""SELECT chat(llm_param(MAP{'instruction': 'x', 'temperature': '0.7', 'max_length': '99',
        'stopping_sequences': '["a", "b"]', 'gen.enable_search': 'true'}))""").fetchall()
    (body,) = [request["body"] for request in service.requests()]
    assert (body["temperature"], body["stop"]) == (0.7, ["a", "b"])
    assert 99 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    assert body["enable_search"] is True


def test_temperature_0_is_sent_unless_given(connection, service: StandIn):
    connection.execute("SELECT chat('x')").fetchall()
    assert service.requests()[0]["body"]["temperature"] == 0


def test_a_json_schema_is_passed_to_the_service(connection, service: StandIn):
    connection.execute("""SELECT chat(llm_param({'instruction': 'x', 'response_format':
        '{"type": "object", "properties": {"a": {"type": "integer"}}}'}))""").fetchall()
    sent = service.requests()[0]["body"]["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["schema"]["properties"] == {"a": {"type": "integer"}}


def test_a_missing_model_says_what_there_is(connection):
    with pytest.raises(UnknownModelError, match=r"'chatt'.*\n.*'chat'"):
        connection.execute("SELECT llm_chat('chatt', 'x')").fetchall()
    with pytest.raises(UnknownModelError, match="quackllm list"):
        quackllm.connect(model="nothing_like_it")


def test_several_models_and_no_default_are_listed(connection):
    quackllm.deploy("other", "echo")
    with pytest.raises(UnknownModelError, match="chat, other"):
        connection.execute("SELECT llm_chat('x')").fetchall()
    assert quackllm.connect(model="other").execute("SELECT llm_result(llm_chat('x'))").fetchall() == [("echo: x",)]


def test_without_any_model_the_echo_engine_answers_and_says_so():
    with pytest.warns(UserWarning, match="echo engine"):
        assert quackllm.connect().execute("SELECT llm_result(llm_chat('x'))").fetchall() == [("echo: x",)]


def test_a_missing_key_names_the_variable():
    with pytest.raises(SetupError, match=r"DASHSCOPE_API_KEY(.|\n)*export DASHSCOPE_API_KEY"):
        quackllm.deploy("qianwen_chat", "saas/qianwen")
    assert quackllm.models() == []


@pytest.mark.parametrize(
    ("deployment", "says"),
    [
        ({"type": "saas/qianwenn"}, "did you mean 'qianwen'"),
        ({"type": "nothing"}, "no type of model is called 'nothing'"),
        ({"type": "echo", "infer_params": {"delay": 1}}, "delay_seconds"),
        ({"type": "echo", "infer_params": {"limits.rpm": 1}}, "rpm"),
        ({"type": "echo", "num_workers": 0}, "num_workers"),
        ({"type": "custom/auto", "infer_params": {"model_path": "/nowhere/at/all"}}, "/nowhere/at/all"),
    ],
)
def test_a_deployment_that_cannot_be_is_refused_and_leaves_nothing(deployment: dict, says: str):
    with pytest.raises(quackllm.QuackLLMError, match=says):
        quackllm.deploy("chat", **deployment)
    assert quackllm.models() == []


@pytest.mark.parametrize("name", ["select", "lower", "Upper", "1st", "a-b", "llm_chat", "text2sql", ""])
def test_a_name_that_sql_or_we_use_is_refused(name: str):
    with pytest.raises(RequestError, match=r"name"):
        quackllm.deploy(name, "echo")


def test_a_service_that_is_not_there_is_said(service: StandIn):
    quackllm.deploy("chat", "openai", infer_params=service.openai_params() | {"saas.base_url": "http://127.0.0.1:9/v1"})
    with pytest.raises(SetupError, match=r"127\.0\.0\.1(.|\n)*is it running"):
        quackllm.connect().execute("SELECT chat('row ' || i) FROM range(100) t(i)").fetchall()


def test_a_home_that_cannot_be_made_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("QUACKLLM_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(SetupError, match="export QUACKLLM_HOME"):
        quackllm.connect()


def test_a_cluster_that_is_not_there_is_said():
    program = "import quackllm; quackllm.connect(cluster='auto')"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "SetupError: no Ray cluster answers at 'auto'" in told.stderr
    assert "ray start --head" in told.stderr
