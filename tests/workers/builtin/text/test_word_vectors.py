from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from quackllm.workers.builtin.network.schema_linking import SchemaLinks
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.builtin.text.word_vectors import (
    DIMENSIONS,
    EMPTY_VECTORS,
    WordVectors,
    word_vectors,
    write_word_vectors,
)
from quackllm.workers.database_schema import Column, Schema, Table


def alike(one: str, two: str) -> float:
    known = word_vectors()
    return float(known.table[known.row(one)] @ known.table[known.row(two)])


def test_words_used_alike_are_near() -> None:
    assert alike("car", "vehicle") > 0.6
    assert alike("pay", "salary") > 0.6
    assert alike("car", "salary") < 0.3
    assert alike("vehicles", "vehicles") > 0.98


def test_unknown_words_are_nothing() -> None:
    known = word_vectors()
    assert known.row("zzzqqq") == EMPTY_VECTORS
    assert not known.table[EMPTY_VECTORS].any()


def test_a_schema_says_which_names_a_word_is_like() -> None:
    columns = (Column("salary", "DOUBLE"), Column("hire_date", "DATE"))
    links = SchemaLinks(SchemaIndex(Schema("firm", (Table("staff", columns),))))
    found = links.matcher.similar(["wages", "of", "zzzqqq"])
    assert found.shape == (3, 3)
    assert found[0].argmax() == 0
    assert not found[1:].any()


def test_a_file_is_written_from_the_package_that_brings_the_vectors(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    words = ["one", "two", "three", "four", "five", "six", "x1", "a"]
    vectors = {word: [*chance.normal(size=DIMENSIONS).tolist(), 1.0, 0] for word in words}
    (tmp_path / "in.json").write_text(json.dumps({"vectors": vectors}))
    write_word_vectors(tmp_path / "in.json", tmp_path / "out.npz")
    read = WordVectors(tmp_path / "out.npz")
    assert list(read.rows) == ["", *words[:6]]
    np.testing.assert_allclose(np.linalg.norm(read.table[1:], axis=1), 1, atol=0.03)
