from __future__ import annotations

from pathlib import Path

import pytest
from quackllm.udf.text2sql.evaluation.datasets import load_questions
from quackllm.workers.builtin.knowing.small_talk import reason_to_refuse

SUITE = Path(__file__).with_name("small_talk.txt")
QUESTIONS = """
Book titles by author|Singers from France|Pay per department|Empty warehouses|Transfer amounts by month|Order count
Drop rates by course|Increase in sales|Email addresses of customers|Cancelled orders|Thanksgiving sales|Update dates
Good customers|Hello Kitty products|How many thank you notes were sent?
Add up all amounts|Create a list of all customers
Which orders were deleted?|Charge per visit|What is the time of the wrestler?|Yes votes by county|Evening sessions
删除标记为1的用户有多少？|更新日期最晚的产品|新增客户数|取消的订单数|关闭的账户有多少？|翻译类书籍的价格
"""


def test_greetings_thanks_and_orders_are_no_questions() -> None:
    texts = [line for line in SUITE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert len(texts) >= 100
    answered = [text for text in texts if reason_to_refuse(text) is None]
    assert len(answered) <= 0.02 * len(texts), answered


def test_questions_with_the_same_words_are_questions() -> None:
    questions = [question for line in QUESTIONS.split("\n") for question in line.split("|") if question]
    assert [question for question in questions if reason_to_refuse(question) is not None] == []


def test_no_business_question_is_refused() -> None:
    asked = [one.question for one in load_questions("business")]
    assert [question for question in asked if reason_to_refuse(question) is not None] == []


@pytest.mark.parametrize(
    "text",
    [
        "Wie viele Kunden gibt es?",
        "¿Cuántos clientes hay?",
        "Combien de clients avons-nous dans chaque ville ?",
        "Сколько у нас клиентов?",
        "顧客は何人いますか？ひとりずつおしえてください",
    ],
)
def test_other_languages_are_named(text: str) -> None:
    assert "English and Chinese" in (reason_to_refuse(text) or "")


def test_nonsense_is_no_question_unless_the_schema_has_its_words() -> None:
    assert reason_to_refuse("asdfq qwerzx zzxcv") is not None
    assert reason_to_refuse("zzxcv asdfq", ["zzxcv"]) is None
    assert reason_to_refuse("?!") is not None
