"""The score falls with every doubt, and a saved calibration turns it into a probability."""

from __future__ import annotations

import pytest
from quackllm.udf.text2sql.confidence.calibration import IsotonicCalibration, fit
from quackllm.udf.text2sql.confidence.doubts import Doubt
from quackllm.udf.text2sql.confidence.score import FILE, PRIOR, calibrated, save_calibration, score


def test_a_model_that_says_nothing_has_the_prior() -> None:
    assert score(None, None, []) == pytest.approx(PRIOR)
    assert score(0.9, None, []) == pytest.approx(0.9)


@pytest.mark.parametrize("kind", ["error", "empty", "all_null", "no_such_cell", "multiplied", "ignored", "model"])
def test_each_doubt_lowers_it(kind: str) -> None:
    assert score(None, None, [Doubt(kind, "")]) < PRIOR


def test_repairs_and_unbound_sql_lower_it() -> None:
    assert score(None, None, [], attempts=3) < score(None, None, [], attempts=2) < PRIOR
    assert score(None, None, [], bound=False) < PRIOR


def test_a_calibration_is_kept_per_model(home) -> None:
    assert calibrated(0.5, "m") == 0.5
    save_calibration({"m": fit([(0.5, number % 4 == 0) for number in range(400)])})
    save_calibration({"other": IsotonicCalibration((0.1,), (0.9,))})
    assert calibrated(0.5, "m") == pytest.approx(0.25, abs=0.01)
    assert calibrated(0.5, "third") == 0.5
    (home / FILE).write_text("{")
    assert calibrated(0.5, "m") == 0.5
