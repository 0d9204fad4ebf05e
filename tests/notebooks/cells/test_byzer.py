"""Byzer's chat cells run as they are, and no other cell is touched."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quackllm.notebooks.cells.byzer import as_magic, parse_cell

from standin.fixtures import StandIn

SEED = """--%chat
--%model=qianwen_chat
--%output=q1

你好，请记住我的名字，我叫祝威廉。如果记住了，请说记住。
--
--%chat
--%model=qianwen_chat
--%input=q1
--%output=q2

请问我叫什么名字？
"""
TOLD, ASKED = SEED.split("--\n--%chat")[0], "--%chat" + SEED.split("--\n--%chat")[1]


def chats(service: StandIn) -> list[list[dict[str, str]]]:
    return [request["body"]["input"]["messages"] for request in service.requests()]


@pytest.mark.usefixtures("both_models")
def test_the_quickstarts_two_cells_run_unchanged(notebook, service: StandIn) -> None:
    notebook.run_ok(TOLD)
    assert "你是祝威廉。" in notebook.run_ok(ASKED).text
    first, second = chats(service)
    name = "你好，请记住我的名字，我叫祝威廉。如果记住了，请说记住。"
    assert first == [{"role": "user", "content": name}]
    assert second == [*first, {"role": "assistant", "content": f"answer to: {name}"},
                      {"role": "user", "content": "请问我叫什么名字？"}]  # fmt: skip
    assert service.requests()[0]["body"]["parameters"]["temperature"] == 0
    rows = notebook.names["connection"].execute("SELECT llm_result(q) FROM q2").fetchall()
    assert rows == [("你是祝威廉。",)]
    assert (
        "你是祝威廉。" in notebook.run_ok("%sql SELECT llm_result(qianwen_chat(llm_stack(q, '我是谁'))) FROM q1").text
    )
    notebook.run_ok(TOLD)
    assert service.count() == 3, "nothing is asked twice"


@pytest.mark.usefixtures("both_models")
def test_every_other_key_is_an_option_as_byzer_passes_it(notebook, service: StandIn) -> None:
    cell = """#%chat
#%model=qianwen_chat
#%system_msg=It's "brief"; DROP TABLE x; --
#%max_length = 77
#%generation.top_k=5
#%gen.enable_search=true
#%format=text

one
--%two
"""
    notebook.run_ok(cell)
    (asked,) = chats(service)
    assert asked == [{"role": "system", "content": 'It\'s "brief"; DROP TABLE x; --'},
                     {"role": "user", "content": "one\n--%two"}]  # fmt: skip
    sent = service.requests()[0]["body"]["parameters"]
    assert (sent["max_tokens"], sent["top_k"], sent["enable_search"]) == (77, 5, True)


@pytest.mark.usefixtures("both_models")
def test_byzer_and_our_own_cells_continue_each_other_and_chains_branch(notebook) -> None:
    notebook.run_ok("--%chat\n--%model=kimi_chat\n--%output=q0\nmy name is Ann")
    notebook.run_ok("--%chat\n--%model=kimi_chat\n--%input=q0\n--%output=q1\nmy name is Bob")
    notebook.run_ok("%chat --model kimi_chat --input q1 --output q2 who am I")
    assert notebook.names["q2"].output == "Your name is Bob."
    notebook.run_ok("--%chat\n--%model=kimi_chat\n--%input=q0\n--%output=q7\nwho am I")
    assert notebook.names["q7"].output == "Your name is Ann."


@pytest.mark.usefixtures("both_models")
def test_html_is_shown_in_a_frame_where_nothing_runs(notebook, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": '<h1>Hi</h1><script>alert("x")</script>'}])
    ran = notebook.run_ok("--%chat\n--%model=kimi_chat\n--%format=html\nhello")
    assert '<iframe sandbox=""' in ran.html
    assert "<script>" not in ran.html
    assert "did you mean" in notebook.panel("--%chat\n--%model=kimi_chat\n--%format=htm\nhello")


@pytest.mark.usefixtures("both_models")
@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("--%chat\n--%model=nobody\nhi", "nobody"),
        ("--%chat\n--%model=kimi_chat\n--%inptu=q1\nhi", "did you mean 'input'"),
        ("--%chat\n--%model=kimi_chat\n--%input=q1\nhi", "there is no table q1"),
        ("--%chat\n--%model=kimi_chat", "there is no question"),
        ("--%chat\n--%model=kimi_chat\n--%output=a b\nhi", "is not a name for a table"),
    ],
)
def test_what_is_wrong_in_it_is_a_panel(notebook, service: StandIn, cell: str, message: str) -> None:
    assert message in notebook.panel(cell)
    assert service.count() == 0


def test_the_seeds_cells_are_those_of_the_test() -> None:
    seed = Path(__file__).parents[4] / "shared" / "seeds" / "byzer-sql-quickstart.md"
    if not seed.is_file():
        pytest.skip("the seed is not part of this repository")
    cells = re.findall(r"^```sql\n(--%chat\n.*?)```", seed.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert cells == [TOLD, ASKED]


@given(st.lists(st.sampled_from(["--%", "--%chat2=1", "x = 1", "%%chat", "# --%chat", "", "  ", "--", "-- %chat"])))
def test_no_other_cell_is_touched(lines: list[str]) -> None:
    cell = [line + "\n" for line in lines]
    assert as_magic(cell) == cell


def test_a_chat_line_below_the_top_belongs_to_the_cell() -> None:
    cell = ["SELECT 1\n", "--%chat\n"]
    assert as_magic(cell) == cell


@given(st.text().filter(lambda text: not re.match(r"\s*(--|#)%", text)))
def test_what_is_below_the_header_is_the_question_to_the_letter(text: str) -> None:
    given_, question = parse_cell("--%chat\n--%model=m\n" + text)
    assert given_ == {"model": "m"}
    assert question == "".join(text.splitlines(keepends=True)).strip()
