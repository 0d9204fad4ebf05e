"""The network in numpy: what torch_network.py trains, one question at a time, without torch.

The encoder is a pre-norm transformer (Vaswani et al. 2017; Xiong et al. 2020) whose attention scores
get a learned bias for each pair's relation (Shaw et al. 2018; RAT-SQL, Wang et al. 2020); the decoder
points at encoder items by scaled dot products (Vinyals et al. 2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..query.grammar import KEYWORDS
from ..text.word_vectors import word_vectors
from .schema_linking import LinkedQuestion
from .weights_file import WEIGHTS, Arrays, load_weights

Array = NDArray[np.float32]
FIRST = len(KEYWORDS)  # The decoder's input at the first step, which has no symbol before it.


@dataclass(slots=True)
class EncoderMemory:
    """An encoded question.

    Args:
        vectors: (items, width) as decoder inputs; keys: (items, width) as pointer keys.
        crossed: for each decoder layer, keys (heads, head, items) and values (heads, items, head).
    """

    vectors: Array
    keys: Array
    crossed: list[tuple[Array, Array]]


class Cache:
    """The decoder's keys and values of the steps so far (layers, beams, heads, steps, head)."""

    def __init__(self, layers: int, beams: int, heads: int, steps: int, head: int) -> None:
        self.keys = np.zeros((layers, beams, heads, steps, head), dtype=np.float32)
        self.values = np.zeros_like(self.keys)
        self.length = 0

    def reorder(self, rows: list[int]) -> None:
        """Continue from these beams: row i takes the keys and values of row rows[i]."""
        for array in (self.keys, self.values):
            array[:, : len(rows), :, : self.length] = array[:, rows, :, : self.length]


class Network:
    """The network in numpy. Thread-safe: it has no state between questions."""

    def __init__(self, arrays: Arrays, shape: dict[str, int]) -> None:
        self.arrays = arrays
        self.table = word_vectors().table
        self.width, self.heads, self.steps = shape["width"], shape["heads"], shape["steps"]
        self.encoder_layers, self.decoder_layers = shape["encoder_layers"], shape["decoder_layers"]
        self.head = self.width // self.heads

    def encode(self, linked: LinkedQuestion) -> EncoderMemory:
        """Return the memory of a linked question."""
        sizes = np.array([max(len(bag), 1) for bag in linked.features])
        ends = np.cumsum([len(bag) for bag in linked.features])
        rows = self.arrays["features.weight"][list(chain.from_iterable(linked.features))]
        sums = np.vstack([np.zeros((1, rows.shape[1]), dtype=np.float32), np.cumsum(rows, axis=0)])
        means = (sums[ends] - sums[np.concatenate([[0], ends[:-1]])]) / sizes[:, None]
        x = self._linear("widen", means.astype(np.float32)) + self.arrays["segments.weight"][linked.segments]
        x += self._vectors(linked) @ self.arrays["widen_vectors.weight"].T
        x = self._norm("norm_items", x)
        bias = self.arrays["relations.weight"][linked.relations]
        for layer in range(self.encoder_layers):
            own = bias[:, :, layer * self.heads : (layer + 1) * self.heads].transpose(2, 0, 1)
            x = self._encoder_layer(f"encoder.{layer}", x, own)
        x = self._norm("norm_memory", x)
        crossed = [self._key_value(f"decoder.{layer}.cross_attention", x) for layer in range(self.decoder_layers)]
        return EncoderMemory(self._linear("pointed", x), self._linear("point_key", x), crossed)

    def _vectors(self, linked: LinkedQuestion) -> Array:
        """Return the mean of the vectors of each item's words, (items, dimensions)."""
        rows = self.table[list(chain.from_iterable(linked.vectors))]
        sizes = np.array([len(one) for one in linked.vectors])
        sums = np.add.reduceat(rows, np.cumsum(sizes) - sizes)
        means: Array = (sums / sizes[:, None]).astype(np.float32)
        return means

    def cache(self, beams: int) -> Cache:
        """Return an empty cache for so many beams."""
        return Cache(self.decoder_layers, beams, self.heads, self.steps, self.head)

    def step(self, memory: EncoderMemory, cache: Cache, inputs: list[int], states: list[int]) -> Array:
        """Return the scores (beams, keywords + items) of the next symbol of each beam.

        Args:
            inputs: the symbol before: a keyword's number, FIRST, or FIRST + 1 + an item.
            states: the grammar's state.
        """
        position, beams = cache.length, len(inputs)
        cache.length += 1
        given = [self._input(memory, symbol) for symbol in inputs]
        x = np.stack(given) + self.arrays["states.weight"][states] + self.arrays["places.weight"][position]
        x = self._norm("norm_symbols", x)
        for number in range(self.decoder_layers):
            x = self._decoder_layer(number, x, cache, memory, beams)
        x = self._norm("norm_out", x)
        pointers = self._linear("point_query", x) @ memory.keys.T * self.width**-0.5
        return np.concatenate([self._linear("keyword_out", x), pointers], axis=1)

    def _input(self, memory: EncoderMemory, symbol: int) -> Array:
        given: Array = self.arrays["keywords.weight"][symbol] if symbol <= FIRST else memory.vectors[symbol - FIRST - 1]
        return given

    def _linear(self, name: str, x: Array) -> Array:
        out: Array = x @ self.arrays[f"{name}.weight"].T + self.arrays[f"{name}.bias"]
        return out

    def _norm(self, name: str, x: Array) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        scale = 1 / np.sqrt((centred * centred).mean(-1, keepdims=True) + np.float32(1e-5))
        out: Array = centred * scale * self.arrays[f"{name}.weight"] + self.arrays[f"{name}.bias"]
        return out

    def _key_value(self, name: str, x: Array) -> tuple[Array, Array]:
        both = self._linear(f"{name}.key_value", x).reshape(len(x), 2, self.heads, self.head)
        return both[:, 0].transpose(1, 2, 0), both[:, 1].transpose(1, 0, 2)

    def _encoder_layer(self, name: str, x: Array, bias: Array) -> Array:
        normed = self._norm(f"{name}.norm_self", x)
        query = self._linear(f"{name}.self_attention.query", normed).reshape(len(x), self.heads, self.head)
        key, value = self._key_value(f"{name}.self_attention", normed)
        weights = softmax(query.transpose(1, 0, 2) @ key * self.head**-0.5 + bias)
        mixed = (weights @ value).transpose(1, 0, 2).reshape(len(x), self.width)
        x = x + self._linear(f"{name}.self_attention.out", mixed)
        return self._inner(name, x)

    def _inner(self, name: str, x: Array) -> Array:
        inner = np.maximum(self._linear(f"{name}.inner", self._norm(f"{name}.norm_inner", x)), 0)
        return x + self._linear(f"{name}.outer", inner)

    def _decoder_layer(self, number: int, x: Array, cache: Cache, memory: EncoderMemory, beams: int) -> Array:
        name, shape = f"decoder.{number}", (beams, self.heads, self.head)
        normed = self._norm(f"{name}.norm_self", x)
        both = self._linear(f"{name}.self_attention.key_value", normed).reshape(beams, 2, self.heads, self.head)
        cache.keys[number, :beams, :, cache.length - 1] = both[:, 0]
        cache.values[number, :beams, :, cache.length - 1] = both[:, 1]
        keys, values = (array[number, :beams, :, : cache.length] for array in (cache.keys, cache.values))
        query = self._linear(f"{name}.self_attention.query", normed).reshape(shape)
        weights = softmax((keys @ query[..., None])[..., 0] * self.head**-0.5)
        mixed = (weights[:, :, None] @ values).reshape(beams, self.width)
        x = x + self._linear(f"{name}.self_attention.out", mixed)
        query = self._linear(f"{name}.cross_attention.query", self._norm(f"{name}.norm_cross", x)).reshape(shape)
        key, value = memory.crossed[number]
        weights = softmax(query.transpose(1, 0, 2) @ key * self.head**-0.5)
        mixed = (weights @ value).transpose(1, 0, 2).reshape(beams, self.width)
        x = x + self._linear(f"{name}.cross_attention.out", mixed)
        return self._inner(name, x)


def softmax(scores: Array) -> Array:
    """Return the probabilities along the last axis."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    out: Array = powers / powers.sum(-1, keepdims=True)
    return out


@lru_cache(maxsize=2)
def load_network(path: Path = WEIGHTS) -> Network:
    """Return the network of a weights file, loaded once."""
    return Network(*load_weights(path))
