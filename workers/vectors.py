"""A vector as the bytes of its 32-bit numbers, little-endian: so it is stored, and Arrow reads it as it is."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable

NUMBER_BYTES = 4


def vector_bytes(numbers: Iterable[float]) -> bytes:
    """Return a vector's bytes; a number too large for 32 bits becomes infinite.

    Args:
        numbers: the vector's.

    Raises:
        TypeError: one of them is no number.
    """
    return _little_endian(array("f", numbers)).tobytes()


def vector_numbers(vector: bytes) -> array[float]:
    """Return the numbers of a vector.

    Args:
        vector: its bytes.

    Raises:
        ValueError: their number is no multiple of 4.
    """
    return _little_endian(array("f", vector))


def _little_endian(numbers: array[float]) -> array[float]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
