"""Probabilities of short answers: as the tokens say, through every wire and the call store, never of another text."""

from __future__ import annotations

import math
from typing import Any

import pytest
from quackllm.udf.ai.probabilities import choice_probability, number_weights
from quackllm.udf.ai.shapes import OneLabel, Score, YesOrNo

import quackllm
from standin.fixtures import StandIn

MEANINGS = YesOrNo().meanings


def token(text: str, probability: float, **others: float) -> list[tuple[str, float]]:
    """One token, then others with their probabilities."""
    return [(text, math.log(probability)), *((other, math.log(number)) for other, number in others.items())]


YES = [token("Yes", 0.6, No=0.2, yes=0.1, no=0.05, The=0.05)]


def test_a_choice_is_as_probable_as_its_spellings_among_all_choices() -> None:
    assert choice_probability(YES, True, MEANINGS) == pytest.approx(0.7 / 0.95)
    assert choice_probability([token(" yes", 0.5, no=0.5), token(".", 1.0)], True, MEANINGS) == pytest.approx(0.5)
    assert choice_probability([token("是", 0.9, 否=0.1)], True, MEANINGS) == pytest.approx(0.9)


def test_a_label_of_several_tokens_is_the_product_of_its_choices() -> None:
    meanings = OneLabel(("negative", "neutral", "positive")).meanings
    tokens = [token("ne", 0.8, pos=0.2), token("gative", 0.6, utral=0.2, w=0.2)]
    assert choice_probability(tokens, "negative", meanings) == pytest.approx(0.8 * 0.75)
    assert choice_probability([token("a", 0.8, b=0.2), token("", 1.0)], "a", {"a": "a", "ab": "ab"}) is not None


def test_tokens_of_another_text_say_nothing() -> None:
    assert choice_probability(YES, False, MEANINGS) is None
    assert choice_probability([token("Well", 0.6, Yes=0.4)], True, MEANINGS) is None
    assert number_weights([token("Good", 1.0)], Score(0, 1)) == {}
    assert OneLabel(("Up", "up")).meanings == {}


def test_a_number_is_the_mean_of_those_that_the_model_had_in_mind() -> None:
    tokens = [token("0", 0.8, **{"1": 0.2}), token(".", 1.0), token("9", 0.5, **{"7": 0.5})]
    assert number_weights(tokens, Score(0, 1)) == pytest.approx({1.0: 0.2, 0.9: 0.4, 0.7: 0.4})
    assert number_weights([token("75", 0.5, **{"80": 0.25, "999": 0.25})], Score(0, 100)) == {75: 0.5, 80: 0.25}
    assert number_weights([token("9", 0.5, **{"0": 0.5})], Score(10, 20, digits=True)) == {20: 0.5, 10: 0.5}


@pytest.mark.parametrize("wire", ["openai", "dashscope"])
def test_every_wire_returns_them_and_the_store_has_them(wire: str, service: StandIn) -> None:
    params = service.openai_params() if wire == "openai" else service.dashscope_params()
    quackllm.deploy("judge", wire, infer_params=params)
    service.script(
        [
            {"fault": "reply", "text": "Yes", "logprobs": YES, "marker": "praise"},
            {"fault": "reply", "text": "8", "logprobs": [token("8", 0.5, **{"6": 0.5})]},
        ]
    )
    statement = "SELECT ai_filter_detail('good soup', 'is praise'), ai_score_detail('good soup', 'joy', high := 10)"
    for by in ("model", "store"):
        with quackllm.connect() as connection:
            verdict, score = connection.execute(statement).fetchone() or ()
        assert (verdict["value"], verdict["by"], score["value"], score["by"]) == (True, by, 7.0, by)
        assert verdict["probability"] == pytest.approx(0.7 / 0.95)
        assert score["probability"] == pytest.approx(0.5)
        assert score["explanation"] == "the mean by the probabilities of the digits: 6 (0.50), 8 (0.50)"
    assert service.count() == 2
    body = service.requests()[0]["body"]
    options = body if wire == "openai" else body["parameters"]
    assert (options["logprobs"], options["top_logprobs"], options["max_tokens"]) == (True, 5, 11)


def test_without_probabilities_there_is_none(service: StandIn) -> None:
    quackllm.deploy("judge", "openai", infer_params=service.openai_params())
    service.script([{"fault": "reply", "text": "yes"}])
    with quackllm.connect() as connection:
        (detail,) = connection.execute("SELECT ai_filter_detail('good soup', 'is praise')").fetchone() or ()
    assert (detail["value"], detail["probability"], detail["explanation"]) == (True, None, None)


def test_a_model_that_is_cut_off_while_it_thinks_is_asked_without_a_limit(
    service: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    quackllm.deploy("judge", "openai", infer_params=service.openai_params())
    thinking: dict[str, Any] = {"fault": "reply", "text": "", "reasoning": "The soup…", "finish_reason": "length"}
    service.script([{**thinking, "option": "max_tokens"}, {"fault": "reply", "text": "yes", "reasoning": "The soup…"}])
    with quackllm.connect() as connection:
        connection.execute("CREATE TABLE review AS SELECT 'soup ' || i AS body FROM range(200) t (i)")
        rows = connection.execute("SELECT count(*) FROM review WHERE ai_filter(body, 'is praise')").fetchone()
        assert rows == (200,)
        (detail,) = connection.execute("SELECT ai_filter_detail('soup 1', 'is praise')").fetchone() or ()
    assert detail["usage"]["input_tokens"] > 0
    limited = [request for request in service.requests() if "max_tokens" in request["body"]]
    assert 1 <= len(limited) <= 64  # Those that were under way together before the first reply.
    assert [record.getMessage() for record in caplog.records].count(
        "standin is sent no max_tokens from now on: the service thinks before it answers"
    ) == 1
