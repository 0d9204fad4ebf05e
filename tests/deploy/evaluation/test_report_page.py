from __future__ import annotations

import json
import re
from html.parser import HTMLParser

from quackllm.deploy.evaluation.report_page import render_page
from quackllm.udf.text2sql.evaluation.datasets import Question
from quackllm.udf.text2sql.evaluation.question_rows import SkippedRow
from quackllm.udf.text2sql.evaluation.report import Report, comparisons
from quackllm.udf.text2sql.evaluation.scoring import RIGHT, SERVICE, WRONG, Difference, ModelAnswer, ScoredAnswer

GOLD = 'SELECT "姓名" FROM "歌手" WHERE a < 5'
QUESTIONS = [Question("音乐", "谁是</script><b>法国</b>歌手？ $data", GOLD, dialogue=1, turn=turn) for turn in (0, 1)]


def reports() -> list[Report]:
    wrong = ScoredAnswer(
        QUESTIONS[0],
        "SELECT 1",
        WRONG,
        False,
        ModelAnswer("SELECT 1", bound=True, seconds=0.5, model="one"),
        Difference(2, 1, ("('张三',)", "('<李四>',)"), ("(1,)",)),
    )
    right = ScoredAnswer(QUESTIONS[1], GOLD, RIGHT, False, ModelAnswer(GOLD, bound=True, seconds=1.5))
    failed = ScoredAnswer(QUESTIONS[0], None, SERVICE, False, ModelAnswer(None, "Throttling", "<slow> down"))
    one = Report("own", [wrong, right], [SkippedRow(7, "json", "<not> JSON")], {0: 1, 1: 2}, "one", 2.0)
    other = Report("own", [failed, right], [], {0: 1, 1: 2}, "other <b>", 3.0, unasked=1, money=0.5)
    return [one, other]


class Reader(HTMLParser):
    """Collects the tags of a page and its text outside scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_holds_everything_and_reaches_for_nothing() -> None:
    text = render_page(reports(), comparisons(reports()))
    read = Reader(text)
    assert not re.search(r"https?://|@import|url\(", text)
    assert not [tag for tag, attributes in read.tags if {"src", "href"} & attributes.keys()]
    assert sum(tag == "b" for tag, _ in read.tags) == 2, "one a model: what was asked is no markup"
    assert "<not> JSON" in read.words
    assert "stopped before 1" in read.words
    ticks = re.findall(r"<div class=\"ticks\">(.*?)</div>", text)
    assert [re.findall(r"[\d.]+ s", one) for one in ticks] == [["0.5 s", "0.66 s", "0.87 s", "1.1 s", "1.5 s"]] * 2
    for words in ("50.0 %", "turn 2", "service error", "other <b>", "exact McNemar test"):
        assert words in read.words
    assert "$" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)


def test_the_questions_read_back_as_they_were() -> None:
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', render_page(reports(), []), re.DOTALL
    )
    assert found is not None
    data = json.loads(found[1])
    assert data["models"] == ["one", "other <b>"]
    first = data["questions"][0]
    assert first["question"] == QUESTIONS[0].question
    assert first["parts"] == ["one table", "easy", "turn 1"]
    assert [answer["outcome"] for answer in first["answers"]] == [WRONG, SERVICE]
    assert first["answers"][0]["difference"]["missing"] == ["('张三',)", "('<李四>',)"]


def test_a_page_of_a_model_that_answered_nothing() -> None:
    failed = ScoredAnswer(QUESTIONS[0], None, SERVICE, False, ModelAnswer(None, "Throttling", ""))
    assert "no request was sent" in render_page([Report("own", [failed], model="one")], [])
