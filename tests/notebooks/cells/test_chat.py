"""`%chat` and `%%chat`: what arrives at the service, what is seen, and what is left behind."""

from __future__ import annotations

import os
import signal
import threading
import time
from itertools import pairwise
from typing import Any

import pytest

import quackllm
from standin.fixtures import StandIn

LONG = "a question that is long enough to come in a good many pieces, one after the other"


def messages(service: StandIn, place: int = -1) -> list[dict[str, Any]]:
    body = service.requests()[place]["body"]
    return body["messages"] if "messages" in body else body["input"]["messages"]


@pytest.mark.usefixtures("chat_model")
def test_a_line_is_asked_and_shown_with_what_it_took(notebook, service: StandIn, home) -> None:
    (home / "prices.yaml").write_text("kimi_chat: {input: 1000000, output: 0}")
    ran = notebook.run_ok("%chat   Is  1 < 2, & 'why'?  ")
    assert messages(service) == [{"role": "user", "content": "Is  1 < 2, & 'why'?"}]
    assert "answer to: Is  1 < 2, & 'why'?" in ran.text
    assert "kimi_chat · 5 tokens in, 8 out · " in ran.text
    assert "cost 5" in ran.text
    assert "Is  1 &lt; 2, &amp; 'why'?" in ran.html
    again = notebook.run_ok("%chat Is  1 < 2, & 'why'?")
    assert "cached: no request was sent" in again.text
    assert service.count() == 1


@pytest.mark.usefixtures("chat_model")
def test_the_text_grows_in_one_place(notebook, service: StandIn) -> None:
    service.script([{"fault": "slow", "piece_seconds": 0.05}])
    ran = notebook.run_ok(f"%chat {LONG}")
    texts = [one["text/plain"] for one in ran.drawn]
    assert len(texts) > 3
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert len(ran.shown) == 1


@pytest.mark.usefixtures("both_models")
def test_every_option_reaches_the_service_and_carries_over_to_no_other_turn(notebook, service: StandIn) -> None:
    notebook.run_ok('%%chat --model kimi_chat --temperature 0.3 --max-tokens 50 --stop ["END", "\\n\\n"] --seed=7 '
                  '--gen.enable_search true --system "Be \\"brief\\"." --output a1\nHello')  # fmt: skip
    body = service.requests()[-1]["body"]
    sent = {name: body[name] for name in ("temperature", "max_tokens", "stop", "seed", "enable_search")}
    assert sent == {"temperature": 0.3, "max_tokens": 50, "stop": ["END", "\n\n"], "seed": 7, "enable_search": True}
    assert messages(service)[0] == {"role": "system", "content": 'Be "brief".'}
    notebook.run_ok("%chat --model qianwen_chat --top_p 0.5 --input a1 And now?")
    asked = service.requests()[-1]["body"]
    assert asked["parameters"]["top_p"] == 0.5
    assert asked["parameters"]["temperature"] == 0
    assert "max_tokens" not in asked["parameters"]
    assert [message["role"] for message in asked["input"]["messages"]] == ["system", "user", "assistant", "user"]


@pytest.mark.usefixtures("chat_model")
def test_turns_are_tables_and_variables_that_branch_and_go_on_in_sql(notebook, service: StandIn) -> None:
    notebook.run_ok("%%chat --output q1 --system 'be brief'\nMy name is William.")
    notebook.run_ok("%chat --input q1 --output q2 What is my name?")
    notebook.run_ok("%chat --input q1 --output other What is the weather?")
    assert notebook.names["q2"].output == "Your name is William."
    assert isinstance(notebook.names["q2"], quackllm.Response)
    connection = notebook.names["connection"]
    assert connection.execute("SELECT output, finish_reason FROM q2").fetchall() == [("Your name is William.", "stop")]
    (history,) = connection.execute("SELECT history FROM other").fetchone()
    assert [turn["content"] for turn in history[:2]] == ["be brief", "My name is William."]
    assert [turn["content"] for turn in history if turn["role"] == "user"][1:] == ["What is the weather?"]
    ((answer,),) = connection.execute("SELECT llm_result(kimi_chat(llm_stack(q1, 'Who am I?'))) FROM q1").fetchall()
    assert answer == "Your name is William."
    notebook.run_ok("%sql CREATE TABLE mine AS SELECT kimi_chat(llm_stack(q2, 'Good.')) AS response FROM q2")
    assert "Your name is William." in notebook.run_ok("%chat --input mine who am I").text
    assert [message["role"] for message in messages(service)].count("system") == 1


@pytest.mark.usefixtures("chat_model")
def test_a_variable_continues_where_no_table_could_be_written(notebook, tmp_path) -> None:
    quackllm.connect(tmp_path / "shop.duckdb").close()
    notebook.names["connection"] = quackllm.connect(tmp_path / "shop.duckdb", read_only=True)
    assert "open for reading only" in notebook.panel("%chat --output q1 hello")
    notebook.names["q1"] = quackllm.Response("Hi.", history=(quackllm.Message("user", "my name is Ada"),))
    assert "Your name is Ada." in notebook.run_ok("%chat --input q1 who am I").text


@pytest.mark.usefixtures("chat_model")
def test_a_conversation_in_a_file_goes_on_in_another_process_for_nothing(notebook, service, tmp_path) -> None:
    path = tmp_path / "talk.duckdb"
    notebook.run_ok(f"%quackllm {path}")
    notebook.run_ok("%chat --output q1 My name is William.")
    notebook.names.pop("connection").close()
    del notebook.names["q1"]
    notebook.run_ok(f"%quackllm {path}")
    assert "Your name is William." in notebook.run_ok("%chat --input q1 --output q2 What is my name?").text
    notebook.run_ok("%chat --output q1 My name is William.")
    assert service.count() == 2


@pytest.mark.usefixtures("chat_model")
def test_stop_keeps_the_part_that_came_and_marks_it(notebook, service: StandIn) -> None:
    service.script([{"fault": "slow", "piece_seconds": 0.2}])
    pressed: list[float] = []

    def press() -> None:
        while service.count() == 0:
            time.sleep(0.02)
        time.sleep(0.7)
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    ran = notebook.run(f"%%chat --output q1\n{LONG}")
    took = time.monotonic() - pressed[0]
    thread.join()
    assert isinstance(ran.error, KeyboardInterrupt)
    assert took < 1
    response = notebook.names["q1"]
    assert response.finish_reason == "cancelled"
    assert f"answer to: {LONG}".startswith(response.output)
    assert 0 < len(response.output) < len(LONG)
    assert response.output in ran.shown[0]["text/plain"]
    assert "stopped: this is a part of the answer" in ran.html
    rows = notebook.names["connection"].execute("SELECT output, finish_reason, error.code FROM q1").fetchall()
    assert rows == [(response.output, "cancelled", "cancelled")]


@pytest.mark.usefixtures("chat_model")
def test_an_answer_that_is_cut_off_says_so_and_one_that_failed_is_kept_as_failed(notebook, service: StandIn) -> None:
    assert "cut off: --max_tokens allows more" in notebook.run_ok(f"%chat --max_tokens 3 {LONG}").text
    service.script([{"fault": "bad_request"}])
    panel = notebook.panel("%chat --output q1 hello")
    assert "invalid_value" in panel
    assert "The request cannot be read." in panel
    row = notebook.names["connection"].execute("SELECT finish_reason, error.code, len(history) FROM q1").fetchone()
    assert row == ("error", "invalid_value", 0)


@pytest.mark.usefixtures("both_models")
def test_images_go_along_from_a_file_or_an_address(notebook, service: StandIn, tmp_path) -> None:
    (tmp_path / "dot.png").write_bytes(b"\x89PNG")
    notebook.run_ok(f"%chat --model kimi_chat --image {tmp_path / 'dot.png'} What is it?")
    parts = messages(service)[0]["content"]
    assert parts[1]["image_url"]["url"] == "data:image/png;base64,iVBORw=="
    notebook.run_ok("%chat --model kimi_chat --image https://example.org/a.png What is it?")
    assert messages(service)[0]["content"][1]["image_url"]["url"] == "https://example.org/a.png"
    assert "cannot be read" in notebook.panel("%chat --image nothing.png What is it?")


def test_with_no_model_the_echo_says_that_it_is_one(notebook) -> None:
    assert "no model is deployed: the echo engine answered" in notebook.run_ok("%chat hello").text


@pytest.mark.usefixtures("chat_model")
def test_a_terminal_gets_plain_text_once(ipython, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": "**bold** \x1b[31mred\x07 <b>", "reasoning": "hm"}])
    ran = ipython.run_ok("%chat hello")
    assert ran.drawn == []
    assert ran.printed.count("**bold**") == 1
    assert "\x1b" not in ran.printed
    assert "\x07" not in ran.printed
    assert "kimi_chat · " in ran.printed
    ipython.run_ok("%chat --output q1 hello again")
    assert "user:      hello again" in ipython.run_ok("q1").printed
    failed = ipython.run("%chat --temprature 1 hello")
    assert not failed.success
    assert "did you mean 'temperature'?" in failed.printed
    assert "Traceback" not in failed.printed


@pytest.mark.usefixtures("chat_model")
def test_a_response_shows_its_conversation(notebook) -> None:
    notebook.run_ok("%%chat --output q1 --system 'be brief'\nMy name is <William>.")
    notebook.run_ok("%chat --input q1 --output q2 say it")
    ran = notebook.run_ok("q2")
    for message in ("system:    be brief", "user:      My name is <William>.", "assistant: answer to: say it"):
        assert message in ran.text
    assert "&lt;William&gt;" in ran.html
    assert ran.html.count('class="quackllm-user"') == 2
    assert notebook.run_ok("%sql FROM q2").shown == ran.shown
