"""Ray clusters of several nodes on this machine, each a raylet of its own, for the tests that need them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import quackllm

ENVIRONMENT = {"RAY_enable_infeasible_task_early_exit": "false"}


@dataclass
class Grounds:
    """A cluster and the home of its models."""

    cluster: Any
    address: str
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def add_node(self, **resources: Any) -> Any:
        """Start one more raylet."""
        return self.cluster.add_node(num_cpus=2, object_store_memory=80 << 20, **resources)

    def command(self, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run `quackllm WORDS` in a process of its own, as a user would."""
        return subprocess.run(self.words(*words), capture_output=True, text=True, env=self.environment, **more)

    def words(self, *words: str) -> list[str]:
        """The command line of `quackllm WORDS`."""
        return [str(Path(sys.executable).with_name("quackllm")), *words]


@contextmanager
def running_cluster(folder: Path, nodes: int, **head: Any) -> Iterator[Grounds]:
    """Run a head and so many more nodes; they end with the block."""
    import ray
    from ray.cluster_utils import Cluster

    home = folder / "home"
    home.mkdir()
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setenv("QUACKLLM_HOME", str(home))
        arguments = {"num_cpus": 2, "object_store_memory": 80 << 20, **head}
        cluster = Cluster(initialize_head=True, head_node_args=arguments)
        try:
            address = cluster.address
            grounds = Grounds(cluster, address, home, {**os.environ, "RAY_ADDRESS": address})
            for _ in range(nodes - 1):
                grounds.add_node()
            cluster.wait_for_nodes()
            ray.init(address=address, namespace="quackllm", log_to_driver=False, logging_level="ERROR")
            yield grounds
        finally:
            ray.shutdown()
            cluster.shutdown()


@pytest.fixture
def connection(grounds: Grounds) -> Iterator[quackllm.Connection]:
    """A connection to the module's cluster, whose models go after the test."""
    with quackllm.connect(cluster=grounds.address) as opened:
        yield opened
    for model in quackllm.models(cluster=grounds.address):
        quackllm.undeploy(model.spec.name, cluster=grounds.address)


def wait_until(met: Callable[[], bool], seconds: float = 60) -> None:
    """Return when the condition is met; fail when that takes too long."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.1)
