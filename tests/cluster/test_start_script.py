"""The image's start script, run as the container runs it, but for its ports and its home."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import psutil
import pytest

from support.ray_cluster import BIN, MARKS, STORE_BYTES, wait_until
from support.ray_heads import HERE, free_port

pytestmark = MARKS

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "deploy/examples/models-without-gpu.yaml"
BESIDE_OTHERS = "--port $RAY_PORT --dashboard-agent-listen-port 0 --include-dashboard false --num-cpus 2"
RAY = f"""#!/bin/sh
[ "$1" = start ] && set -- "$@" {BESIDE_OTHERS} --object-store-memory {STORE_BYTES}
exec {BIN}/ray "$@"
"""


class Container:
    """What a container of the image has: a home, and the environment that the Dockerfile gives."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.rays = tempfile.mkdtemp(prefix="ql", dir="/tmp")  # The paths of Ray's sockets must be short.
        programs = folder / "bin"
        programs.mkdir()
        (programs / "ray").write_text(RAY)  # It shares this machine with other Rays.
        (programs / "ray").chmod(0o755)
        self.environment = {
            "PATH": f"{programs}:{BIN}:{os.environ['PATH']}",
            "HOME": str(folder),
            "QUACKLLM_HOME": str(folder / "data"),
            "RAY_AUTH_MODE": "token",
            "RAY_PORT": str(free_port()),
            "RAY_TMPDIR": self.rays,
            "RAY_USAGE_STATS_ENABLED": "0",
            "COLUMNS": "200",
        }

    def run(self, *words: str) -> str:
        """Run a command in it, as `docker compose exec` does, and return what it prints."""
        done = subprocess.run(words, capture_output=True, text=True, env=self.environment, timeout=120)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    @contextmanager
    def up(self) -> Iterator[str]:
        """Run the start script while the block runs, again where it ends early; yield the gateway's address."""
        port = free_port()
        script = self._start(port)
        try:
            for _ in range(2):  # On a machine with more to do, Ray gives up on its own parts after 15 seconds.
                if not self._serves(script):
                    self.end_all()
                    script = self._start(port)
            assert self._serves(script), self.log.read_text()
            yield f"http://{HERE}:{port}"
        finally:
            script.terminate()
            script.wait(60)
            self.end_all()

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        words = ["sh", str(ROOT / "deploy/docker/start"), str(MODELS), str(port)]
        with self.log.open("w") as log:
            return subprocess.Popen(words, env=self.environment, stdout=log, stderr=log)

    def _serves(self, script: subprocess.Popen[bytes]) -> bool:
        wait_until(lambda: "serves" in self.log.read_text() or script.poll() is not None, seconds=300)
        return script.poll() is None

    def end_all(self) -> None:
        """End Ray's processes, as a container does that ends."""
        running = [process for process in psutil.process_iter(["cmdline"]) if self.owns(process.info["cmdline"] or ())]
        for process in running:
            process.kill()
        psutil.wait_procs(running, timeout=20)

    def owns(self, command: list[str]) -> bool:
        return any(self.rays in word for word in command)


def test_the_image_brings_its_models_back_whenever_it_is_started(tmp_path: Path) -> None:
    container = Container(tmp_path)
    key = next(word for word in container.run("quackllm", "keys", "add", "me").split() if word.startswith("qk-"))
    for _ in range(2):
        with container.up() as address:
            with openai.OpenAI(base_url=f"{address}/v1", api_key=key) as client:
                with pytest.raises(openai.AuthenticationError):
                    client.with_options(api_key="wrong").models.list()
                assert "parrot" in {model.id for model in client.models.list()}
                asked = [{"role": "user", "content": "hello"}]
                answer = client.chat.completions.create(model="parrot", messages=asked)
                assert answer.choices[0].message.content == "echo: hello"
            assert "parrot" in container.run("quackllm", "list", "--cluster", "auto")
