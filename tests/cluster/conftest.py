"""A connection to the module's cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import quackllm
from support.ray_cluster import Grounds, wait_until

__all__ = ["connection", "wait_until"]


@pytest.fixture
def connection(grounds: Grounds) -> Iterator[quackllm.Connection]:
    """A connection to the module's cluster, whose models go after the test."""
    with quackllm.connect(cluster=grounds.address) as opened:
        yield opened
    for model in quackllm.models(cluster=grounds.address):
        quackllm.undeploy(model.spec.name, cluster=grounds.address)
