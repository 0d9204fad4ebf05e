"""The columns of answers: each row gets the answer of its key, however the rows come in chunks."""

import random
from collections import Counter
from collections.abc import Hashable

import pyarrow as pa
import pytest
from quackllm.udf.calls import statement_cache
from quackllm.udf.calls.statement_cache import StatementCache
from quackllm.udf.functions.answer_table import AnswerTable

ANSWER = pa.struct({"output": pa.string(), "numbers": pa.list_(pa.int64())})


class Source:
    """Answers keys that are known; those that begin with 'failed' may have another answer next time."""

    def __init__(self) -> None:
        self.known = True
        self.looked_up: Counter[Hashable] = Counter()

    def find(self, keys: list[Hashable]) -> tuple[pa.Array, list[bool]]:
        assert len(set(keys)) == len(keys)
        self.looked_up.update(keys)
        rows = [answer(str(key)) if self.known else None for key in keys]
        return pa.array(rows, ANSWER), [self.known and not str(key).startswith("failed") for key in keys]


def answer(key: str) -> dict[str, object]:
    """Return what a row of this key must hold."""
    return {"output": key.upper(), "numbers": [*range(len(key) % 4)]}


def random_chunks(seed: int) -> list[list[str | None]]:
    """Return chunks of random lengths, empty ones too, with NULLs, repeats and keys that fail."""
    draw = random.Random(seed)
    names = [f"{draw.choice(('failed', 'key', 'schlüssel'))} {number}" for number in range(draw.choice((1, 30, 3000)))]
    return [[draw.choice((None, *names[:50], *names)) for _ in range(draw.choice((0, 1, 7, 900)))] for _ in range(30)]


@pytest.mark.parametrize("seed", range(8))
def test_each_row_gets_the_answer_of_its_key(seed: int) -> None:
    table, source = AnswerTable(ANSWER, StatementCache()), Source()
    for chunk in random_chunks(seed):
        found = table.answers(chunk, source.find)
        assert found.type == ANSWER
        assert found.to_pylist() == [None if key is None else answer(key) for key in chunk]
    assert {count for key, count in source.looked_up.items() if not str(key).startswith("failed")} <= {1}


@pytest.mark.parametrize("size", [1, 7, 500])
def test_a_table_that_is_read_again_in_its_order_has_the_same_answers(size: int) -> None:
    table, source = AnswerTable(ANSWER, StatementCache()), Source()
    keys = [f"key {number}" for number in range(1000)]
    for _ in range(3):
        for start in range(0, len(keys), size):
            chunk = keys[start : start + size]
            found = table.answers(chunk, source.find)
            assert (found.offset, found.to_pylist()) == (0, [answer(key) for key in chunk])
    assert table.answers([keys[-1], keys[0]], source.find).to_pylist() == [answer(keys[-1]), answer(keys[0])]


def test_an_answer_that_is_missing_is_null_and_looked_for_again() -> None:
    table, source = AnswerTable(ANSWER, StatementCache()), Source()
    source.known = False
    assert table.answers(["a", "b", "a"], source.find).to_pylist() == [None] * 3
    source.known = True
    assert table.answers(["a", None], source.find).to_pylist() == [answer("a"), None]


def test_a_full_memory_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement_cache, "MAX_BYTES", 1_000)
    table, source = AnswerTable(ANSWER, StatementCache()), Source()
    chunks = [[f"key {number}" for number in range(start, start + 10)] for start in (0, 10, 0, 5)]
    for chunk in chunks:
        assert table.answers(chunk, source.find).to_pylist() == [answer(key) for key in chunk]
    assert source.looked_up["key 0"] == 1
    assert source.looked_up["key 12"] == 2
