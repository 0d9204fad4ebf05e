"""Embeddings: the built-in encoder needs no key, a text is embedded once, and a deployed model serves as well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from quackllm.workers.engines import encoder

import quackllm
from standin.fixtures import StandIn


@pytest.fixture
def connection() -> Iterator[quackllm.Connection]:
    with quackllm.connect() as connection:
        connection.execute("CREATE TABLE review (id INTEGER, body VARCHAR)")
        connection.execute(
            "INSERT INTO review VALUES (1, 'The soup was cold.'), (2, 'The waiter was friendly.'), (3, '汤是凉的。'), "
            "(4, NULL)"
        )
        yield connection


def test_a_text_has_a_vector_of_512_numbers(connection: quackllm.Connection) -> None:
    rows = connection.execute("SELECT typeof(ai_embed(body)), len(ai_embed(body)) FROM review ORDER BY id").fetchall()
    assert rows == [("FLOAT[]", 512)] * 3 + [("FLOAT[]", None)]


def test_texts_that_mean_the_same_are_near_in_two_languages(connection: quackllm.Connection) -> None:
    rows = connection.execute("FROM ai_near('review', body, 'a cold soup', k := 3)").fetchall()
    assert [row[0] for row in rows][-1] == 2
    assert all(-1 <= similarity <= 1 for *_, similarity in rows)
    assert connection.execute("SELECT round(ai_similarity('soup', 'soup'), 3)").fetchone() == (1.0,)


def test_a_text_is_embedded_once(connection: quackllm.Connection) -> None:
    for _ in range(2):
        connection.execute("SELECT ai_embed(body) FROM review, range(50)").fetchall()
        assert connection.execute("SELECT calls FROM llm_usage() WHERE model = 'builtin_encoder'").fetchone() == (3,)


def test_the_weights_are_loaded_once_for_the_first_text(connection: quackllm.Connection) -> None:
    encoder._encoder.cache_clear()
    with quackllm.connect() as other:
        assert encoder._encoder.cache_info().currsize == 0
        for text in ("one", "two"):
            connection.execute("SELECT ai_embed($1)", [text]).fetchall()
            other.execute("SELECT ai_embed($1)", [f"{text} more"]).fetchall()
    assert encoder._encoder.cache_info().misses == 1


def test_a_deployed_model_embeds_as_well(connection: quackllm.Connection, service: StandIn) -> None:
    quackllm.deploy("vectors", "openai", infer_params=service.openai_params())
    assert connection.execute("SELECT len(ai_embed('soup', model := 'vectors'))").fetchone() == (8,)
    assert service.count() == 1


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_encoder_answers_no_chat(connection: quackllm.Connection) -> None:
    row = connection.execute("SELECT ai_filter_detail('x', 'is it?', model := 'builtin_encoder').error.code").fetchone()
    assert row == ("no_chat",)
