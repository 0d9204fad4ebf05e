"""What a person sees of the magics in JupyterLab: text that grows, a button that stops, tables, charts and panels."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

from playwright.sync_api import expect

from standin.fixtures import StandIn
from support.jupyter_lab import LONG_PROMPT, SLOW_ANSWER, Lab, Notebook, Open

LOAD = "%load_ext quackllm.notebooks\n%quackllm --model chat"
SEED = (
    "--%chat\n--%model=qianwen_chat\n--%output=q1\n\n你好，请记住我的名字，我叫祝威廉。如果记住了，请说记住。",
    "--%chat\n--%model=qianwen_chat\n--%input=q1\n--%output=q2\n\n请问我叫什么名字？",
)
SINGERS = """%%sql
CREATE TABLE singer (id INTEGER PRIMARY KEY, name VARCHAR, country VARCHAR, age INTEGER);
INSERT INTO singer VALUES
    (1, 'Ann', 'France', 31), (2, 'Bo', 'Peru', 24), (3, 'Cy', 'France', 40), (4, 'Di', 'China', 57);"""


def grown(notebook: Notebook, number: int, than: str) -> bool:
    """Whether a cell's output comes to hold more than it did."""
    return _within(10, lambda: len(notebook.text(number)) > len(than))


def _within(seconds: float, happens: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_an_answer_grows_while_it_comes(opened: Open, service: StandIn) -> None:
    service.script([SLOW_ANSWER])
    notebook = opened([LOAD, f"%%chat\n{LONG_PROMPT}"])
    notebook.run(0)
    notebook.start(1)
    expect(notebook.output(1)).to_contain_text("answer to")
    looks = [notebook.text(1)]
    for _ in range(3):
        assert grown(notebook, 1, looks[-1])
        looks.append(notebook.text(1))
    assert all(later.startswith(earlier) for earlier, later in pairwise(looks))
    assert "number 39" not in looks[-1]


def test_the_stop_button_stops_within_a_second_and_keeps_what_came(opened: Open, service: StandIn) -> None:
    service.script([SLOW_ANSWER])
    notebook = opened(
        [LOAD, f"%%chat --output q1\n{LONG_PROMPT}", "%sql SELECT q1.finish_reason, q1.output FROM q1", "q1"]
    )
    notebook.run(0)
    notebook.start(1)
    expect(notebook.output(1)).to_contain_text("the duck number 3")
    began = time.monotonic()
    notebook.stop()
    expect(notebook.output(1)).to_contain_text("(cancelled)")
    seconds = time.monotonic() - began
    print(f"stopped after {seconds:.2f} s")
    assert seconds < 1
    assert "Traceback" not in notebook.text(1)
    notebook.wait_for_the_end(1)
    notebook.run(2)
    assert "cancelled" in notebook.text(2)
    assert "the duck number 3" in notebook.text(2)
    assert "number 39" not in notebook.text(2)
    notebook.run(3)
    assert "(cancelled)" in notebook.text(3)


def test_the_second_turn_knows_the_first(opened: Open) -> None:
    cells = [LOAD, "%%chat --output q1\nHello, my name is Ada.", "%%chat --input q1\nWhat is my name?"]
    notebook = opened(cells)
    for number in range(3):
        notebook.run(number)
    assert "Your name is Ada." in notebook.text(2)


def test_the_cells_of_byzers_notebooks_run_as_they_are(opened: Open, service: StandIn) -> None:
    notebook = opened(["%load_ext quackllm.notebooks", *SEED])
    for number in range(3):
        notebook.run(number)
    assert "你是祝威廉。" in notebook.text(2)
    first, second = (request["body"]["input"]["messages"] for request in service.requests())
    assert [message["role"] for message in second] == ["user", "assistant", "user"]
    assert second[0] == first[0]


def test_a_question_shows_its_sql_a_table_and_a_chart(opened: Open) -> None:
    asked = "%%text2sql --model builtin_text2sql --output t1\nHow many singers are there in each country?"
    more = "%%ask --model builtin_text2sql --input t1\nOnly those over 30."
    notebook = opened([LOAD, SINGERS, asked, more])
    for number in range(3):
        notebook.run(number)
    shown = notebook.output(2)
    expect(shown.locator(".quackllm-sql")).to_contain_text("GROUP BY country")
    expect(shown.locator("table")).to_contain_text("France")
    expect(shown.locator(".quackllm-chart svg")).to_be_visible()
    expect(notebook.cell(3).locator(".cm-content")).to_contain_text("%%sql")
    notebook.run(3)
    expect(notebook.output(3).locator("table")).to_contain_text("France")
    notebook.run(4)
    expect(notebook.output(4).locator(".quackllm-sql")).to_contain_text("age > 30")


def test_an_error_is_a_panel_with_the_services_own_words(opened: Open, service: StandIn) -> None:
    service.script([{"fault": "refused_content", "marker": "poison"}, {"fault": "wrong_key", "marker": "closed"}])
    asked = ("%%chat\nA poison question", "%%chat --model qianwen_chat\nA closed door", "%%chat --modle chat\nhello")
    words = ("prompt triggering our policy", "Invalid API-key provided", "did you mean 'model'")
    notebook = opened([LOAD, *asked])
    notebook.run(0)
    for number, said in enumerate(words, 1):
        notebook.run(number)
        expect(notebook.output(number).locator(".quackllm-error")).to_have_count(1)
        expect(notebook.output(number)).to_contain_text(said)
        assert "Traceback" not in notebook.text(number)


def test_a_statement_that_asks_shows_how_far_it_is(opened: Open, service: StandIn) -> None:
    service.script([{"fault": "slow", "seconds": 0.3}])
    notebook = opened([LOAD, "%sql SELECT count(llm_result(llm_chat('row ' || i))) AS answers FROM range(400) t(i)"])
    notebook.run(0)
    notebook.start(1)
    expect(notebook.output(1)).to_contain_text("calling models")
    notebook.wait_for_the_end(1)
    expect(notebook.output(1)).to_contain_text("made 400 calls")
    expect(notebook.output(1).locator("table")).to_contain_text("400")


def test_a_kernel_that_was_restarted_goes_on_with_the_conversation(opened: Open, service: StandIn, lab: Lab) -> None:
    opening = f"%load_ext quackllm.notebooks\n%quackllm {lab.folder}/talk.duckdb --model chat"
    first = [opening, "%%chat --output q1\nHello, my name is Ada."]
    notebook = opened([*first, "%%chat --input q1 --output q2\nWhat is my name?"])
    for number in range(2):
        notebook.run(number)
    notebook.restart()
    asked = service.count()
    notebook.run(0)
    notebook.run(2)
    assert "Your name is Ada." in notebook.text(2)
    assert service.count() == asked + 1
