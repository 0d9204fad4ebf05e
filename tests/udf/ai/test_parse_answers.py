"""Strict reading: what is an answer, and what only looks like one."""

from __future__ import annotations

from typing import Any

import pytest
from quackllm.udf.ai.shapes import OneLabel, OneValue, Record, Score, SomeLabels, YesOrNo
from quackllm.udf.ai.sql_types import fits


@pytest.mark.parametrize(
    "text", ["yes", "Yes.", "**TRUE**", "```\nyes\n```", '{"answer": "yes"}', "是。", "x</think> yes", "true"]
)
def test_a_yes(text: str) -> None:
    assert YesOrNo().read(text, ()).value is True


@pytest.mark.parametrize(
    "text", ["no", "No!", "I looked twice.\nAnswer: no", "最终答案：否", '{"holds": false}', "False"]
)
def test_a_no(text: str) -> None:
    assert YesOrNo().read(text, ()).value is False


@pytest.mark.parametrize(
    "text",
    [
        "Yes, I would be glad to help!",
        "yes and no",
        "I cannot say yes.",
        "Oui",
        "1",
        "[true]",
        '{"answer": "maybe"}',
        '{"a": true, "b": false}',
        "The answer is not yes",
        "<think>yes",
        "",
    ],
)
def test_what_is_neither(text: str) -> None:
    answer = YesOrNo().read(text, ())
    assert answer.value is None
    assert answer.code == "unreadable"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Red", "red"),
        ("'dark red'", "dark red"),
        ("Label: red", "red"),
        ('"q"', '"q"'),
        ("reddish", None),
        ("red, blue", None),
    ],
)
def test_a_label_is_one_of_the_labels(text: str, label: str | None) -> None:
    assert OneLabel(("red", "dark red", '"q"', "q")).read(text, ()).value == label


def test_labels_that_differ_by_case_alone_are_told_apart() -> None:
    labels = OneLabel(("US", "us"))
    assert [labels.read(text, ()).value for text in ("us", "US", "Us")] == ["us", "US", None]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"labels": ["b", "a", "b"]}', ["a", "b"]),
        ("[]", []),
        ('Sure: {"labels": ["a"]}', ["a"]),
        ('["a", "d"]', None),
        ("a, b", None),
        ('{"labels": "a"}', None),
    ],
)
def test_labels_are_a_subset_in_order(text: str, found: list[str] | None) -> None:
    assert SomeLabels(("a", "b", "c")).read(text, ()).value == found


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("0.5", 0.5),
        ("Score: 1", 1.0),
        ("1e-1", 0.1),
        ("1.01", None),
        ("-0.1", None),
        ("NaN", None),
        ("0_1", None),
        ("7/10", None),
    ],
)
def test_a_score_is_inside_of_its_bounds(text: str, score: float | None) -> None:
    assert Score(0, 1).read(text, ()).value == score


@pytest.mark.parametrize(
    ("structure", "value", "expected"),
    [
        ("INTEGER", 3, True),
        ("INTEGER", 3.7, False),
        ("INTEGER", "3", True),
        ("INTEGER", True, False),
        ("TINYINT", 300, False),
        ("TINYINT", -128, True),
        ("TINYINT", 128, False),
        ("UTINYINT", -1, False),
        ("UTINYINT", 255, True),
        ("HUGEINT", 2**127, False),
        ("DOUBLE", "many", False),
        ("BOOLEAN", 1, False),
        ("BOOLEAN", True, True),
        ("DATE", "2026-02-30", False),
        ("DATE", "2026-02-28", True),
        ("DECIMAL(4, 1)", 12345.6, False),
        ("ENUM('a', 'b')", "c", False),
        ("VARCHAR", "any", True),
        ("INTEGER[]", [1, "x"], False),
        (["INTEGER"], [1, None], True),
        (["INTEGER"], 1, False),
        ({"a": "DATE"}, {"a": "soon"}, False),
        ({"a": "DATE"}, [], False),
        ("DATE", None, True),
        # Nothing is rounded, at any depth, and nothing becomes infinite.
        ("DECIMAL(3, 1)", 1.25, False),
        ("DECIMAL(3, 1)", "1.25", False),
        ("DECIMAL(3, 1)", 1.20, True),
        ("DECIMAL(38, 2)", "123456789012345678901234567890.12", True),
        ("DECIMAL(38, 2)", "123456789012345678901234567890.123", False),
        ("DECIMAL(3, 1)", "1e-999999999", False),
        ("INTEGER[]", [1, 2.5], False),
        ("INTEGER[2]", [1, 2], True),
        ("STRUCT(a INTEGER)", {"a": 1.5}, False),
        ("MAP(VARCHAR, INTEGER)", {"a": 1.5}, False),
        ("DOUBLE", "1e400", False),
        ("DOUBLE", "1e99999999999999999999", False),
        ("DOUBLE", "nan", False),
        ("FLOAT", 1e300, False),
        ("FLOAT", 0.1, True),
        ("TIMESTAMPTZ", "2026-11-29T10:00:00Z", True),
    ],
)
def test_a_value_fits_its_type_or_not(structure: Any, value: Any, expected: bool) -> None:
    assert fits(structure, value) is expected


def test_a_record_keeps_what_is_right_and_names_what_is_not() -> None:
    record = Record({"age": "INTEGER", "name": "VARCHAR", "born": "DATE"})
    answer = record.read('```json\n{"age": "old", "name": "Eve", "more": 1}\n```', ())
    assert answer.value == {"age": None, "name": "Eve", "born": None}
    assert answer.code == "invalid_fields"
    assert answer.problem == 'age is no INTEGER: "old"; born is missing'


def test_a_quote_stands_in_the_input() -> None:
    record = Record({"age": "INTEGER", "name": "VARCHAR", "town": "VARCHAR"}, quotes=True)
    text = '{"age": {"value": 41, "quote": "41 years"}, "name": {"value": "Eve", "quote": "Eva"}, "town": "Rome"}'
    answer = record.read(text, ("She is 41 years old.",))
    assert answer.value == {
        **{"age": 41, "name": None, "town": None},
        "quotes": {"age": "41 years", "name": None, "town": None},
    }


def test_one_value_of_a_type() -> None:
    assert OneValue("DATE").read('{"value": "1969-07-20"}', ()).value == "1969-07-20"
    assert OneValue("DATE").read('{"value": "in July"}', ()).value is None
    assert OneValue("DATE").read("1969-07-20", ()).code == "unreadable"
