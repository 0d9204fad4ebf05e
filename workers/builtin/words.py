"""Words and the hashed features that stand for them: nothing is out of vocabulary."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from functools import lru_cache

BUCKETS = 16384
"""Rows of the embedding table; every feature is hashed into one of them."""

TOKEN = re.compile(r"\d+(?:[.,:/-]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?|[\w]+|[^\w\s]", re.UNICODE)
IDENTIFIER_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")
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
    """One word of a text and where it stands: `text[start:end]`."""

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


def bucket(feature: str) -> int:
    """Return the row of the embedding table that a feature hashes to."""
    return zlib.crc32(feature.encode()) % BUCKETS


@lru_cache(maxsize=65536)
def word_features(word: str) -> tuple[int, ...]:
    """Return the buckets of a lower-case word: itself, its stem and its 3-grams; numbers only by their shape."""
    if word[:1].isdigit():
        shape = re.sub(r"\d", "0", word)
        return (bucket("<number>"), bucket(f"shape:{shape}"))
    padded = f"^{word}$"
    grams = [padded[i : i + 3] for i in range(len(padded) - 2)][:10] if len(word) > 2 else []
    return (bucket(f"word:{word}"), bucket(f"stem:{stem(word)}"), *(bucket(f"gram:{gram}") for gram in grams))


def text_features(words: tuple[str, ...], limit: int = 40) -> tuple[int, ...]:
    """Return the buckets of several words together, at most `limit`."""
    return tuple(feature for word in words for feature in word_features(word))[:limit]
