from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from quackllm.workers.builtin.text import word_meanings as meanings
from quackllm.workers.builtin.text.word_meanings import meaning_words, segment, word_meanings


def cosine(one: str, two: str) -> float:
    known = word_meanings()
    return float(known.table[known.row(one)] @ known.table[known.row(two)])


@pytest.mark.parametrize(
    ("one", "two"), [("客户", "customer"), ("工资", "salary"), ("client", "customer"), ("城市", "town")]
)
def test_words_of_one_meaning_are_near_in_both_languages(one: str, two: str) -> None:
    assert cosine(one, two) > 0.72


@pytest.mark.parametrize(
    ("one", "two"), [("客户", "order"), ("name", "age"), ("城市", "country"), ("员工", "customer")]
)
def test_words_of_other_meanings_are_not(one: str, two: str) -> None:
    assert cosine(one, two) < 0.6


def test_chinese_is_split_into_words() -> None:
    assert segment("每个城市的客户数量") == ("每个", "城市", "的", "客户", "数量")
    assert segment("每个类别的平均价格") == ("每个", "类别", "的", "平均价格")
    assert meaning_words(["客", "户", "id", "城", "市"]) == ["客户", "客户", "id", "城市", "城市"]
    assert word_meanings().translation("客户") in ("customer", "customers")
    assert word_meanings().translation("qwx") == ""
    assert segment("") == ()


def test_unknown_words_mean_nothing() -> None:
    known = word_meanings()
    assert known.row("zzzqqq") == meanings.NO_MEANING
    assert not known.table[meanings.NO_MEANING].any()


def test_a_file_is_written_with_the_encoder(tmp_path: Path) -> None:
    english = [f"word{number}" for number in range(120)] + ["customer", "city"]
    chinese = ["客户", "城市", *(f"{chr(0x4E00 + number)}{chr(0x4F00 + number)}" for number in range(100))]
    meanings.write_word_meanings(english, chinese, ["customer", "city"], tmp_path / "out.npz")
    read = meanings.WordMeanings(tmp_path / "out.npz")
    assert read.translation("客户") == "customer"
    np.testing.assert_allclose(np.linalg.norm(read.table[1:], axis=1), 1, atol=0.03)
