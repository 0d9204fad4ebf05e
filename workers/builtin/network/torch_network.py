"""The network in torch, for training only; `numpy_network.py` computes the same from the same weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..query.grammar import KEYWORDS, STATES
from ..text.tokens import BUCKETS
from ..text.word_vectors import DIMENSIONS, word_vectors
from .schema_linking import RELATIONS, SEGMENTS
from .training_batches import Batch


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The network's sizes, as saved with the weights."""

    width: int = 192
    heads: int = 6
    encoder_layers: int = 4
    decoder_layers: int = 2
    inner: int = 768
    features: int = 144
    buckets: int = BUCKETS
    steps: int = 96


class Attention(nn.Module):  # type: ignore[misc]
    """Multi-head attention with an additive bias."""

    def __init__(self, shape: NetworkConfig) -> None:
        super().__init__()
        self.heads = shape.heads
        self.query = nn.Linear(shape.width, shape.width)
        self.key_value = nn.Linear(shape.width, 2 * shape.width)
        self.out = nn.Linear(shape.width, shape.width)

    def forward(self, x: Tensor, memory: Tensor, bias: Tensor) -> Tensor:
        """x (batch, n, width), memory (batch, m, width), bias broadcast to (batch, heads, n, m)."""
        batch, n, width = x.shape
        head = width // self.heads
        query = self.query(x).view(batch, n, self.heads, head).transpose(1, 2)
        key, value = self.key_value(memory).view(batch, -1, 2, self.heads, head).permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) * head**-0.5 + bias
        mixed = scores.softmax(-1) @ value
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, n, width))
        return out


class Layer(nn.Module):  # type: ignore[misc]
    """A pre-norm transformer layer, with attention to a memory where `crossed`."""

    def __init__(self, shape: NetworkConfig, crossed: bool) -> None:
        super().__init__()
        self.norm_self, self.self_attention = nn.LayerNorm(shape.width), Attention(shape)
        if crossed:
            self.norm_cross, self.cross_attention = nn.LayerNorm(shape.width), Attention(shape)
        self.norm_inner = nn.LayerNorm(shape.width)
        self.inner, self.outer = nn.Linear(shape.width, shape.inner), nn.Linear(shape.inner, shape.width)

    def forward(
        self, x: Tensor, bias: Tensor, drop: float, memory: Tensor | None = None, seen: Tensor | None = None
    ) -> Tensor:
        """Return the layer's output; `seen` is the bias that masks the memory's padding."""
        normed = self.norm_self(x)
        x = x + functional.dropout(self.self_attention(normed, normed, bias), drop, self.training)
        if memory is not None and seen is not None:
            crossed = self.cross_attention(self.norm_cross(x), memory, seen)
            x = x + functional.dropout(crossed, drop, self.training)
        inner = functional.relu(self.inner(self.norm_inner(x)))
        return x + functional.dropout(self.outer(inner), drop, self.training)


class TorchNetwork(nn.Module):  # type: ignore[misc]
    """Encoder of items with relations, decoder over symbols that points at items."""

    def __init__(self, shape: NetworkConfig, drop: float = 0.1) -> None:
        super().__init__()
        self.shape, self.drop = shape, drop
        self.features = nn.EmbeddingBag(shape.buckets, shape.features, mode="mean")
        self.widen = nn.Linear(shape.features, shape.width)
        self.register_buffer("vectors", torch.from_numpy(word_vectors().table), persistent=False)
        self.widen_vectors = nn.Linear(DIMENSIONS, shape.width, bias=False)
        self.segments = nn.Embedding(SEGMENTS, shape.width)
        self.norm_items = nn.LayerNorm(shape.width)
        self.relations = nn.Embedding(RELATIONS, shape.encoder_layers * shape.heads)
        self.encoder = nn.ModuleList(Layer(shape, crossed=False) for _ in range(shape.encoder_layers))
        self.norm_memory = nn.LayerNorm(shape.width)
        self.keywords = nn.Embedding(len(KEYWORDS) + 1, shape.width)
        self.states = nn.Embedding(len(STATES), shape.width)
        self.places = nn.Embedding(shape.steps, shape.width)
        self.pointed = nn.Linear(shape.width, shape.width)
        self.norm_symbols = nn.LayerNorm(shape.width)
        self.decoder = nn.ModuleList(Layer(shape, crossed=True) for _ in range(shape.decoder_layers))
        self.norm_out = nn.LayerNorm(shape.width)
        self.point_query, self.point_key = nn.Linear(shape.width, shape.width), nn.Linear(shape.width, shape.width)
        self.keyword_out = nn.Linear(shape.width, len(KEYWORDS))
        for table in (self.features, self.segments, self.keywords, self.states, self.places):
            nn.init.normal_(table.weight, std=0.1)
        nn.init.zeros_(self.relations.weight)
        nn.init.zeros_(self.widen_vectors.weight)

    def encode(self, batch: Batch) -> Tensor:
        """Return the memory (batch, items, width).

        Of the batch it reads:
            bags, offsets: the features of all items, one after the other, padding items with none.
            vectors, vector_offsets: likewise the rows of their words in the table of word vectors.
            segments: (batch, items); relations: (batch, items, items); hidden: (batch, items), True at padding.
        """
        shape = self.shape
        count, items = batch.segments.shape
        x = self.widen(self.features(batch.bags, batch.offsets))
        alike = functional.embedding_bag(batch.vectors, self.vectors, batch.vector_offsets, mode="mean")
        x = x + self.widen_vectors(alike)
        x = x.view(count, items, -1) + self.segments(batch.segments)
        x = functional.dropout(self.norm_items(x), self.drop, self.training)
        bias = (
            self.relations(batch.relations)
            .view(count, items, items, shape.encoder_layers, shape.heads)
            .permute(3, 0, 4, 1, 2)
        )
        bias = bias.masked_fill(batch.hidden[None, :, None, None, :], -1e9)
        for number, layer in enumerate(self.encoder):
            x = layer(x, bias[number], self.drop)
        memory: Tensor = self.norm_memory(x)
        return memory

    def decode(self, memory: Tensor, hidden: Tensor, inputs: Tensor, states: Tensor) -> Tensor:
        """Return the scores (batch, steps, keywords + items) of each next symbol.

        Args:
            inputs: (batch, steps) the symbol before each step: a keyword, or keywords + 1 + an item.
            states: (batch, steps) the grammar's state at each step.
        """
        count, steps = len(KEYWORDS) + 1, inputs.shape[1]
        items = (inputs - count).clamp(min=0)
        pointed = self.pointed(memory.gather(1, items[..., None].expand(-1, -1, memory.shape[-1])))
        x = torch.where((inputs >= count)[..., None], pointed, self.keywords(inputs.clamp(max=count - 1)))
        x = self.norm_symbols(x + self.states(states) + self.places(torch.arange(steps, device=inputs.device)))
        future = torch.full((steps, steps), -1e9, device=inputs.device).triu(1)
        seen = torch.zeros(hidden.shape, device=hidden.device).masked_fill(hidden, -1e9)[:, None, None, :]
        for layer in self.decoder:
            x = layer(x, future, self.drop, memory, seen)
        x = self.norm_out(x)
        pointers = self.point_query(x) @ self.point_key(memory).transpose(1, 2) * memory.shape[-1] ** -0.5
        return torch.cat([self.keyword_out(x), pointers], -1)
