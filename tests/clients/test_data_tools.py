"""Ibis, polars, jupysql, Harlequin and SQLAlchemy 1.4, each in its environment, on DuckDB 2.0 with our functions."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.clients
ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("data_tools.py")
BOTH = [[1, "echo: cold"], [2, "echo: fine"]]
SHOWN = {
    "ibis": [[2, "echo: fine"]],
    "polars": [["echo: cold", "echo: fine"]] * 2,
    "jupysql": BOTH,
    "harlequin": BOTH,
    "sqlalchemy14": [["review"], [["id", "INTEGER"], ["body", "VARCHAR"]], BOTH],
}
ENVIRONMENTS = {"ibis": "tools", "polars": "tools", "jupysql": "tools"}


@pytest.mark.parametrize(("tool", "shown"), SHOWN.items())
def test_a_tool_calls_models(tool: str, shown: Any, tmp_path: Path) -> None:
    python = ROOT / ".venv-clients" / ENVIRONMENTS.get(tool, tool) / "bin" / "python"
    done = subprocess.run(
        [str(python), str(SCRIPT), tool],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads([line for line in done.stdout.splitlines() if line.startswith("[")][-1]) == shown
