"""Votes: several draws of one question, grouped by what they return; the largest group wins."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field


@dataclass
class Ballot:
    """The votes of one question.

    Args:
        votes: how many draws there may be.
    """

    votes: int
    groups: dict[Hashable, list[int]] = field(default_factory=dict)
    cast: int = 0

    def add(self, key: Hashable | None) -> None:
        """Count a draw; None is a draw without SQL, which votes for nothing."""
        if key is not None:
            self.groups.setdefault(key, []).append(self.cast)
        self.cast += 1

    @property
    def is_decided(self) -> bool:
        """Whether no further draw can change the winner."""
        first, second = self._sizes()
        left = self.votes - self.cast
        return left <= 0 or first - second > left

    @property
    def needed(self) -> int:
        """The least number of further draws that can decide it: so many may be sent at once in no vain."""
        first, second = self._sizes()
        left = self.votes - self.cast
        return 0 if self.is_decided else min(left, max((left - (first - second)) // 2 + 1, 1))

    def winner(self) -> int | None:
        """Return the number of the first draw of the largest group; of equal groups, of the one drawn first."""
        return next(iter(self._firsts()), None)

    def others(self) -> list[int]:
        """Return the first draw of each other group, the largest first."""
        return self._firsts()[1:]

    def _firsts(self) -> list[int]:
        ordered = sorted(self.groups.values(), key=lambda draws: (-len(draws), draws[0]))
        return [draws[0] for draws in ordered]

    @property
    def agreement(self) -> float:
        """The share of the winner among all draws, with one draw for and one against it added."""
        return (self._sizes()[0] + 1) / (self.cast + 2)

    def _sizes(self) -> tuple[int, int]:
        sizes: Sequence[int] = sorted((len(draws) for draws in self.groups.values()), reverse=True)
        return (sizes[0] if sizes else 0, sizes[1] if len(sizes) > 1 else 0)
