"""A head and a worker node that a test starts, kills and starts again, as an operator would."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from support.ray_cluster import BIN, STORE_BYTES, command, wait_until

HERE = "127.0.0.1"


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as asked:
        asked.bind((HERE, 0))
        return int(asked.getsockname()[1])


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started, as a machine that loses its power does."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=20)
    process.wait()


@dataclass
class Node:
    """One `ray start`: a head, or a worker node of the head at `address`."""

    address: str
    head: bool
    more: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="ql", dir="/tmp")))
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        # On a machine of its own no raylet of the same cluster would make Ray think that its head still runs.
        (self.folder / "ray_current_cluster").unlink(missing_ok=True)
        port = self.address.rpartition(":")[2]
        role = ["--head", "--port", port, "--include-dashboard", "false"] if self.head else ["--address", self.address]
        folder = ["--temp-dir", str(self.folder)] if self.head else []
        line = [str(BIN / "ray"), "start", *role, "--block", "--num-cpus", "2", "--node-ip-address", HERE, *folder]
        store = ["--object-store-memory", str(STORE_BYTES), "--disable-usage-stats", *self.more]
        with (self.folder / "printed.txt").open("ab") as printed:
            environment = {**os.environ, **self.environment}
            self.process = subprocess.Popen([*line, *store], stdout=printed, stderr=printed, env=environment)
        if self.head:
            wait_until(self._up, seconds=180)

    def _up(self) -> bool:
        """Whether the head answers; a busy machine gets a second try, because Ray gives a node 30 seconds."""
        assert self.process
        if self.process.poll() is not None:
            self.start()
        return command("ray", "health-check", "--address", self.address).returncode == 0

    def kill(self) -> None:
        """Kill it and all its processes."""
        if self.process:
            kill_tree(self.process)

    def remove(self) -> None:
        """Kill it, and take its files away."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """Run a Redis that keeps nothing on disk; give its address."""
    program = shutil.which("redis-server")
    assert program, "apt install redis-server"
    port = str(free_port())
    line = [program, "--port", port, "--bind", HERE, "--save", "", "--dir", str(folder)]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL) as redis:
        try:
            yield f"{HERE}:{port}"
        finally:
            redis.terminate()
