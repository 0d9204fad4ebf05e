"""Runs a peer's script in an environment of its own, made on first use in `.bench/NAME` from its requirements."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
ENVIRONMENTS = FOLDER.parent.parent / ".bench"
SCRIPTS = {"BlendSQL": "blendsql_queries", "LOTUS": "lotus_operators", "Daft": "daft_prompt"}
MOST_SECONDS = 300  # to install a peer, or to answer one job
OFFLINE = {"DO_NOT_TRACK": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
"""No peer waits for the network while its time is taken."""


class PeerError(Exception):
    """A peer could not be installed or did not run."""


def ask_peer(name: str, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a peer on a job of `job.py` and return what it measured, a dict for each question.

    Raises:
        PeerError: it could not be installed or ended early; the message is its last words.
    """
    script = FOLDER / f"{SCRIPTS[name]}.py"
    command = [str(_environment(name.lower())), str(script)]
    settings = {**os.environ, "XDG_CACHE_HOME": job["cache"], **OFFLINE}
    told = _run(command, input=json.dumps(job), env=settings)
    measured: list[dict[str, Any]] = json.loads(told.splitlines()[-1])
    return measured


def _environment(name: str) -> Path:
    folder = ENVIRONMENTS / name
    python = folder / "bin" / "python"
    needed = (FOLDER / f"{name}.txt").read_text("utf-8")
    ready = folder / "installed.txt"
    if not ready.is_file() or ready.read_text("utf-8") != needed:
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--requirement", str(FOLDER / f"{name}.txt")])
        ready.write_text(needed, "utf-8")
    return python


def _run(command: list[str], **more: Any) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, check=False, **more)
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"{' '.join(command[:4])}: still running after {MOST_SECONDS} s") from error
    if done.returncode:
        last = (done.stderr.strip() or "no word").splitlines()[-1]
        raise PeerError(f"{' '.join(command[:4])}: {last}")
    return done.stdout
