"""Training examples, and batches of them for the torch network."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ..query.grammar import (
    COLUMN,
    KEYWORD,
    KEYWORDS,
    START_STACK,
    STATES,
    TABLE,
    VALUE,
    WORD,
    Symbol,
    legal_table,
    push,
    state_index,
)
from .schema_linking import COLUMNS, QUESTION, TABLES, VALUES, LinkedQuestion

FIRST = len(KEYWORDS)  # The decoder's input at the first step, which has no symbol before it.
MAX_COLUMNS = 36
NEGATIVE_INFINITY = -1e9


@dataclass(frozen=True, slots=True)
class ParserExample:
    """A question linked to its schema, and the symbols of its query."""

    linked: LinkedQuestion
    symbols: tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's tensors; see TorchNetwork. `targets` is -100 beyond an example's end, `illegal` is added to scores."""

    bags: Tensor
    offsets: Tensor
    vectors: Tensor
    vector_offsets: Tensor
    segments: Tensor
    relations: Tensor
    hidden: Tensor
    inputs: Tensor
    states: Tensor
    targets: Tensor
    illegal: Tensor


def batches(
    examples: Sequence[ParserExample], size: int, chance: random.Random, shuffled: bool = True, wordless: float = 0.0
) -> Iterator[Batch]:
    """Yield batches of examples of about one length.

    Args:
        shuffled: for training: in random order, with columns dropped from large schemas.
        wordless: how often an item loses its spelling, so that only its relations and usually its word vector tell what
            it is.
    """
    order = list(range(len(examples)))
    if shuffled:
        chance.shuffle(order)
    chunks = []
    for start in range(0, len(order), size * 50):
        window = sorted(order[start : start + size * 50], key=lambda number: len(examples[number].linked.features))
        chunks += [window[index : index + size] for index in range(0, len(window), size)]
    if shuffled:
        chance.shuffle(chunks)
    for chunk in chunks:
        thins = [drop_columns(examples[number], chance) if shuffled else _whole(examples[number]) for number in chunk]
        yield collate(thins, wordless, chance)


@dataclass(frozen=True, slots=True)
class Subset:
    """An example with some of its items: `selected` has their indices, `targets` point into the selection."""

    linked: LinkedQuestion
    selected: np.ndarray
    symbols: list[tuple[int, str]]
    ranges: tuple[tuple[int, int], ...]


def _whole(example: ParserExample) -> Subset:
    return _thin(example, np.arange(len(example.linked.features)))


def drop_columns(example: ParserExample, chance: random.Random) -> Subset:
    """Drop columns that the answer does not need from a large schema: shorter input, different each time."""
    linked = example.linked
    start, count = linked.start(COLUMNS), linked.sizes[COLUMNS]
    used = {number for kind, number in example.symbols if kind == COLUMN}
    if count <= MAX_COLUMNS:
        return _whole(example)
    others = [number for number in range(count) if number not in used]
    columns = sorted(used | set(chance.sample(others, max(MAX_COLUMNS - len(used), 0))))
    selected = [*range(start), *(start + number for number in columns), *range(start + count, len(linked.features))]
    return _thin(example, np.array(selected))


def _thin(example: ParserExample, selected: np.ndarray) -> Subset:
    linked = example.linked
    indices = {int(item): index for index, item in enumerate(selected)}
    starts = {WORD: QUESTION, COLUMN: linked.start(COLUMNS), TABLE: linked.start(TABLES), VALUE: linked.start(VALUES)}
    stack, symbols = START_STACK, []
    for symbol in example.symbols:
        kind, number = symbol
        index = number if kind == KEYWORD else len(KEYWORDS) + indices[starts[kind] + number]
        symbols.append((index, STATES[state_index(stack)]))
        stack = push(stack, symbol)
    dropped = len(linked.features) - len(selected)
    bounds = [linked.start(COLUMNS), *(linked.start(part) - dropped for part in (TABLES, VALUES)), len(selected)]
    return Subset(linked, selected, symbols, (*pairwise(bounds), (0, linked.sizes[QUESTION])))


LEGAL = np.array(legal_table(), dtype=bool)
STATE_NUMBERS = {name: number for number, name in enumerate(STATES)}


def collate(thins: Sequence[Subset], wordless: float = 0.0, chance: random.Random | None = None) -> Batch:
    """Return the tensors of some examples, padded to the longest.

    Args:
        thins: the examples, each with its selected items.
        wordless: how often an item loses its spelling, 0 to 1.
        chance: the random generator that selects them; None: no item loses its spelling.
    """
    count, items = len(thins), max(len(thin.selected) for thin in thins)
    steps = max(len(thin.symbols) for thin in thins)
    bags: list[int] = []
    vectors: list[int] = []
    offsets, vector_offsets = [], []
    segments = np.zeros((count, items), dtype=np.int64)
    relations = np.zeros((count, items, items), dtype=np.int64)
    hidden = np.ones((count, items), dtype=bool)
    inputs = np.full((count, steps), FIRST, dtype=np.int64)
    states = np.zeros((count, steps), dtype=np.int64)
    targets = np.full((count, steps), -100, dtype=np.int64)
    illegal = np.zeros((count, steps, len(KEYWORDS) + items), dtype=np.float32)
    for row, thin in enumerate(thins):
        size = len(thin.selected)
        for item in thin.selected:
            offsets.append(len(bags))
            vector_offsets.append(len(vectors))
            left_out = chance.random() if chance else 1.0
            if left_out >= wordless:
                bags += thin.linked.features[item]
            if left_out >= wordless / 4:
                vectors += thin.linked.vectors[item]
        offsets += [len(bags)] * (items - size)
        vector_offsets += [len(vectors)] * (items - size)
        segments[row, :size] = thin.linked.segments[thin.selected]
        relations[row, :size, :size] = thin.linked.relations[np.ix_(thin.selected, thin.selected)]
        hidden[row, :size] = False
        length = len(thin.symbols)
        indices = np.array([index for index, _ in thin.symbols])
        targets[row, :length] = indices
        inputs[row, 1:length] = np.where(indices < len(KEYWORDS), indices, indices + 1)[:-1]
        states[row, :length] = [STATE_NUMBERS[state] for _, state in thin.symbols]
        illegal[row] = illegal_scores(LEGAL[states[row]], thin.ranges, items)
    bagged = (np.array(each) for each in (bags, offsets, vectors, vector_offsets))
    arrays = (*bagged, segments, relations, hidden, inputs, states, targets, illegal)
    return Batch(*(torch.from_numpy(array) for array in arrays))


def illegal_scores(legal: np.ndarray, ranges: Sequence[tuple[int, int]], items: int) -> np.ndarray:
    """Return what to add to the scores (steps, keywords + items): 0 where legal, else a large negative number.

    Args:
        ranges: first and last index of the columns, tables, values and words.
    """
    scores = np.full((len(legal), len(KEYWORDS) + items), NEGATIVE_INFINITY, dtype=np.float32)
    scores[:, : len(KEYWORDS)][legal[:, : len(KEYWORDS)]] = 0
    for kind, (start, end) in enumerate(ranges):
        scores[np.ix_(legal[:, len(KEYWORDS) + kind], np.arange(len(KEYWORDS) + start, len(KEYWORDS) + end))] = 0
    return scores
