"""What is shown is safe, whoever wrote it, and follows the page's theme."""

from __future__ import annotations

import datetime
import re
from html.parser import HTMLParser

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quackllm.notebooks.display.answers import format_answer, format_conversation, format_error
from quackllm.notebooks.display.charts import chart_for
from quackllm.notebooks.display.html import markdown
from quackllm.notebooks.display.result_table import table_html
from quackllm.notebooks.display.sql_highlighting import format_sql

from quackllm import Failure, Message, Response

ABUSE = """<script>alert(1)</script> <img src=x onerror=alert(1)> ![x](https://evil.example/?q=1)
[a](javascript:alert(1)) <https://ok.example> `<b>` &lt;i&gt;

<iframe src="https://evil.example"></iframe>

| a | b |
|---|---|
| <script> | 1 |

```html
<script>alert(2)</script>
```
"""


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            self.attributes.setdefault(name, []).append(value or "")


def tags(html: str) -> Tags:
    found = Tags()
    found.feed(html)
    return found


def test_a_models_markdown_can_run_and_fetch_nothing() -> None:
    found = tags(markdown(ABUSE))
    assert not found.tags & {"script", "img", "iframe", "style", "object"}
    assert not [url for url in found.attributes["href"] if not url.startswith("https://")]
    assert {"table", "pre", "code"} <= found.tags
    assert "&lt;script&gt;alert(2)" in markdown(ABUSE)


@given(st.text(), st.sampled_from(["markdown", "text", "html"]))
def test_whatever_a_model_says_adds_no_tag_of_its_own(text: str, look: str) -> None:
    response = Response(f"<script>{text}", "<b>", Failure("<i>", text), f"<u>{text}", (Message("user", text),), "error")
    for html in (format_answer(response, text, look)["text/html"], format_conversation(response)["text/html"]):
        assert not tags(html).tags & {"script", "img", "b", "i", "u"}
    assert not tags(format_error(f"<i>{text}", text, f"<b>{text}")["text/html"]).tags - {"div", "span"}


@pytest.mark.parametrize("formula", [r"\(x_1 + y_1\)", r"\[ \frac{a}{b} \]", "$a_{1} + b_{2}$"])
def test_formulas_reach_the_page_as_they_are(formula: str) -> None:
    assert formula in markdown(f"Let {formula} be.")


def test_a_picture_that_is_elsewhere_is_named_and_not_fetched() -> None:
    images = ("https://evil.example/a.png", "data:image/png;base64,iVBORw==", 'data:image/png;"><script>')
    html = format_conversation(Response("x", history=(Message("user", "look", images),)))["text/html"]
    assert tags(html).attributes["src"] == [images[1], images[2]]
    assert "script" not in tags(html).tags


@given(st.lists(st.tuples(st.text(), st.none() | st.text() | st.just("<script>")), max_size=4))
def test_a_tables_values_are_text(rows: list[tuple[str, str | None]]) -> None:
    table = pa.table({"<script>": [a for a, _ in rows], "b": pa.array([b for _, b in rows], pa.string())})
    assert not tags(table_html(table)).tags & {"script"}
    assert f"{len(rows)} row" in table_html(table)


@pytest.mark.parametrize(
    ("columns", "charted"),
    [
        ({"country": ["中国", "法国"], "n": [1, 2]}, True),
        ({"day": [datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)], "n": [1.5, None]}, False),
        ({"day": [datetime.date(2024, 1, day) for day in (3, 1, 2)], "n": [1.5, 2.5, 3.0]}, True),
        ({"year": [2023, 2024], "n": [1, 2]}, True),
        ({"n": [1.5, 2.5], "country": ["中国", "法国"]}, True),
        ({"country": ["a", "a"], "n": [1, 2]}, False),
        ({"country": ["a"], "n": [1]}, False),
        ({"a": ["a", "b"], "b": ["c", "d"]}, False),
        ({"a": ["a", "b"], "n": [1, 2], "m": [1, 2]}, False),
        ({"a": [str(n) for n in range(41)], "n": range(41)}, False),
        ({"a": ["$x$ <b>", None], "n": [-1, None]}, True),
    ],
)
def test_a_label_and_a_number_make_a_chart(columns: dict[str, list[object]], charted: bool) -> None:
    chart = chart_for(pa.table(columns))
    assert (chart is not None) == charted
    if chart is not None:
        assert "currentColor" in chart
        assert "<b>" not in chart


def test_a_charts_letters_are_text_and_no_pictures_of_letters() -> None:
    chart = chart_for(pa.table({"country": ["中国", "法国"], "n": [1, 2]}))
    assert chart is not None
    assert "中国" in chart
    assert "#010203" not in chart


def test_an_expression_is_no_title_of_an_axis_and_lines_start_at_zero() -> None:
    days = [datetime.date(2024, 1, day) for day in (1, 2, 3)]
    chart = chart_for(pa.table({"day": days, "((count_star() * 1.0) / sum(count_star()))": [90.0, 95.0, 99.0]}))
    assert chart is not None
    assert "count_star" not in chart
    assert ">0</text>" in chart


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("total", 1234567, "1,234,567"),
        ("total", -10482.5, "-10,482.5"),
        ("year", 12024, "12024"),
        ("total", 2024, "2024"),
        ("customer_id", 10482, "10482"),
        ("orderId", 10482, "10482"),
        ("total", 1e300, "1e+300"),
        ("total", None, "NULL"),
    ],
)
def test_large_amounts_have_separators_and_numbers_that_name_things_have_none(
    name: str, value: object, shown: str
) -> None:
    cells = re.findall(r"<td[^>]*>(.*?)</td>", table_html(pa.table({name: [value, 1]})))
    assert shown in cells[0]


def test_a_long_statement_has_a_line_for_each_clause_and_the_same_words() -> None:
    sql = "SELECT name, count(*) FROM singer JOIN song ON song.singer = singer.id WHERE name <> 'a  b' GROUP BY name"
    lines = format_sql(sql).splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")][:2] == ["SELECT", "FROM"]
    assert re.sub(r"\s+", "", format_sql(sql)) == re.sub(r"\s+", "", sql)
    assert "'a  b'" in format_sql(sql)


def test_a_short_word_is_never_broken_and_a_long_one_may_be():
    table = pa.table({"code": ["declined", None], "key": ["k" * 500, "a b"], "text": ["订单没有退货的收入" * 3, ""]})
    assert re.findall(r"min-width: (\d+)ch", table_html(table)) == ["8", "20", "0"]
    assert re.findall(r"min-width: (\d+)ch", table_html(table.slice(0, 0))) == ["0", "0", "0"]
