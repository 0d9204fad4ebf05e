"""Token sequences as a dataset, and the report on them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from .chat_encoding import Encoded


def make_dataset(sequences: Sequence[Encoded]) -> Any:
    """Return a `datasets.Dataset` with the columns input_ids and labels."""
    lengths = [len(sequence.ids) for sequence in sequences]
    columns = {
        "input_ids": chain.from_iterable(sequence.ids for sequence in sequences),
        "labels": chain.from_iterable(sequence.labels for sequence in sequences),
    }
    flat = {name: np.fromiter(values, np.int32, sum(lengths)) for name, values in columns.items()}
    return _dataset(np.cumsum([0, *lengths]), flat)


def dataset_of_windows(windows: Any) -> Any:
    """Return windows (count x length, int32) as a dataset whose labels are the tokens themselves."""
    count, length = windows.shape
    return _dataset(np.arange(count + 1) * length, {"input_ids": windows.reshape(-1), "labels": windows.reshape(-1)})


def pack(dataset: Any, length: int) -> Any:
    """Return the examples packed into rows of up to `length` tokens; by their lengths, none attends to another."""
    from trl import pack_dataset

    return pack_dataset(dataset, length, "bfd")


def _dataset(ends: Any, columns: dict[str, Any]) -> Any:
    from datasets import Dataset

    offsets = pa.array(ends, pa.int64())
    lists = {name: pa.LargeListArray.from_arrays(offsets, pa.array(values)) for name, values in columns.items()}
    return Dataset(pa.table(lists))


def fingerprint(*datasets: Any) -> str:
    """Return a hash of all tokens and labels in order."""
    digest = hashlib.sha256()
    for dataset in datasets:
        for column in dataset.data.table.columns if dataset is not None else ():
            for chunk in column.chunks:
                digest.update(chunk.offsets.to_numpy().tobytes())
                digest.update(chunk.flatten().to_numpy().tobytes())
    return digest.hexdigest()
