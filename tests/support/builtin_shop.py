"""A small shop that the built-in model's tests ask about, and networks that were never trained, as fixtures."""

from __future__ import annotations

import numpy as np
import pytest
from quackllm.workers.builtin.network.numpy_network import Network
from quackllm.workers.builtin.network.schema_linking import RELATIONS, SEGMENTS, SchemaLinks
from quackllm.workers.builtin.query.grammar import KEYWORDS, STATES
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.builtin.text.tokens import BUCKETS
from quackllm.workers.builtin.text.word_vectors import DIMENSIONS
from quackllm.workers.database_schema import Column, ForeignKey, Schema, Table

SHAPE = {"width": 24, "heads": 2, "encoder_layers": 2, "decoder_layers": 1, "inner": 32, "features": 8}
SIZES = {**SHAPE, "buckets": BUCKETS, "steps": 40}


def shop_schema() -> Schema:
    customers = Table(
        "customers",
        (
            Column("id", "BIGINT", primary_key=True),
            Column("name", "VARCHAR", values=("Ann Lee", "Bob")),
            Column("city", "VARCHAR", values=("New York", "York", "Paris")),
            Column("sex", "VARCHAR", values=("F", "M")),
            Column("age", "INTEGER"),
        ),
    )
    orders = Table(
        "orders",
        (
            Column("id", "BIGINT", primary_key=True),
            Column("customer_id", "BIGINT"),
            Column("product_id", "BIGINT"),
            Column("ordered_on", "DATE"),
            Column("amount", "DOUBLE"),
        ),
    )
    products = Table(
        "products",
        (Column("id", "BIGINT", primary_key=True), Column("title", "VARCHAR", values=("Dog", "Cat food"))),
    )
    remarks = Table("remarks", (Column("text", "VARCHAR"),))
    keys = (
        ForeignKey("orders", "customer_id", "customers", "id"),
        ForeignKey("orders", "product_id", "products", "id"),
    )
    return Schema("shop", (customers, orders, products, remarks), keys)


def random_network(seed: int) -> Network:
    """A network that was never trained: whatever it answers must still keep to the schema."""
    chance = np.random.default_rng(seed)
    width, inner = SIZES["width"], SIZES["inner"]
    shapes = {
        "features.weight": (SIZES["buckets"], SIZES["features"]),
        "segments.weight": (SEGMENTS, width),
        "relations.weight": (RELATIONS, SIZES["encoder_layers"] * SIZES["heads"]),
        "keywords.weight": (len(KEYWORDS) + 1, width),
        "states.weight": (len(STATES), width),
        "places.weight": (SIZES["steps"], width),
        "widen_vectors.weight": (width, DIMENSIONS),
        **_linear("widen", SIZES["features"], width),
        **_linear("keyword_out", width, len(KEYWORDS)),
    }
    for name in ("norm_items", "norm_memory", "norm_symbols", "norm_out"):
        shapes |= _norm(name, width)
    for name in ("pointed", "point_query", "point_key"):
        shapes |= _linear(name, width, width)
    layers = [(f"encoder.{n}", ("self",)) for n in range(SIZES["encoder_layers"])]
    layers += [(f"decoder.{n}", ("self", "cross")) for n in range(SIZES["decoder_layers"])]
    for layer, attentions in layers:
        for kind in attentions:
            name = f"{layer}.{kind}_attention"
            shapes |= _linear(f"{name}.query", width, width) | _linear(f"{name}.key_value", width, 2 * width)
            shapes |= _linear(f"{name}.out", width, width) | _norm(f"{layer}.norm_{kind}", width)
        shapes |= _linear(f"{layer}.inner", width, inner) | _linear(f"{layer}.outer", inner, width)
        shapes |= _norm(f"{layer}.norm_inner", width)
    arrays = {name: chance.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    # Without this a random network goes on for ever, adding one column after another.
    arrays["keyword_out.bias"][KEYWORDS.index("END")] += 6
    return Network(arrays, SIZES)


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


@pytest.fixture
def shop() -> Schema:
    return shop_schema()


@pytest.fixture
def names(shop: Schema) -> SchemaIndex:
    return SchemaIndex(shop)


@pytest.fixture
def links(names: SchemaIndex) -> SchemaLinks:
    return SchemaLinks(names)


@pytest.fixture
def untrained() -> Network:
    return random_network(0)
