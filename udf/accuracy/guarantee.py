"""What a user states: how accurate the answers shall be, and with which confidence."""

from __future__ import annotations

from dataclasses import dataclass

from ...workers.errors import RequestError


@dataclass(frozen=True)
class Guarantee:
    """What holds of a call's answers, compared with those of the model alone, with a probability of `confidence`.

    Args:
        accuracy: the share of the distinct inputs whose answer is the model's own.
        recall: of a filter, the share of the inputs the model calls true that are TRUE.
        precision: of a filter, the share of the inputs that are TRUE that the model calls true.
        confidence: the probability that all of this holds.
    """

    accuracy: float | None = None
    recall: float | None = None
    precision: float | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        for name in ("accuracy", "recall", "precision", "confidence"):
            value = getattr(self, name)
            if value is not None and not (0.0 < value < 1.0 or (value == 1.0 and name != "confidence")):
                raise RequestError(f"{name} is {value:g}", hint=f"type a share between 0 and 1: {name} := 0.95")

    @property
    def is_stated(self) -> bool:
        """Whether anything less than the model's own answers may be given."""
        stated = [share for share in (self.accuracy, self.recall, self.precision) if share is not None]
        return bool(stated) and min(stated) < 1.0

    @property
    def risk(self) -> float:
        """The probability with which the promise may be missed."""
        return 1.0 - self.confidence
