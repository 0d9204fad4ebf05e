from __future__ import annotations

import pytest
from quackllm.workers.builtin.network.name_matching import FULLY, LIKE, NEAR, NONE, PARTLY, NameMatcher
from quackllm.workers.builtin.text.tokens import name_words, read_words

NAMES = ["customer_name", "unit_price", "f17", "获奖歌手"]
COMMENTS = ["", "", "工资", ""]


@pytest.fixture(scope="module")
def matcher() -> NameMatcher:
    return NameMatcher([name_words(name) for name in NAMES], [name_words(text) if text else () for text in COMMENTS])


@pytest.mark.parametrize(
    ("word", "name", "expected"),
    [
        ("customer", "customer_name", PARTLY),
        ("client", "customer_name", NEAR),
        ("cost", "unit_price", LIKE),
        ("客户", "customer_name", NEAR),
        ("工资", "f17", FULLY),
        ("salary", "f17", NEAR),
        ("歌手", "获奖歌手", PARTLY),
        ("singer", "获奖歌手", NEAR),
        ("weather", "unit_price", NONE),
        ("of", "customer_name", NONE),
    ],
)
def test_a_word_matches_by_spelling_comment_or_meaning(
    matcher: NameMatcher, word: str, name: str, expected: int
) -> None:
    words = [one.lower for one in read_words(word)]
    levels = matcher.levels(words)[:, NAMES.index(name)]
    assert levels.max() == expected


def test_no_words_and_no_names_match_nothing(matcher: NameMatcher) -> None:
    assert matcher.levels([]).shape == (0, len(NAMES))
    assert NameMatcher([], []).levels(["a"]).shape == (1, 0)
