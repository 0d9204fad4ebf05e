"""The pictures of docs/notebook.md, in both themes: nothing in them is cut off, and every word stands out.

QUACKLLM_PICTURES=docs/pictures make test-browser   draws them anew
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from standin.fixtures import StandIn
from support.jupyter_lab import LONG_PROMPT, SLOW_ANSWER, Notebook, Open

LOOKS = Path(__file__).with_name("looks.js").read_text("utf-8")
CHAT = (
    "%load_ext quackllm.notebooks\n%quackllm --model qianwen_chat",
    '%%chat --system "请用一句话回答。" --output q1\n'
    "你好，我叫祝威廉，请记住我的名字。我养了 *三只* 鸭子 🦆：\n\n1. 小安\n2. 小波\n3. 小西",
    "%%chat --input q1 --output q2\n请问我叫什么名字？",
    "q2",
)
QUESTIONS = (
    "%load_ext quackllm.notebooks\n"
    "from quackllm.udf.text2sql.evaluation.datasets import open_database\n\n"
    "%quackllm --model builtin_text2sql\nopen_database(connection, 'world_1')",
    "%%text2sql --output t1\nShow names and populations of the 8 countries with the largest population.",
)
CHINESE = (
    "%load_ext quackllm.notebooks\n%quackllm --model builtin_text2sql",
    "%%sql\nCREATE TABLE 歌手 (编号 INTEGER PRIMARY KEY, 姓名 VARCHAR, 国家 VARCHAR, 年龄 INTEGER);\n"
    "INSERT INTO 歌手 VALUES\n"
    "    (1, '周小川', '中国', 32), (2, '安娜', '法国', 45), (3, '卢卡', '意大利', 38), (4, '王芳', '中国', 51);\n"
    "FROM 歌手;",
    "%%ask --output t1\n每个国家有多少名歌手？",
)
ROWS = (
    "%load_ext quackllm.notebooks\n%quackllm --model chat",
    "%%sql\nCREATE TABLE review AS SELECT i AS id, 'review number ' || i AS body FROM range(500) t(i);\n"
    "SELECT id, llm_result(llm_chat('Is this praise? ' || body)) AS answer FROM review ORDER BY id LIMIT 5",
    "%%chat\nA poison question",
    "%%sql\nSELECT llm_chat('hello', temprature := 1)",
    "%sql FROM llm_usage()",
)
SCENES = {"chat": CHAT, "question": QUESTIONS, "chinese": CHINESE, "rows": ROWS}


def look_at(notebook: Notebook, name: str, folder: Path) -> dict[str, list[str]]:
    """Draw the notebook in both themes; return what cannot be read in each."""
    unreadable = {}
    for theme in ("Light", "Dark"):
        notebook.choose(theme)
        notebook.page.mouse.move(5, 5)
        notebook.draw(folder / f"notebook-{name}-{theme.lower()}.png")
        unreadable[theme] = notebook.page.evaluate(LOOKS)
    return unreadable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(os.environ.get("QUACKLLM_PICTURES", tmp_path)).absolute()


@pytest.mark.parametrize("scene", SCENES)
def test_everything_can_be_read(scene: str, opened: Open, service: StandIn, folder: Path) -> None:
    service.script([{"fault": "refused_content", "marker": "poison"}, {"fault": "slow", "seconds": 0.1}])
    notebook = opened(SCENES[scene])
    for number in range(len(SCENES[scene])):
        notebook.run(number)
    assert look_at(notebook, scene, folder) == {"Light": [], "Dark": []}


def test_a_stopped_answer_can_be_read(opened: Open, service: StandIn, folder: Path) -> None:
    service.script([SLOW_ANSWER])
    notebook = opened([CHAT[0], f"%%chat --model chat --output q1\n{LONG_PROMPT}"])
    notebook.run(0)
    notebook.start(1)
    notebook.output(1).get_by_text("the duck number 5").wait_for()
    notebook.stop()
    notebook.wait_for_the_end(1)
    assert look_at(notebook, "stopped", folder) == {"Light": [], "Dark": []}
