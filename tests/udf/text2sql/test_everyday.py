"""Everyday questions about five small made-up databases, for `quackllm evaluate` (see docs/builtin-model.md)."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import pytest
from quackllm.udf.text2sql.evaluation.databases import open_source

FOLDER = Path(__file__).parent / "everyday"
QUESTIONS = [json.loads(line) for line in (FOLDER / "questions.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    ("database", "asked"), [(db, list(some)) for db, some in groupby(QUESTIONS, lambda q: q["db"])]
)
def test_every_reference_gives_rows_that_a_wrong_answer_would_not_give_by_chance(
    database: str, asked: list[dict[str, str]]
) -> None:
    with open_source(str(FOLDER / Path(database).name)) as connection:
        results = [connection.execute(one["sql"]).fetchall() for one in asked]
    assert len(results) == 19
    assert all(rows and rows[0][0] is not None and rows != [(0,)] for rows in results)
