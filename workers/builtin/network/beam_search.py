"""Beam search over whole queries: every beam obeys the grammar, the schema and the types."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..query.grammar import KEYWORDS, START_STACK, Stack, Symbol, push, state_index
from ..schema.schema_index import SchemaIndex
from .decoding_mask import DecodingMask
from .numpy_network import FIRST, Array, Network
from .schema_linking import LinkedQuestion


@dataclass(frozen=True, slots=True)
class Beam:
    """A sequence so far, the logarithm of its probability, and the grammar's stack (empty when whole)."""

    symbols: tuple[Symbol, ...]
    score: float
    stack: Stack


def beam_search(network: Network, names: SchemaIndex, linked: LinkedQuestion, width: int = 5) -> list[Beam]:
    """Return whole sequences, the likeliest first; at most `width`, none where every beam ran too long.

    Args:
        network: scores the next symbol.
        names: of the schema.
        linked: the question, linked to the schema.
        width: number of beams after each step.
    """
    memory, cache, legal = network.encode(linked), network.cache(width), DecodingMask(names, linked)
    beams, whole = [Beam((), 0.0, START_STACK)], list[Beam]()
    for _ in range(network.steps):
        inputs = [_input(legal, beam) for beam in beams]
        scores = network.step(memory, cache, inputs, [state_index(beam.stack) for beam in beams])
        chosen = _best(scores, beams, legal, width)
        whole += [beam for _, beam in chosen if not beam.stack]
        chosen = [(row, beam) for row, beam in chosen if beam.stack]
        worst = sorted((beam.score for beam in whole), reverse=True)[:width]
        if len(worst) == width:
            chosen = [(row, beam) for row, beam in chosen if beam.score > worst[-1]]
        if not chosen:
            break
        cache.reorder([row for row, _ in chosen])
        beams = [beam for _, beam in chosen]
    return sorted(whole, key=lambda beam: -beam.score)[:width]


def _input(legal: DecodingMask, beam: Beam) -> int:
    if not beam.symbols:
        return FIRST
    position = legal.position(beam.symbols[-1])
    return position if position < len(KEYWORDS) else position + 1


def _best(scores: Array, beams: list[Beam], legal: DecodingMask, width: int) -> list[tuple[int, Beam]]:
    """Return the likeliest continuations, each with the row of the beam that it continues."""
    totals = np.full(scores.shape, -np.inf, dtype=np.float64)
    for row, beam in enumerate(beams):
        mask = legal.mask(beam.stack, beam.symbols)
        if mask.any():
            allowed = scores[row][mask].astype(np.float64)
            top = allowed.max()
            totals[row][mask] = beam.score + allowed - top - np.log(np.exp(allowed - top).sum())
    flat = np.argsort(-totals, axis=None)[:width]
    found = []
    for row, position in zip(*np.unravel_index(flat, totals.shape), strict=True):
        if np.isfinite(totals[row, position]):
            symbol = legal.symbol(int(position))
            beam = beams[row]
            score = float(totals[row, position])
            found.append((int(row), Beam((*beam.symbols, symbol), score, push(beam.stack, symbol))))
    return found
