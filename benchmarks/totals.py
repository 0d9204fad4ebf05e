"""What one question took, and what all of a contender's questions took together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from quackllm.udf.calls.prices import Price
from queries import Query
from report import short


@dataclass(frozen=True)
class Measured:
    """One question, asked by one contender: seconds, and the calls and tokens that the service counted."""

    seconds: float
    calls: int
    input_tokens: int
    output_tokens: int
    error: str = ""


@dataclass(frozen=True)
class Total:
    """Several questions together; what failed is named and counted in nothing else."""

    names: tuple[str, ...]
    failed: tuple[str, ...]
    seconds: float
    calls: int
    needed: int
    money: float

    @classmethod
    def of(cls, measured: Mapping[str, Measured], needed: Mapping[str, int], price: Price) -> Total:
        """Add up what each question took."""
        good = {name: one for name, one in measured.items() if not one.error}
        tokens_in = sum(one.input_tokens for one in good.values())
        tokens_out = sum(one.output_tokens for one in good.values())
        return cls(
            tuple(good),
            tuple(name for name, one in measured.items() if one.error),
            sum(one.seconds for one in good.values()),
            sum(one.calls for one in good.values()),
            sum(needed[name] for name in good),
            (tokens_in * price.input + tokens_out * price.output) / 1e6,
        )

    def row(self, ours: Total) -> tuple[str, ...]:
        """The cells of the report, with our own total for the same questions beside it."""
        beside = (f"{ours.calls:,}", short(ours.seconds)) if ours.names else ("", "")
        told = (str(len(self.names)), f"{self.calls:,}", f"{self.needed:,}", short(self.seconds), f"{self.money:.4f}")
        return (*told, *beside, str(len(self.failed) or ""))


@dataclass(frozen=True)
class Results:
    """All that was measured: contender, then question."""

    queries: Sequence[Query]
    needed: Mapping[str, int]
    measured: Mapping[str, Mapping[str, Measured]]
    price: Price

    def totals(self) -> dict[str, Total]:
        """Each contender's questions together."""
        return {name: Total.of(answers, self.needed, self.price) for name, answers in self.measured.items()}

    def same(self, chosen: str) -> dict[str, Total]:
        """For each contender, the chosen one's total of the same questions."""
        answers = self.measured.get(chosen, {})
        return {
            name: Total.of({key: answers[key] for key in total.names if key in answers}, self.needed, self.price)
            for name, total in self.totals().items()
        }

    def told(self, chosen: str) -> dict[str, Any]:
        """Everything, for a file."""
        return {
            "needed": dict(self.needed),
            "totals": {name: asdict(total) for name, total in self.totals().items()},
            f"{chosen}, same questions": {name: asdict(total) for name, total in self.same(chosen).items()},
            "questions": {
                name: {key: asdict(one) for key, one in answers.items()} for name, answers in self.measured.items()
            },
        }
