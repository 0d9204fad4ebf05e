"""Votes with simulated analysts: gains as the binomial says, calls as computed, and a calibrated confidence."""

from __future__ import annotations

import random
from functools import cache
from math import comb

import pytest
from quackllm.udf.text2sql.confidence.calibration import expected_calibration_error, fit, risk_at_coverage
from quackllm.udf.text2sql.confidence.score import score
from quackllm.udf.text2sql.confidence.votes import Ballot

QUESTIONS = 4_000


def vote(draw, votes: int) -> Ballot:
    """Hold one vote; the draws that can decide it are made together."""
    ballot = Ballot(votes)
    while not ballot.is_decided:
        for _ in range(ballot.needed):
            ballot.add(draw())
    return ballot


def analyst(generator: random.Random, p: float, *, shared: bool):
    """Return a draw: 'right' with probability p, else the one shared error, or an error of its own."""
    return lambda: "right" if generator.random() < p else ("wrong" if shared else generator.random())


def is_right(ballot: Ballot) -> bool:
    return 0 in ballot.groups.get("right", ()) or any(ballot.winner() == n for n in ballot.groups.get("right", ()))


@pytest.mark.parametrize("p", [0.4, 0.6, 0.75, 0.9])
@pytest.mark.parametrize("votes", [1, 3, 5, 7])
def test_a_shared_error_is_the_binomial(p: float, votes: int) -> None:
    generator = random.Random(17)
    draw = analyst(generator, p, shared=True)
    ballots = [vote(draw, votes) for _ in range(QUESTIONS)]
    expected = sum(comb(votes, k) * p**k * (1 - p) ** (votes - k) for k in range(votes // 2 + 1, votes + 1))
    right = sum(min(b.groups.get("right", [99])) == b.winner() for b in ballots) / QUESTIONS
    assert right == pytest.approx(expected, abs=0.025)
    calls = sum(ballot.cast for ballot in ballots) / QUESTIONS
    assert calls == pytest.approx(expected_calls(p, votes), abs=0.06 * votes)


def expected_calls(p: float, votes: int) -> float:
    """Return the mean number of draws with early stop, computed exactly."""

    @cache
    def after(right: int, wrong: int) -> float:
        left = votes - right - wrong
        lead = abs(right - wrong)
        if left <= 0 or lead > left:
            return right + wrong
        step = min(left, max((left - lead) // 2 + 1, 1))
        return sum(
            comb(step, k) * p**k * (1 - p) ** (step - k) * after(right + k, wrong + step - k) for k in range(step + 1)
        )

    return after(0, 0)


@pytest.mark.parametrize("p", [0.4, 0.6, 0.9])
def test_errors_that_differ_lose_against_two_who_agree(p: float) -> None:
    generator = random.Random(4)
    draw = analyst(generator, p, shared=False)
    ballots = [vote(draw, 5) for _ in range(QUESTIONS)]
    two_or_more = 1 - (1 - p) ** 5 - 5 * p * (1 - p) ** 4
    first_of_one = p * (1 - p) ** 4  # A single right draw wins only as the first one.
    right = sum(min(b.groups.get("right", [99])) == b.winner() for b in ballots) / QUESTIONS
    assert right == pytest.approx(two_or_more + first_of_one, abs=0.025)


def test_it_stops_as_soon_as_it_is_decided() -> None:
    ballot = vote(lambda: "same", 7)
    assert (ballot.cast, ballot.winner(), ballot.others()) == (4, 0, [])


def test_a_draw_without_sql_votes_for_nothing() -> None:
    answers = iter([None, "a", None])
    ballot = vote(lambda: next(answers), 3)
    assert (ballot.winner(), ballot.cast) == (1, 3)
    assert vote(lambda: None, 3).winner() is None


@pytest.mark.parametrize("shared", [True, False])
def test_the_confidence_is_calibrated_on_questions_it_was_not_fitted_to(shared: bool) -> None:
    generator = random.Random(99)
    answers = []
    for _ in range(QUESTIONS):
        ballot = vote(analyst(generator, generator.uniform(0.4, 0.9), shared=shared), 5)
        right = min(ballot.groups.get("right", [99])) == ballot.winner()
        answers.append((score(None, ballot.agreement, []), right))
    calibration = fit(answers[::2])
    held_out = [(calibration(value), right) for value, right in answers[1::2]]
    assert expected_calibration_error(held_out) <= 0.05
    wrong = [share for _, share in risk_at_coverage(held_out)]
    assert wrong[2] < wrong[-1], "the surest answers are wrong less often than all"
