"""What the models of `sql_oracle.py` are asked in a test, as a fixture."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.sql_oracle import oracles


@pytest.fixture
def asked() -> Iterator[list[str]]:
    with oracles() as asked:
        yield asked
