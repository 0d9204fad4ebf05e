"""How long one waits before the first row: import, connect, the first statement, each in a fresh process.

    python benchmarks/startup.py [--rounds 5]

The limit beside it is DuckDB's own: `import duckdb, pyarrow` and `duckdb.connect()` in the same run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from statistics import median

from rich.console import Console
from rich.table import Table

PROGRAMS = {
    "import quackllm": ("", "import quackllm"),
    "quackllm.connect()": ("import quackllm", "quackllm.connect()"),
    "first llm_chat (echo)": (
        "import quackllm; c = quackllm.connect()",
        "c.execute(\"SELECT llm_chat('echo', 'x')\").fetchall()",
    ),
    "first text2sql (built-in)": (
        "import quackllm; c = quackllm.connect(); c.execute('CREATE TABLE singer (name VARCHAR, age INTEGER)')",
        "c.execute(\"SELECT text2sql('How many singers are there?')\").fetchall()",
    ),
    "DuckDB's own import and connect": ("", "import duckdb, pyarrow; duckdb.connect()"),
}


def main() -> None:
    """Print the median seconds of each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    table = Table("", "seconds", title=f"median of {rounds} fresh processes")
    for name, (before, timed) in PROGRAMS.items():
        table.add_row(name, f"{median(seconds(before, timed) for _ in range(rounds)):.3f}")
    Console().print(table)


def seconds(before: str, timed: str) -> float:
    """Return how long the timed line takes in a process of its own."""
    program = f"from time import perf_counter\n{before}\nt = perf_counter()\n{timed}\nprint(perf_counter() - t)"
    environment = {**os.environ, "QUACKLLM_HOME": tempfile.mkdtemp()}
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    return float(told.stdout.split()[-1])


if __name__ == "__main__":
    main()
