"""The best k of a list by list-wise quickselect: a model ranks a few items a call, some of them pivots.

After ListK (arXiv 2603.17223): the pivots of a round come out of one ranking, and every other call of the round ranks
them among further items, so that each item falls between two of them. What is certainly among the best is ranked, what
is certainly not is left, and the items in between go on to the next round.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from .parse_answers import json_objects, loads, visible
from .shapes import Answer, unreadable
from .sql_types import Structure, closed_object

Items = list[int]
Selection = Generator[list[Items], list[Items], Items]
"""Yields the lists that are to be ranked, is sent each in its order, and returns the best items, the best first."""
LEAST_PER_CALL = 2


@dataclass(frozen=True)
class Plan:
    """How a list is ranked.

    Args:
        per_call: items that one call ranks.
        rounds: after so many rounds what is left stays in its order: a model that contradicts itself comes to an end.
    """

    per_call: int
    rounds: int

    @classmethod
    def of(cls, count: int, per_call: int) -> Plan:
        """Return the plan for so many items: twice the rounds in which each halves what is left, and two."""
        per_call = max(LEAST_PER_CALL, per_call)
        return cls(per_call, 2 + 2 * math.ceil(math.log2(max(2, count / per_call))))


def shuffled(texts: Sequence[str]) -> Items:
    """Return the places of the texts in an order that nothing but their content decides: the same in every run."""
    return sorted(range(len(texts)), key=lambda place: (_hash(texts[place]), place))


def best(items: Items, count: int, plan: Plan, rounds: int = 0) -> Selection:
    """Select the best items.

    Args:
        items: in an order that says nothing of them.
        count: how many are wanted.
        plan: how they are ranked.
        rounds: that came before.
    """
    if len(items) <= 1 or count < 1 or rounds >= plan.rounds:
        return items[: max(0, count)]
    if len(items) <= plan.per_call:
        (ranked,) = yield [items]
        return ranked[:count]
    (sample,) = yield [items[: plan.per_call]]
    pivots = _pivots(sample, count / len(items))
    rest = [item for item in items if item not in {*pivots}]
    size = plan.per_call - len(pivots)
    rankings = yield [pivots + rest[start : start + size] for start in range(0, len(rest), size)]
    parts, wanted = [], count
    for part in _between(rankings, pivots):
        if wanted > 0:
            parts.append(best(part, min(wanted, len(part)), plan, rounds + 1))
            wanted -= len(part)
    chosen = yield from together(parts)
    return [item for part in chosen for item in part][:count]


def together(selections: Sequence[Selection]) -> Generator[list[Items], list[Items], list[Items]]:
    """Run selections side by side: what they want ranked at the same time is yielded at once."""
    results: list[Items] = [[] for _ in selections]
    wanted: dict[int, list[Items]] = {}
    for place, selection in enumerate(selections):
        _advance(place, selection, None, wanted, results)
    while wanted:
        ranked = iter((yield [items for lists in wanted.values() for items in lists]))
        for place, lists in list(wanted.items()):
            _advance(place, selections[place], [next(ranked) for _ in lists], wanted, results)
    return results


def _advance(
    place: int, selection: Selection, ranked: list[Items] | None, wanted: dict[int, list[Items]], results: list[Items]
) -> None:
    """Send a selection what it waits for; note what it wants next, or what it returns."""
    wanted.pop(place, None)
    try:
        wanted[place] = next(selection) if ranked is None else selection.send(ranked)
    except StopIteration as end:
        results[place] = end.value


def _between(rankings: Sequence[Items], pivots: Items) -> Iterator[Items]:
    """Yield what lies before the first pivot, the first pivot, what lies between it and the second, and so on."""
    buckets: list[Items] = [[] for _ in range(len(pivots) + 1)]
    for ranking in rankings:
        passed = 0
        for item in ranking:
            if item in pivots:
                passed += 1
            else:
                buckets[passed].append(item)
    yield buckets[0]
    for pivot, bucket in zip(pivots, buckets[1:], strict=True):
        yield [pivot]
        yield bucket


def _pivots(sample: Items, share: float) -> Items:
    """Return the pivots: the items of a sample just before and just behind the share that is wanted.

    Between them lies where the wanted items end, so that few items go on (Floyd and Rivest, 1975). Where all are wanted
    they are put in order, and the pivots part them in three.
    """
    last = len(sample) - 1
    before, behind = last // 3, (2 * last + 2) // 3
    if share < 1:
        place = int(share * len(sample))
        before, behind = min(max(0, place - 1), last - 1), min(last, place + 1)
    return [sample[before], sample[behind]] if last > LEAST_PER_CALL else [sample[before]]


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


@dataclass(frozen=True)
class Ranking:
    """The numbers 1 to `count`, the best first.

    Numbers that a model leaves out come last, in their order; a number that is none of them, or that is there twice,
    refuses the whole.
    """

    count: int
    sql: Structure = "INTEGER[]"
    choices: tuple[str, ...] = ()

    @property
    def schema(self) -> dict[str, Any]:
        """An object whose `ranking` is the list."""
        return closed_object({"ranking": {"type": "array", "items": {"type": "integer"}}})

    def read(self, text: str, passages: Sequence[str]) -> Answer:
        """Read the list."""
        lists = [found["ranking"] for found in json_objects(text) if isinstance(found.get("ranking"), list)]
        given = lists[0] if lists else loads(visible(text))
        if not isinstance(given, list) or not given:
            return unreadable(text, "no ranking")
        if strange := [one for one in given if type(one) is not int or not 1 <= one <= self.count]:
            return unreadable(text, f"{strange[0]!r} is none of the numbers 1 to {self.count}")
        if len({*given}) < len(given):
            return unreadable(text, "a ranking with a number that is there twice")
        return Answer([*given, *(one for one in range(1, self.count + 1) if one not in given)])
