"""`ai_top` and `ai_best`: the elements themselves, each once, in as many calls as the algorithm says."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from quackllm.udf.ai.ranking import Plan, Ranking, best, shuffled, together

import quackllm
from standin.fixtures import StandIn

COUNT = 300
ANSWERS = "SELECT list('answer ' || i || ' is worth ' || (i * 7919 % 1009)) AS answers FROM range({count}) t (i)"


def simulated(texts: list[str], wanted: int, worth: Callable[[str], float]) -> tuple[list[str], int]:
    """The best texts by the algorithm and a judge that never errs, and the calls that it takes."""
    selections = together([best(shuffled(texts), wanted, Plan.of(len(texts), 10))])
    calls, windows = 0, next(selections)
    try:
        while True:
            calls += len(windows)
            windows = selections.send([sorted(window, key=lambda item: -worth(texts[item])) for window in windows])
    except StopIteration as end:
        return [texts[item] for item in end.value[0]], calls


def worth_of(text: str) -> int:
    return int(text.rpartition(" ")[2])


@pytest.fixture
def connection(service: StandIn) -> Iterator[quackllm.Connection]:
    quackllm.deploy("judge", "openai", infer_params=service.openai_params())
    with quackllm.connect() as connection:
        connection.execute(f"CREATE TABLE given AS {ANSWERS.format(count=COUNT)}")
        yield connection


@pytest.mark.parametrize("wanted", [1, 7, 40, COUNT, 2 * COUNT])
def test_the_best_come_first_in_as_many_calls_as_computed(
    wanted: int, connection: quackllm.Connection, service: StandIn
) -> None:
    (texts,) = connection.execute("SELECT answers FROM given").fetchone() or ()
    (found,) = connection.execute(f"SELECT ai_top(answers, {wanted}, 'worth') FROM given").fetchone() or ()
    assert found == sorted(texts, key=worth_of, reverse=True)[:wanted]
    expected, calls = simulated(texts, wanted, worth_of)
    assert (found, service.count()) == (expected, calls)
    if wanted <= 7:
        assert calls < 1.5 * COUNT / 8  # Two of the ten texts of a call are pivots.


def test_the_best_one_and_the_order_of_the_list_make_no_further_call(
    connection: quackllm.Connection, service: StandIn
) -> None:
    (found,) = connection.execute("SELECT ai_best(answers, 'worth') FROM given").fetchone() or ()
    assert worth_of(found) == max(number * 7919 % 1009 for number in range(COUNT))
    asked = service.count()
    (again,) = connection.execute("SELECT ai_best(list_reverse(answers), 'worth') FROM given").fetchone() or ()
    assert (again, service.count()) == (found, asked)


@pytest.mark.parametrize("said", ["[1]", "[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]", "draw"])
def test_a_judge_that_lies_costs_no_more_than_the_rounds(said: str) -> None:
    texts = [f"answer {number}" for number in range(1000)]
    draw = random.Random(7)
    judges: dict[str, Callable[[str], float]] = {"draw": lambda _: draw.random(), "[1]": lambda _: 0.0}
    found, calls = simulated(texts, 10, judges.get(said, lambda text: -len(text)))
    assert len(found) == len({*found} & {*texts}) == 10
    plan = Plan.of(1000, 10)
    assert calls <= plan.rounds * 1000 / 8


def test_a_service_that_lies_gives_elements_each_once(connection: quackllm.Connection, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": '{"ranking": [2, 1]}'}])
    (texts, found) = connection.execute("SELECT answers, ai_top(answers, 20, 'worth') FROM given").fetchone() or ()
    assert len(found) == len({*found} & {*texts}) == 20


@pytest.mark.filterwarnings("ignore:1 request got no complete answer")
def test_a_ranking_that_is_none_makes_the_answer_null(connection: quackllm.Connection, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": '{"ranking": [11, 1]}'}])
    (detail,) = connection.execute("SELECT ai_top_detail(answers, 3, 'worth') FROM given").fetchone() or ()
    assert (detail["value"], detail["error"]["code"]) == (None, "unreadable")
    assert detail["error"]["message"] == "1 of 1 rankings failed: 11 is none of the numbers 1 to 10"
    assert service.count() == 2  # The first call, and its repeat.


def test_elements_of_any_type_come_back_as_they_are(connection: quackllm.Connection, service: StandIn) -> None:
    rows = "SELECT unnest([{'n': i, 'say': 'worth ' || i} FOR i IN [3, 9, 4]]) AS r"
    assert connection.execute(f"SELECT ai_top(list(r), 2, 'worth') FROM ({rows})").fetchone() == (
        [{"n": 9, "say": "worth 9"}, {"n": 4, "say": "worth 4"}],
    )
    row = connection.execute(
        "SELECT ai_top(['worth 1', NULL, 'worth 2'], 5, 'x'), ai_top([], 2, 'x'), ai_top(NULL, 2, 'x'), "
        "ai_top(['a'], NULL, 'x'), ai_best([7], 'x'), ai_top_detail(['worth 1', 'worth 2'], 1, 'x')"
    ).fetchone()
    assert row is not None
    assert row[:5] == (["worth 2", "worth 1"], [], None, None, 7)
    assert (row[5]["value"], row[5]["explanation"], row[5]["by"]) == (["worth 2"], "1 call in 1 round", "model")
    assert service.count() == 2


@pytest.mark.parametrize(
    ("call", "message", "hint"),
    [
        ("ai_top(['a'], 0, 'x')", "the best 0 elements cannot be chosen", "type a number from 1"),
        ("ai_top(['a'], 1, '')", "there is no criterion", "type ai_top"),
        ("ai_top('a', 1, 'x')", "this takes a list, not", "type a list"),
    ],
)
def test_what_cannot_be_ranked_is_an_error_that_says_what_to_type(
    call: str, message: str, hint: str, connection: quackllm.Connection, service: StandIn
) -> None:
    with pytest.raises(quackllm.QuackLLMError) as raised:
        connection.execute(f"SELECT {call}")
    assert message in str(raised.value)
    assert hint in str(raised.value)
    assert service.count() == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('Here: {"ranking": [3, 1]}', [3, 1, 2]),
        ("```\n[2, 3, 1]\n```", None),
        ("[2, 3, 1]", [2, 3, 1]),
        ('{"ranking": [1, 1]}', None),
        ('{"ranking": [true, 2]}', None),
        ('{"ranking": []}', None),
        ("3 > 1 > 2", None),
    ],
)
def test_how_a_ranking_is_read(text: str, value: Any) -> None:
    assert Ranking(3).read(text, ()).value == value
