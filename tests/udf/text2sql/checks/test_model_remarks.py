"""A model's own confidence, alternatives and doubts are read from its answer, and nothing else is taken for them."""

from __future__ import annotations

import pytest
from quackllm.udf.text2sql.checks.extract_sql import extract_sql
from quackllm.udf.text2sql.checks.model_remarks import ModelRemarks, read_remarks

ANSWER = """-- confidence: 0.83
-- alternative: SELECT max(age) FROM singer;
-- warning: no column stands for "famous"
SELECT avg(age) FROM singer"""


def test_remarks_stand_beside_the_sql() -> None:
    expected = ModelRemarks(0.83, ("SELECT max(age) FROM singer",), ('no column stands for "famous"',))
    assert read_remarks(ANSWER) == expected
    assert extract_sql(ANSWER) == "SELECT avg(age) FROM singer"


def test_remarks_in_the_reasoning() -> None:
    assert read_remarks("SELECT 1", "I first took max.\nconfidence: 40 %\nconfidence: 90%").confidence == 0.9


@pytest.mark.parametrize(
    "text", ["confidence: high", "confidence: 7", "my confidence: 0.8 or so", "SELECT confidence FROM t", "", "x: 0.5"]
)
def test_what_is_no_probability_is_no_confidence(text: str) -> None:
    assert read_remarks(text) == ModelRemarks()


def test_a_model_that_repeats_itself_does_not_fill_the_result() -> None:
    many = "\n".join(f"-- warning: doubt {number}" for number in range(1000))
    assert len(read_remarks(many).warnings) == 10
