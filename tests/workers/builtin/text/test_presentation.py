from __future__ import annotations

import pytest
from quackllm.workers.builtin.text.presentation import without_presentation


@pytest.mark.parametrize(
    ("question", "rest"),
    [
        ("Number of customers per city as a chart", "Number of customers per city"),
        ("Number of customers per city as a bar chart?", "Number of customers per city?"),
        ("Show me a graph of orders per city", "Show orders per city"),
        ("Draw a pie chart showing sales by region", "Show sales by region"),
        ("Plot the number of patients by gender", "Show the number of patients by gender"),
        ("A histogram of ages", "Show ages"),
        ("Bookings per room in a table", "Bookings per room"),
        ("各城市的订单数，用图表显示", "各城市的订单数"),
        ("以柱状图展示？", "以柱状图展示？"),
        ("画一张各目的城市运费的柱状图", "各目的城市运费"),
        ("请用折线图表示各年龄的人数", "请用折线图表示各年龄的人数"),
        ("How many charts are there?", "How many charts are there?"),
        ("the plots of all films", "the plots of all films"),
        ("Which orders are in a hurry?", "Which orders are in a hurry?"),
    ],
)
def test_words_of_presentation_are_dropped(question: str, rest: str) -> None:
    assert without_presentation(question, {"orders", "city"}) == rest


def test_they_stay_where_the_schema_has_them() -> None:
    question = "Show the films of 1990 as a chart"
    assert without_presentation(question, {"charts", "year"}) == question
    assert without_presentation(question, {"films", "list", "price"}) == "Show the films of 1990"
