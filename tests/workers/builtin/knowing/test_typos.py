from __future__ import annotations

import pytest
from quackllm.workers.builtin.knowing.typos import edits, mend_typos


@pytest.mark.parametrize(
    ("one", "two", "most", "expected"),
    [("salary", "salary", 2, 0), ("salery", "salary", 2, 1), ("amuont", "amount", 2, 1), ("abc", "xyz", 2, 3)],
)
def test_edits_are_counted(one: str, two: str, most: int, expected: int) -> None:
    assert edits(one, two, most) == expected


def test_an_unknown_word_becomes_the_name_or_the_cell() -> None:
    mended = mend_typos("averge amuont of Pariss costumers", ["amount", "customers"], ["paris"])
    assert mended.split()[1] == "amount"
    assert "Paris" in mended


def test_known_and_quoted_words_stay() -> None:
    assert mend_typos("the price of 'amuont'", ["amount", "prices"], []) == "the price of 'amuont'"
    assert mend_typos("客户的数量", ["客户名"], []) == "客户的数量"
    assert mend_typos("orders after 2024-01-01", ["order"], []) == "orders after 2024-01-01"
