"""How sure an answer is: one number from what the model says, the votes and the doubts, calibrated per model."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from ....workers.atomic_files import atomic_write_text
from ....workers.home import home_folder
from .calibration import IsotonicCalibration
from .doubts import Doubt

PRIOR = 0.6  # For a model that says nothing: small open models are right in half, large ones in nine of ten questions.
FILE = "calibration.json"
# What one doubt takes off the log-odds, by its kind; and what each further attempt does.
WEIGHTS = {
    **{"error": 3.0, "empty": 1.2, "all_null": 1.5, "no_such_cell": 1.5},
    **{"multiplied": 0.7, "ignored": 0.6, "model": 0.3},
}
ATTEMPT, UNBOUND, MAX_OF_A_KIND = 0.4, 0.3, 2


def score(
    own: float | None, agreement: float | None, doubts: Sequence[Doubt], *, attempts: int = 1, bound: bool = True
) -> float:
    """Return how sure an answer is, before calibration, from 0.01 to 0.99.

    Args:
        own: the model's own probability; None if it says nothing.
        agreement: the share of the votes for the answer; None without a vote.
        doubts: what speaks against it.
        attempts: how often the model was called for it.
        bound: whether DuckDB has bound it.
    """
    shares = [share for share in (own, agreement) if share is not None] or [PRIOR]
    bounded = [min(max(share, 0.01), 0.99) for share in shares]
    odds = sum(math.log(share / (1 - share)) for share in bounded) / len(bounded)
    counts = Counter(doubt.kind for doubt in doubts)
    odds -= sum(WEIGHTS.get(kind, 0.3) * min(count, MAX_OF_A_KIND) for kind, count in counts.items())
    odds -= ATTEMPT * (attempts - 1) + (0 if bound else UNBOUND)
    return min(max(1 / (1 + math.exp(-odds)), 0.01), 0.99)


def calibrated(value: float, model: str) -> float:
    """Return the probability for a score of a model; the score itself if the model was never evaluated."""
    path = home_folder() / FILE
    known = _read(path, path.stat().st_mtime_ns if path.is_file() else 0)
    return round(known.get(model, IsotonicCalibration())(value), 3)


def save_calibration(fitted: Mapping[str, IsotonicCalibration]) -> Path:
    """Write the calibrations of some models beside those of the others, and return the file."""
    path = home_folder() / FILE
    known = {**_read(path, path.stat().st_mtime_ns if path.is_file() else 0), **fitted}
    content = {name: {"scores": each.scores, "shares": each.shares} for name, each in known.items()}
    atomic_write_text(path, json.dumps(content, indent=1))
    return path


@lru_cache(maxsize=4)
def _read(path: Path, changed_at: int) -> dict[str, IsotonicCalibration]:
    """Return the calibrations in a file; none if it cannot be read, for no answer may fail of it."""
    if not changed_at:
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
        return {
            name: IsotonicCalibration(tuple(each["scores"]), tuple(each["shares"])) for name, each in content.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
