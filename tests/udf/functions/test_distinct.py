"""Columns of random requests: each row has the answer of its own request, whatever stands in its chunk of rows."""

from __future__ import annotations

import random

import pytest

import quackllm

ROWS = 5_000  # More than two chunks of DuckDB's.


def random_rows(seed: int) -> list[tuple[int, str, str | None]]:
    """Return a number, a model and a prompt for each row: repeated, NULL, or empty, which fails."""
    draw = random.Random(seed)
    prompts = [None, "", "  ", "ünder", *(f"prompt {number}" for number in range(draw.choice((3, 400, 9_000))))]
    return [(row, draw.choice(("one", "two")), draw.choice(prompts)) for row in range(ROWS)]


@pytest.mark.parametrize("prefetch", ["on", "off"])
@pytest.mark.parametrize("seed", range(3))
def test_each_row_has_the_answer_to_its_own_prompt_by_its_own_model(seed: int, prefetch: str) -> None:
    for name in ("one", "two"):
        quackllm.deploy(name, "echo")
    rows = random_rows(seed)
    connection = quackllm.connect()
    connection.execute("CREATE TABLE asked (row INTEGER, model VARCHAR, prompt VARCHAR)")
    connection.execute(
        "INSERT INTO asked SELECT unnest($1), unnest($2), unnest($3)",
        [list(column) for column in zip(*rows, strict=True)],
    )
    connection.execute(f"SET VARIABLE llm_prefetch = '{prefetch}'")
    fields = "(answer).output, (answer).model, (answer).error.code, len((answer).history), answer IS NULL"
    statement = f"SELECT row, {fields} FROM (SELECT row, llm_chat(model, prompt) AS answer FROM asked) ORDER BY row"
    for _ in range(2):  # The second time all but the failures come from the call store.
        with pytest.warns(quackllm.FailedRowsWarning, match="4 requests got no complete answer: 4 × empty_prompt"):
            found = connection.execute(statement).fetchall()
        assert found == [(row, *expected(model, prompt)) for row, model, prompt in rows]


def expected(model: str, prompt: str | None) -> tuple[str | None, str | None, str | None, int | None, bool]:
    """Return what a row's fields must be."""
    if prompt is None:
        return None, None, None, None, True
    if not prompt.strip():
        return None, model, "empty_prompt", 0, False
    return f"echo: {prompt}", model, None, 2, False


def test_vectors_and_answers_to_the_same_texts_are_told_apart() -> None:
    quackllm.deploy("one", "echo", infer_params={"dimensions": 3})
    texts = "(SELECT CASE WHEN i % 7 > 0 THEN 'text ' || i % 900 END AS text FROM range(5000) t(i))"
    statement = f"SELECT text, llm_result(one(text)), llm_embed('one', text) FROM {texts}"
    rows = quackllm.connect().execute(statement).fetchall()
    assert len(rows) == ROWS
    assert {(text is None, answer is None, vector is None) for text, answer, vector in rows} == {
        (True,) * 3,
        (False,) * 3,
    }
    assert all(answer == f"echo: {text}" and len(vector) == 3 for text, answer, vector in rows if text)
    assert len({tuple(vector) for text, _, vector in rows if text}) == len({text for text, _, _ in rows if text})
