"""Which words of a question name which columns and tables: by spelling, by comment, by use and by meaning."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from ..text.lexicon import IGNORED
from ..text.tokens import is_cjk, stem
from ..text.word_meanings import meaning_words, word_meanings
from ..text.word_vectors import EMPTY_VECTORS, word_vectors

MATCHES = ("", "like", "near", "partly", "fully")  # From no match to the whole name; `like` and `near` by meaning.
NONE, LIKE, NEAR, PARTLY, FULLY = range(5)
# Cosines from which two words are similar (LIKE) or very similar (NEAR): of word vectors, and of word meanings.
SIMILAR_USE, SIMILAR_MEANING = (0.4, 0.6), (0.6, 0.72)
MAX_NAME_TOKENS = 12
Levels = NDArray[np.int8]


class NameMatcher:
    """Matches the words of texts with names; a comment counts as a second name.

    Args:
        names: the words of each name, in lower case.
        comments: the words of each name's comment; () for none.
    """

    def __init__(self, names: Sequence[tuple[str, ...]], comments: Sequence[tuple[str, ...]]) -> None:
        self.names = [_Name(name) for name in names]
        self.comments = [_Name(comment) if comment else None for comment in comments]
        words = [(*meaning_words(name), *meaning_words(comment)) for name, comment in zip(names, comments, strict=True)]
        self._ends = np.cumsum([0, *map(len, words)])[:-1]
        every = list(chain.from_iterable(words))
        self._use = np.array([word_vectors().row(word) for word in every], dtype=np.int64)
        self._meaning = np.array([word_meanings().row(word) for word in every], dtype=np.int64)

    def levels(self, words: Sequence[str]) -> Levels:
        """Return how each word matches each name, (words, names): the index of one of MATCHES."""
        text = _Text([stem(word) for word in words])
        found = self.similar(words)
        for number, (name, comment) in enumerate(zip(self.names, self.comments, strict=True)):
            spelled = text.levels(name)
            if comment is not None:
                spelled = [max(one, two) for one, two in zip(spelled, text.levels(comment), strict=True)]
            found[:, number] = np.maximum(found[:, number], spelled)
        return found

    def similar(self, words: Sequence[str]) -> Levels:
        """Return NEAR, LIKE or NONE for each word and name: how similar the word is to the most similar of the name."""
        found: Levels = np.zeros((len(words), len(self.names)), dtype=np.int8)
        if not len(self._use) or not words:
            return found
        use, meaning = word_vectors(), word_meanings()
        rows = [EMPTY_VECTORS if word in IGNORED else use.row(word) for word in words]
        meanings = [0 if word in IGNORED else meaning.row(word) for word in meaning_words(words)]
        for table, ours, theirs, bounds in (
            (use.table, rows, self._use, SIMILAR_USE),
            (meaning.table, meanings, self._meaning, SIMILAR_MEANING),
        ):
            cosines = np.maximum.reduceat(table[ours] @ table[theirs].T, self._ends, axis=1)
            np.maximum(found, np.searchsorted(bounds, cosines, side="right").astype(np.int8), out=found)
        return found


class _Name:
    """A name's stems, and the name without spaces."""

    def __init__(self, words: Sequence[str]) -> None:
        self.stems = tuple(stem(word) for word in words)
        self.whole = "".join(self.stems)


class _Text:
    """The stems of a text, and which words belong to each run of them."""

    def __init__(self, stems: list[str]) -> None:
        self.stems = stems
        self.runs: dict[str, set[int]] = {}
        for one in range(len(stems)):
            for two in range(one + 1, min(one + (MAX_NAME_TOKENS if is_cjk(stems[one]) else 5), len(stems)) + 1):
                self.runs.setdefault("".join(stems[one:two]), set()).update(range(one, two))

    @cached_property
    def pairs(self) -> list[set[str]]:
        """For each word the pairs with its neighbours."""
        stems = self.stems
        return [{one + two for one, two in pairwise(stems[max(n - 1, 0) : n + 2])} for n in range(len(stems))]

    def levels(self, name: _Name) -> list[int]:
        whole = self.runs.get(name.whole, ())
        return [
            FULLY if position in whole else self._part(position, word, name) for position, word in enumerate(self.stems)
        ]

    def _part(self, position: int, word: str, name: _Name) -> int:
        if is_cjk(word):
            if any(pair in name.whole for pair in self.pairs[position]):
                return PARTLY
            return LIKE if word in name.whole else NONE
        return PARTLY if word not in IGNORED and _is_part(word, name.stems) else NONE


@lru_cache(maxsize=200_000)
def _is_part(word: str, parts: tuple[str, ...]) -> bool:
    if word in parts:
        return True
    return len(word) >= 4 and any(word in part or (len(part) >= 4 and part in word) for part in parts)
