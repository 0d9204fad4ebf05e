"""What cannot be done is one panel, never a traceback, and nothing that is written becomes SQL."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import quackllm
from standin.fixtures import StandIn

NASTY = """it's "quoted" '''thrice''' \"\"\"and\"\"\" \\n $HOME {x} {{ }} %d 🦆👩‍👩‍👧 祝威廉 ; DROP TABLE q1; --"""


@pytest.mark.usefixtures("chat_model")
@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("%chat --model nobody hello", "no model is called 'nobody'"),
        ("%chat --temprature 1 hello", "did you mean 'temperature'?"),
        ("%chat --temperature hot hello", "temperature"),
        ("%chat --temperature", "--temperature has no value"),
        ("%chat --model kimi_chat --model kimi_chat hi", "--model occurs twice"),
        ("%chat --system 'no end hello", "no closing quote"),
        ('%chat --response_format {"type": hello', "is not JSON"),
        ("%chat", "there is no question"),
        ("%%chat --model kimi_chat\n\n", "there is no question"),
        ("%chat --input nowhere hello", "there is no table nowhere to continue"),
        ("%chat --input numbers hello", "contains no turn"),
        ("%chat --input several hello", "has several rows"),
        ("%chat --input nobody hello", "has no row"),
        ("%chat --output numbers hello", "there is a table numbers already"),
        ("%chat --output shown hello", "there is a table shown already"),
        ("%chat --output 1x hello", "is not a name for a table and a variable"),
        ("%chat --output class hello", "is not a name for a table and a variable"),
        ("%chat --format htlm hello", "did you mean 'html'?"),
        ("%chat --gen. x hello", "gen."),
        ("%sql", "there is no SQL"),
        ("%sql SELECT * FROM nowhere", "Table with name nowhere does not exist"),
        ("%sql --output a-b SELECT 1", "is not a name for a variable"),
        ("%sql SELECT llm_param({'instruction': 'x', 'temprature': 1})", "did you mean 'temperature'?"),
        ("%sql --model x SELECT 1", "%sql has no option --model"),
        ("%text2sql", "there is no question"),
        ("%ask --rows many How many?", "--rows is a number"),
        ("%ask --schema nowhere How many?", "nowhere"),
        ("%quackllm --connection nothing", "there is no nothing"),
        ("%quackllm --debug perhaps", "'on' or 'off'"),
        ("%quackllm --model nobody", "no model is called 'nobody'"),
        ("%quackllm /no/such/folder/x.duckdb", "/no/such/folder"),
        ("--%chat\n--%model=kimi_chat", "there is no question"),
    ],
)
def test_bad_input_is_a_panel_that_says_what_to_type(notebook, service: StandIn, cell: str, message: str) -> None:
    notebook.run_ok("%sql CREATE TABLE numbers AS SELECT 1 AS n")
    notebook.run_ok("%sql CREATE VIEW shown AS SELECT 1 AS n")
    notebook.run_ok("%sql CREATE TABLE several AS SELECT {'history': NULL} AS r FROM range(2)")
    notebook.run_ok("%sql CREATE TABLE nobody (history INTEGER)")
    assert message in notebook.panel(cell)
    assert service.count() == 0
    assert notebook.run_ok("%sql SELECT n + 41 FROM numbers").value.arrow.to_pydict() == {"(n + 41)": [42]}


def test_several_models_and_no_default(notebook, both_models, service: StandIn) -> None:
    assert "there are several models (kimi_chat, qianwen_chat)" in notebook.panel("%chat hello")
    assert service.count() == 0


@pytest.mark.usefixtures("chat_model")
def test_quotes_emoji_and_sql_arrive_as_they_are_and_change_nothing(notebook, service: StandIn) -> None:
    notebook.run_ok("%chat --output q1 hello")
    notebook.names["nasty"] = NASTY
    notebook.run_ok(f"%%chat --input q1 --output q2\n{NASTY}")
    notebook.run_ok("%%chat --input q1 --output q3 --system {{nasty}}\n<{{nasty}}>")
    *_, whole, filled = [request["body"]["messages"] for request in service.requests()]
    assert whole[-1]["content"] == NASTY
    assert [message["content"] for message in (filled[0], filled[-1])] == [NASTY, f"<{NASTY}>"]
    assert notebook.run_ok("q3").shown
    ((history,),) = notebook.names["connection"].execute("SELECT history FROM q2").fetchall()
    assert history[2]["content"] == NASTY
    assert notebook.names["connection"].execute("SELECT count(*) FROM q1").fetchall() == [(1,)]


@pytest.mark.usefixtures("chat_model")
def test_a_cell_of_a_megabyte_is_asked(notebook, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": "short"}])
    text = "x" * 1_000_000
    assert "short" in notebook.run_ok(f"%%chat --output q1\n{text}").text
    assert service.prompts() == [text]
    assert notebook.names["connection"].execute("SELECT len(history[1].content) FROM q1").fetchall() == [(1_000_000,)]
    service.script([{"fault": "context"}])
    assert "maximum context length" in notebook.panel(f"%%chat --output q1\n{text}y")


@pytest.mark.usefixtures("chat_model")
@pytest.mark.parametrize("fault", ["wrong_key", "quota", "unknown_model"])
def test_the_services_own_words_are_in_the_panel(notebook, service: StandIn, fault: str) -> None:
    service.script([{"fault": fault}])
    words = {
        "wrong_key": "Incorrect API key",
        "quota": "exceeded your current quota",
        "unknown_model": "does not exist",
    }
    panel = notebook.panel("%chat --output q1 hello")
    assert words[fault] in panel
    assert "sk-standin" not in panel
    assert "q1" not in notebook.names


def test_debug_shows_tracebacks_and_plain_pythons_errors_keep_theirs(notebook) -> None:
    assert "ZeroDivisionError" in notebook.run("1 / 0").printed
    notebook.run_ok("%sql SELECT 1")
    assert "Traceback" in notebook.run("connection.execute('SELEC 1')").printed
    assert "Traceback" in notebook.run("raise KeyboardInterrupt").printed
    notebook.run_ok("%quackllm --debug on")
    assert "Traceback" in notebook.run("%chat --nothing 1 x").printed
    notebook.run_ok("%quackllm --debug off")
    assert "Traceback" not in notebook.run("%chat --nothing 1 x").printed


def test_our_errors_in_pythons_cells_are_panels_too(notebook) -> None:
    notebook.names["quackllm"] = quackllm
    assert "no model is called 'nobody'" in notebook.panel("quackllm.connect(model='nobody')")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.text(max_size=60), cell=st.text(min_size=1, max_size=60))
def test_whatever_is_written_ends_well_or_in_a_panel(notebook, line: str, cell: str) -> None:
    line = line.replace("\n", " ").replace("\r", " ")
    ran = notebook.run(f"%%chat {line}\n{cell}")
    assert ran.success or ran.html.count('class="quackllm-error"') == 1
    assert "Traceback" not in ran.text
