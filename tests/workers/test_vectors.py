"""Vectors as bytes."""

from __future__ import annotations

import struct

import pytest
from quackllm.workers.vectors import vector_bytes, vector_numbers


def test_a_vector_is_its_32_bit_numbers_little_endian() -> None:
    numbers = [0.25, -2.0, 1e-3, 0.0]
    assert vector_bytes(numbers) == struct.pack("<4f", *numbers)
    assert vector_numbers(vector_bytes(numbers)).tolist() == pytest.approx(numbers)


def test_what_is_no_vector_is_refused() -> None:
    with pytest.raises(TypeError):
        vector_bytes(["x"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="multiple"):
        vector_numbers(b"12345")
