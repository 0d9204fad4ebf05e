"""Words and the hashed features that stand for them: nothing is out of vocabulary.

A Chinese character is a word of its own; the characters beside it are features too.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

SPELLING_BUCKETS, CJK_BUCKETS = 16384, 8192
# Rows of the embedding table: Chinese characters are hashed into the last ones, all other features into the first.
BUCKETS = SPELLING_BUCKETS + CJK_BUCKETS

HAN = "\u3400-\u9fff\uf900-\ufaff"
TOKEN = re.compile(rf"[{HAN}]|\d+(?:[.,:/-]\d+)*|(?:(?![{HAN}])[^\W\d_])+(?:['’](?:(?![{HAN}])[^\W\d_])+)?|[^\w\s]|\w")
IDENTIFIER_PART = re.compile(rf"[{HAN}]|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|(?:(?![{HAN}])[^\W\dA-Za-z_])+")
SUFFIXES = (
    ("ies", "y"),
    ("sses", "ss"),
    ("shes", "sh"),
    ("ches", "ch"),
    ("xes", "x"),
    ("ing", ""),
    ("ed", ""),
    ("s", ""),
)


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a text and its position: `text[start:end]`."""

    text: str
    start: int
    end: int

    @property
    def lower(self) -> str:
        """The word without case."""
        return self.text.lower()


def read_words(text: str) -> list[Word]:
    """Return the words, numbers and marks of a text."""
    return [Word(match.group(), match.start(), match.end()) for match in TOKEN.finditer(text)]


def split_identifier(words: Sequence[Word]) -> str:
    """Return neighbouring words as a text, with at most one space between two."""
    text = words[0].text
    for before, word in pairwise(words):
        text += (" " if word.start > before.end else "") + word.text
    return text


@lru_cache(maxsize=65536)
def name_words(name: str) -> tuple[str, ...]:
    """Return the words of an identifier: `songName_2` is song, name, 2."""
    return tuple(part.lower() for part in IDENTIFIER_PART.findall(name)) or (name.lower(),)


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return the word without its plural or verb ending; crude, and the same for names and questions."""
    for suffix, replacement in SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            return word[: -len(suffix)] + replacement
    return word


def is_cjk(word: str) -> bool:
    """Whether a word is a character of a script that has no spaces between words."""
    return "\u3400" <= word[:1] <= "\ufaff" and not "\ua000" <= word[:1] < "\uf900"


def feature_hash(feature: str) -> int:
    """Return the row of the embedding table that a feature hashes to."""
    return zlib.crc32(feature.encode()) % SPELLING_BUCKETS


def cjk_feature_hash(feature: str) -> int:
    """Return the row that a feature of Chinese characters hashes to."""
    return SPELLING_BUCKETS + zlib.crc32(feature.encode()) % CJK_BUCKETS


@lru_cache(maxsize=65536)
def word_features(word: str) -> tuple[int, ...]:
    """Return the buckets of a lower-case word: itself, its stem and its 3-grams; numbers only by their shape."""
    if is_cjk(word):
        return (cjk_feature_hash(word),)
    if word[:1].isdigit():
        shape = re.sub(r"\d", "0", word)
        return (feature_hash("<number>"), feature_hash(f"shape:{shape}"))
    padded = f"^{word}$"
    grams = [padded[i : i + 3] for i in range(len(padded) - 2)][:10] if len(word) > 2 else []
    return (
        feature_hash(f"word:{word}"),
        feature_hash(f"stem:{stem(word)}"),
        *(feature_hash(f"gram:{gram}") for gram in grams),
    )


def text_features(words: tuple[str, ...], limit: int = 40) -> tuple[int, ...]:
    """Return the buckets of several words together, at most `limit`: of Chinese characters each two neighbours too."""
    pairs = [cjk_feature_hash(one + two) for one, two in pairwise(words) if is_cjk(one) and is_cjk(two)]
    return (*(feature for word in words for feature in word_features(word)), *pairs)[:limit]


def question_features(words: Sequence[Word]) -> list[tuple[int, ...]]:
    """Return the buckets of each word of a text: of a Chinese character those with its neighbours too."""
    texts = ["", *(word.lower for word in words), ""]
    return [
        (*word_features(word), *(cjk_feature_hash(pair) for pair in (before + word, word + after) if len(pair) > 1))
        if is_cjk(word)
        else text_features((word,))
        for before, word, after in zip(texts, texts[1:], texts[2:], strict=False)
    ]
