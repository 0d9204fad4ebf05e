"""A warning of failed rows points at the user's own line, and is shown once for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import quackllm
from standin.fixtures import StandIn

SCRIPT = """\
import quackllm
connection = quackllm.connect()
SQL = "SELECT llm_result(chat('x')) AS r"
connection.execute("CREATE TABLE kept (r VARCHAR)")
"""
LINES = [
    "connection.execute(SQL).fetchall()",
    "connection.execute(SQL).df()",
    "connection.executemany('INSERT INTO kept SELECT llm_result(chat(?))', [['x']])",
    "connection.sql(SQL).fetchall()",
    "print(connection.sql(SQL))",
    "connection.query(SQL).create('made')",
    "connection.sql('CREATE TABLE made AS ' + SQL)",
]


@pytest.mark.parametrize("line", LINES)
def test_the_warning_points_at_the_users_line_once(line: str, tmp_path: Path, service: StandIn) -> None:
    quackllm.deploy("chat", "openai", infer_params=service.openai_params())
    service.script([{"fault": "refused_content", "times": 9}])
    script = tmp_path / "user.py"
    script.write_text(f"{SCRIPT}{line}\n")
    command = [sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    warned = [text for text in done.stderr.splitlines() if "FailedRowsWarning" in text]
    assert len(warned) == 1, done.stderr
    assert warned[0].startswith(f"{script}:5: FailedRowsWarning: 1 request got no complete answer")
