"""What a kill costs: answers that the service had sent, and that the next run asks for again.

    python benchmarks/kills.py [--kills 10] [--rows 3000] [--concurrency 256] [--latency 0.1]

A process asks a stand-in service on loopback and is killed at a random moment, with SIGKILL. The statement is run
again: its calls in all say how many were paid twice. Some of these the service had not answered when the process was
killed (in flight, which no client can save); the others are lost.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from report import tell  # noqa: E402

import quackllm  # noqa: E402
from standin.fixtures import StandIn, running_service  # noqa: E402

PROGRAM = "import quackllm; quackllm.connect().execute({statement!r}).fetchall()"
SELECT = "SELECT llm_result(chat('kill {kill}, row ' || i)) FROM range({rows}) t(i)"


def main() -> None:
    """Kill, count, run again, count again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--latency", type=float, default=0.1, help="median seconds of an answer; log-normal, σ 0.5")
    options = parser.parse_args()
    os.environ["QUACKLLM_HOME"] = tempfile.mkdtemp()
    with running_service("--latency", str(options.latency), "--sigma", "0.5") as service:
        params = service.openai_params()
        quackllm.deploy("chat", "openai", worker_concurrency=options.concurrency, infer_params=params)
        rows = [killed(service, kill, options.rows) for kill in range(options.kills)]
    columns = ("kill", "received", "paid twice", "in flight", "lost")
    tell("What a kill costs", columns, [tuple(str(value) for value in row) for row in rows])


def killed(service: StandIn, kill: int, rows: int) -> tuple[int, ...]:
    """Kill one run, and return its number, the calls received, paid twice, in flight and lost."""
    service.reset()
    program = [sys.executable, "-c", PROGRAM.format(statement=SELECT.format(kill=kill, rows=rows))]
    process = subprocess.Popen(program)
    wanted = random.Random(kill).uniform(0.1, 0.9) * rows
    while service.count() < wanted and process.poll() is None:
        time.sleep(0.001)
    killed_at = time.monotonic()
    process.kill()
    process.wait()
    time.sleep(2)  # Until the service has read what the process had sent.
    received = service.count()
    in_flight = received - service.answered(killed_at)
    subprocess.run(program, check=True)
    paid_twice = service.count() - rows
    return kill, received, paid_twice, in_flight, paid_twice - in_flight


if __name__ == "__main__":
    main()
