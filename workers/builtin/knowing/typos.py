"""Mends typing errors: an unknown word of one or two wrong letters becomes the schema's word or cell."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from ..text.tokens import is_cjk, read_words, stem
from ..text.word_meanings import word_meanings
from ..text.word_vectors import EMPTY_VECTORS, word_vectors
from .word_coverage import general_words

MIN_LENGTH, LONG = 5, 8  # Shorter words are left alone; from LONG letters on, two may be wrong.
MAX_WORDS = 20_000


def mend_typos(question: str, names: Iterable[str], cells: Collection[str]) -> str:
    """Return a question with its typing errors corrected; quoted words and words of any dictionary stay.

    Args:
        question: the text.
        names: the words of the schema's names.
        cells: one-word cells, in lower case.
    """
    known = {name for name in names if len(name) >= MIN_LENGTH and not is_cjk(name)}
    texts = [cell for cell in list(cells)[:MAX_WORDS] if MIN_LENGTH <= len(cell) <= 20 and cell.isalpha()]
    mended, at = "", 0
    for word in read_words(question):
        quoted = re.search(r"[\"'“‘《]\s*$", question[: word.start]) is not None
        mended += question[at : word.start] + ((None if quoted else _mended(word.text, known, texts)) or word.text)
        at = word.end
    return mended + question[at:]


def _mended(text: str, names: Collection[str], cells: Collection[str]) -> str | None:
    lower = text.lower()
    if len(lower) < MIN_LENGTH or not lower.isalpha() or not lower.isascii() or is_known(lower):
        return None
    if lower in names or lower in cells or stem(lower) in {stem(name) for name in names}:
        return None
    most = 2 if len(lower) >= LONG else 1
    for words in (names, cells):
        found = sorted((distance, word) for word in words if (distance := edits(lower, word, most)) <= most)
        if found:
            return found[0][1].capitalize() if text[0].isupper() else found[0][1]
    return None


@lru_cache(maxsize=65536)
def is_known(word: str) -> bool:
    """Whether a lower-case word is a word of English."""
    known = word_vectors().row(word) != EMPTY_VECTORS or word_meanings().row(word) or stem(word) in general_words()
    return bool(known)


def edits(one: str, two: str, most: int) -> int:
    """Return how many letters to insert, delete, replace or swap with their neighbour; `most` + 1 if more than that.

    Optimal string alignment (Damerau 1964).
    """
    if abs(len(one) - len(two)) > most or one[0] != two[0]:
        return most + 1
    before: list[int] = []
    row = list(range(len(two) + 1))
    for i, letter in enumerate(one, 1):
        last, before, row = before, row, [i]
        for j, other in enumerate(two, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if last and j > 1 and letter == two[j - 2] and one[i - 2] == other:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return row[-1]
