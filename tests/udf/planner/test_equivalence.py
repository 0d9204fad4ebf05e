"""Random statements give the same with the planner and without, and the planner makes hardly a call more."""

from __future__ import annotations

from collections import Counter

import pytest

from support.sql_cases import case_of
from support.sql_statements import tally, verdicts
from support.two_sides import two_sides

PARTS, IN_EACH = 10, 51
FIRST_SEED = 1_000


@pytest.mark.parametrize("part", range(PARTS))
def test_random_statements_give_the_same_with_the_planner_and_without(part: int):
    with two_sides() as sides:
        found = list(verdicts(sides, FIRST_SEED + part * IN_EACH, IN_EACH))
    wrong = "\n\n".join(str(verdict) for verdict in found if verdict.difference)
    assert not wrong, wrong
    outcomes = Counter(map(tally, found))
    assert outcomes["rows"] > IN_EACH / 2, f"statements that give no rows compare nothing: {outcomes}"
    planned, plain = (sum(verdict.calls[side] for verdict in found) for side in (0, 1))
    assert IN_EACH < planned < plain * 1.1, "calls hidden in views and macros may be made a little in vain"


def test_the_same_seed_makes_the_same_case():
    assert str(case_of(7)) == str(case_of(7)) != str(case_of(8))
