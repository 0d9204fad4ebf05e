"""The shop and its parts, as fixtures."""

from __future__ import annotations

import pytest
from builtin_shop import random_network, shop_schema
from quackllm.workers.builtin.linking import SchemaLinks
from quackllm.workers.builtin.names import Names
from quackllm.workers.builtin.network import Network
from quackllm.workers.mschema import Schema


@pytest.fixture
def shop() -> Schema:
    return shop_schema()


@pytest.fixture
def names(shop: Schema) -> Names:
    return Names(shop)


@pytest.fixture
def links(names: Names) -> SchemaLinks:
    return SchemaLinks(names)


@pytest.fixture
def untrained() -> Network:
    return random_network(0)
