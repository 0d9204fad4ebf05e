"""What a process prints when it ends after it called a local model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("transformers")


def test_a_script_with_a_model_of_its_own_ends_in_silence(tiny_llama: Path) -> None:
    program = f"""
import quackllm
params = {{"backend": "transformers", "model_path": {str(tiny_llama)!r}, "backend.max_tokens": 4}}
quackllm.deploy("mine", "custom/auto", infer_params=params)
print(quackllm.connect().execute("SELECT mine('hello').model").fetchone()[0])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
