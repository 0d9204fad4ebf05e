"""`quackllm serve` as a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def served(*options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `quackllm serve`; yield its address and process."""
    command = [sys.executable, "-m", "quackllm", "serve", "--port", "0", *options]
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            found = re.search(r"http://[\w.:\[\]]+", line)
            assert found, f"the gateway did not start: {line}"
            yield found[0], process
        finally:
            process.kill()
