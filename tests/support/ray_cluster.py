"""Ray clusters of several nodes on this machine, each a raylet of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

MARKS = [
    pytest.mark.cluster,
    # Ray's own, about files and sockets that it leaves to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*:DeprecationWarning"),
]
BIN = Path(sys.executable).parent
STORE_BYTES = 80 << 20


@dataclass
class Grounds:
    """A cluster, and the home of its models."""

    cluster: Any
    address: str
    home: Path

    def add_node(self, **more: Any) -> Any:
        """Start one more raylet."""
        return self.cluster.add_node(num_cpus=2, object_store_memory=STORE_BYTES, **more)

    @property
    def dashboard(self) -> str:
        """The address that `ray job submit` takes."""
        return f"http://{self.cluster.head_node.webui_url}"


def command(*words: str, seconds: float = 300, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of this environment, as a user would type it."""
    line = [str(BIN / words[0]), *words[1:]]
    return subprocess.run(
        line, capture_output=True, text=True, env={**os.environ, **environment}, timeout=seconds, check=False
    )


PROGRAM = """
import sys, quackllm
connection = quackllm.connect(cluster=sys.argv[1])
for line in sys.stdin:
    try:
        print("rows", connection.execute(line).fetchall(), flush=True)
    except quackllm.QuackLLMError as error:
        print("error", repr(str(error)), flush=True)
"""


class Program:
    """A user's program that stays connected to a cluster."""

    def __init__(self, address: str, **environment: str) -> None:
        pipe, line = subprocess.PIPE, [str(BIN / "python"), "-c", PROGRAM, address]
        more = {"stderr": subprocess.DEVNULL, "text": True, "env": {**os.environ, **environment}}
        self.process = subprocess.Popen(line, stdin=pipe, stdout=pipe, **more)

    def ask(self, sql: str) -> str:
        """Run a statement there, and return its rows or its error as the program printed them."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(sql + "\n")
        self.process.stdin.flush()
        lines = (str(line.strip()) for line in self.process.stdout)
        return next(line for line in lines if line.startswith(("rows ", "error ")))  # Ray prints what it retries.

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.communicate()


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
        arguments = {"num_cpus": 2, "object_store_memory": STORE_BYTES, "include_dashboard": False, **head}
        cluster = Cluster()
        try:
            patiently(lambda: cluster.add_node(**arguments))
            grounds = Grounds(cluster, cluster.address, home)
            for _ in range(nodes - 1):
                patiently(grounds.add_node)
            cluster.wait_for_nodes()
            ray.init(address=cluster.address, namespace="quackllm", log_to_driver=False, logging_level="ERROR")
            yield grounds
        finally:
            ray.shutdown()
            cluster.shutdown()


def patiently(start: Callable[[], object]) -> None:
    """Start a node; a busy machine gets a second try, because Ray gives it 30 seconds."""
    try:
        start()
    except Exception as error:
        if "timed out" not in str(error):
            raise
        start()


def wait_until(met: Callable[[], bool], seconds: float = 90) -> None:
    """Return when the condition is met; fail when that takes too long."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.1)
