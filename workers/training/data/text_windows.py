"""Raw text to token windows: documents one after the other, an end token behind each, cut into equal lengths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import TrainingError
from .chat_examples import nothing_usable
from .data_files import BadRow, Row, read_data_rows

BATCH_SIZE = 1000  # Documents per tokenizer call.


@dataclass(frozen=True, slots=True)
class Texts:
    """Documents, and the rows that are none."""

    documents: list[str]
    bad: list[BadRow]


def read_texts(file: str | None, query: str | None = None, database: str | None = None) -> Texts:
    """Return the documents of a file, or of a DuckDB query, with a column `text`.

    Args:
        file: with a text in each row, or a plain text; None: a query is given.
        query: a DuckDB SELECT with a column `text`.
        database: the DuckDB file that it reads; None: an empty one.

    Raises:
        TrainingError: the file cannot be read, or holds no text; the first bad rows are named.
    """
    texts = Texts([], [])
    for row in read_data_rows(file, query, database):
        read = row if isinstance(row, BadRow) else _text(row)
        if isinstance(read, BadRow):
            texts.bad.append(read)
        else:
            texts.documents.append(read)
    if not texts.documents:
        raise nothing_usable(
            file or "the query", texts.bad, 'a row is {"text": …}; a .txt file has its documents between empty lines'
        )
    return texts


def _text(row: Row) -> str | BadRow:
    line, fields = row
    text = fields.get("text") if isinstance(fields, dict) else None
    if not isinstance(text, str):
        return BadRow(line, "no text under the key text")
    return text if text.strip() else BadRow(line, "the text is empty")


def make_windows(tokenizer: Any, documents: list[str], length: int, source: str) -> Any:
    """Return token ids in rows of `length` (int32); the few tokens after the last full window are left out.

    Args:
        tokenizer: Hugging Face's.
        documents: texts, joined by the end token.
        length: tokens of a row.
        source: the data's name, for the message.

    Raises:
        TrainingError: there is no full window.
    """
    stream = np.concatenate([*_tokens(tokenizer, documents)])
    count = len(stream) // length
    if not count:
        hint = f"type: --max-seq-length {max(8, len(stream) // 4)}   or add text"
        raise TrainingError(f"{source} has {len(stream)} tokens, fewer than one window of {length}", hint=hint)
    return stream[: count * length].reshape(count, length)


def _tokens(tokenizer: Any, documents: list[str]) -> Iterator[Any]:
    """Yield each document's tokens, those that the tokenizer puts around a text included, with an end behind them."""
    end = [tokenizer.eos_token_id]
    for start in range(0, len(documents), BATCH_SIZE):
        for ids in tokenizer(documents[start : start + BATCH_SIZE])["input_ids"]:
            yield np.array(ids if ids[-1:] == end else ids + end, np.int32)
