"""Requests read from columns are those that each row alone would give."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from quackllm.udf.functions.arrow import (
    params_requests,
    request_keys,
    requests_from_arrow,
    requests_to_arrow,
    vectors_to_arrow,
)
from quackllm.udf.functions.params import read_params
from quackllm.workers.messages import Message, Request
from quackllm.workers.options import read_options
from quackllm.workers.vectors import vector_bytes

OTHERS = {
    "system": ["be brief", "be kind", None],
    "temperature": [0.5, 0.0, None],
    "response_format": [{"type": "json_object"}, None],
    "image": ["https://example.org/a.png", None],
    "stop": [["a", "b"], ["c"], None],
}


@pytest.mark.parametrize("seed", range(40))
def test_params_of_a_column_are_those_of_its_rows(seed: int) -> None:
    draw = random.Random(seed)
    chosen = {name: draw.choice(values) for name, values in OTHERS.items() if draw.random() < 0.6}
    rows = [{"instruction": draw.choice(["a", "b ü", "", None]), **chosen} for _ in range(draw.choice((1, 2, 50)))]
    if seed % 2:
        rows[-1] |= {name: draw.choice(OTHERS[name]) for name in chosen}
    column = pa.chunked_array([pa.array(rows)])
    if pa.types.is_null(column.type.field("instruction").type):
        return
    assert params_requests(column) == [read_params(row) for row in column.to_pylist()]


@pytest.mark.parametrize("seed", range(20))
def test_equal_keys_are_equal_requests(seed: int) -> None:
    draw = random.Random(seed)
    images = [(), ("https://example.org/a.png",)] if seed % 3 == 0 else [()]
    options = [read_options({}), read_options({"temperature": 0.5, "stop": ["a"]})]

    def request() -> Request | None:
        turns = tuple(
            Message(draw.choice(("system", "user")), draw.choice("ab"), draw.choice(images))
            for _ in range(draw.randint(0, 3))
        )
        return Request(turns, draw.choice(options)) if turns else None

    requests = [request() for _ in range(draw.choice((0, 1, 60)))]
    column = duckdb_column(requests_to_arrow(requests))
    keys, make = request_keys(column)
    assert [key and make(key) for key in keys] == requests == requests_from_arrow(column)
    assert len(set(keys)) == len(set(requests))


def duckdb_column(column: pa.Array) -> pa.ChunkedArray:
    """Return the column as DuckDB hands it to a function."""
    texts = pa.list_(pa.field("l", pa.string()))
    message = pa.struct({"role": pa.string(), "content": pa.string(), "images": texts})
    request = pa.struct({"messages": pa.list_(pa.field("l", message)), "options": pa.string()})
    return pa.chunked_array([column.cast(request)])


@pytest.mark.parametrize("rows", [[], [None], [[0.5, -1.0], None, [2.0], None, [0.0, 0.25]]])
def test_vectors_are_a_column_of_lists(rows: list[list[float] | None]) -> None:
    column = vectors_to_arrow([None if row is None else vector_bytes(row) for row in rows])
    assert column.type == pa.list_(pa.float32())
    assert column.to_pylist() == rows
