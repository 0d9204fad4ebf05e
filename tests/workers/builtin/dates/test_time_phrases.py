from __future__ import annotations

import duckdb
import pytest
from quackllm.udf.text2sql.evaluation.datasets import load_questions
from quackllm.workers.builtin.dates.time_phrases import find_time_phrases, find_yearless_month

MONTH = ("date_trunc('month', current_date) - INTERVAL 1 MONTH", "date_trunc('month', current_date)")
SPANS = [
    ("total sales last month", "total sales", *MONTH),
    ("上个月的销售额是多少？", "销售额是多少？", *MONTH),
    ("signups in the past 90 days", "signups", "current_date - INTERVAL 90 DAY", ""),
    ("最近90天的注册数", "注册数", "current_date - INTERVAL 90 DAY", ""),
    ("orders in the last two quarters", "orders", "current_date - INTERVAL 6 MONTH", ""),
    ("How many orders in 2025?", "How many orders?", "DATE '2025-01-01'", "DATE '2026-01-01'"),
    ("Orders in each month of 2025?", "Orders?", "DATE '2025-01-01'", "DATE '2026-01-01'"),
    ("2025年有多少订单？", "有多少订单？", "DATE '2025-01-01'", "DATE '2026-01-01'"),
    ("sales in March 2024", "sales", "DATE '2024-03-01'", "DATE '2024-04-01'"),
    ("2024年12月的销售额", "销售额", "DATE '2024-12-01'", "DATE '2025-01-01'"),
    ("sales in Q4 2024", "sales", "DATE '2024-10-01'", "DATE '2025-01-01'"),
    ("2024年第二季度的销售额", "销售额", "DATE '2024-04-01'", "DATE '2024-07-01'"),
    ("doctors hired before 2022", "doctors hired", "", "DATE '2022-01-01'"),
    ("doctors hired since 2022", "doctors hired", "DATE '2022-01-01'", ""),
    ("doctors hired since June 2022", "doctors hired", "DATE '2022-06-01'", ""),
    ("doctors hired before Dec. 2022", "doctors hired", "", "DATE '2022-12-01'"),
    ("doctors hired after June 2022", "doctors hired", "DATE '2022-07-01'", ""),
    ("2022年6月之前的医生", "医生", "", "DATE '2022-06-01'"),
    ("doctors hired after 2022", "doctors hired", "DATE '2023-01-01'", ""),
    ("2022年以前入职的医生", "入职的医生", "", "DATE '2022-01-01'"),
    ("orders between 2024-01-01 and 2024-03-31", "orders", "DATE '2024-01-01'", "DATE '2024-04-01'"),
    ("orders yesterday", "orders", "current_date - 1", "current_date"),
    ("今天的订单", "订单", "current_date", "current_date + 1"),
    ("orders of 1 June 2025", "orders", "DATE '2025-06-01'", "DATE '2025-06-02'"),
    ("orders placed on June 1st, 2025", "orders placed", "DATE '2025-06-01'", "DATE '2025-06-02'"),
    ("orders on the 31st of Dec 2025", "orders", "DATE '2025-12-31'", "DATE '2026-01-01'"),
    ("orders after May 1, 2025", "orders", "DATE '2025-05-02'", ""),
    ("visits between April 1 2025 and April 30 2025", "visits", "DATE '2025-04-01'", "DATE '2025-05-01'"),
    ("2025年6月1日的订单", "订单", "DATE '2025-06-01'", "DATE '2025-06-02'"),
    ("2025年6月1日以前的订单", "订单", "", "DATE '2025-06-01'"),
    ("sales March 2024", "sales", "DATE '2024-03-01'", "DATE '2024-04-01'"),
    ("due before today", "due", "", "current_date"),
]


@pytest.mark.parametrize(("question", "rest", "begin", "end"), SPANS)
def test_spans_of_time_are_cut_out(question: str, rest: str, begin: str, end: str) -> None:
    found = find_time_phrases(question)
    assert found.rest == rest
    assert found.span is not None
    assert (found.span.begin, found.span.end) == (begin, end)


@pytest.mark.parametrize(
    ("question", "rest", "unit"),
    [
        ("number of orders by month", "number of orders", "month"),
        ("visits per week this year", "visits", "week"),
        ("每月的订单数", "订单数", "month"),
        ("按季度统计发票金额", "发票金额", "quarter"),
        ("yearly revenue", "revenue", "year"),
    ],
)
def test_units_to_group_by_are_cut_out(question: str, rest: str, unit: str) -> None:
    found = find_time_phrases(question)
    assert (found.rest, found.unit) == (rest, unit)


@pytest.mark.parametrize(
    "question",
    [
        "orders on 2025-02-30",
        "orders between 2025-02-30 and 2025-03-01",
        "orders on 30 February 2025",
        "orders on 2025-06-01 or 2025-06-03",
        "orders at 2025-06-01 10:00",
        "各年龄的人数",
        "员工的月薪",
        "Who came last?",
        "the first name of each customer",
        "上季度",
    ],
)
def test_other_words_stay(question: str) -> None:
    assert find_time_phrases(question).words == ()


def test_every_moment_is_sql() -> None:
    questions = [one.question for one in load_questions("business")] + [question for question, *_ in SPANS]
    spans = [found.span for question in questions if (found := find_time_phrases(question)).span]
    assert len(spans) > 60
    connection = duckdb.connect()
    for moment in {moment for span in spans for moment in (span.begin, span.end) if moment}:
        connection.execute(f"SELECT CAST({moment} AS TIMESTAMP)")


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("How many orders were placed in March?", "in March"),
        ("orders since Sep.", "since Sep"),
        ("三月的订单", "三月"),
        ("12月份卖了多少？", "12月份"),
        ("orders in March 2024", ""),
        ("orders in March of 2024", ""),
        ("orders before March 5", ""),
        ("2024年3月的订单", ""),
        ("最近3个月的订单", ""),
        ("May I see the orders?", ""),
        ("people who march in parades", ""),
    ],
)
def test_months_without_a_year_are_found(question: str, words: str) -> None:
    assert find_yearless_month(question) == words
