"""The `byzerllm deploy` lines of Byzer's quickstart run as they stand there, with the program's name changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import quackllm
from support.command_line import error_text

KEY = "sk-a-token-of-the-shell"

SERVICE = r"""
byzerllm deploy --pretrained_model_type saas/qianwen \
--cpus_per_worker 0.001 \
--gpus_per_worker 0 \
--num_workers 2 \
--infer_params saas.api_key=${MODEL_QIANWEN_TOKEN}  saas.model=qwen-max \
--model qianwen_chat
"""

LOCAL = r"""
byzerllm deploy --pretrained_model_type custom/auto \
--infer_backend vllm \
--model_path /home/winubuntu/models/openbuddy-zephyr-7b-v14.1 \
--cpus_per_worker 0.001 \
--gpus_per_worker 1 \
--num_workers 1 \
--infer_params backend.max_model_len=28000 \
--model zephyr_7b_chat
"""


def shell(line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", line.replace("byzerllm", "quackllm")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PATH": path, **variables},
    )


def test_the_service(home: Path) -> None:
    done = shell(SERVICE, MODEL_QIANWEN_TOKEN=KEY)
    assert done.returncode == 0
    # Without a network the address is warned of, and nothing else is.
    told = "warning: qianwen_chat is deployed, but https://dashscope.aliyuncs.com/api/v1 cannot be reached: "
    assert not done.stderr or (done.stderr.startswith(told) and done.stderr.count("\n") == 1)
    assert "qianwen_chat: deployed" in done.stdout
    assert KEY not in done.stdout + (home / "models.yaml").read_text()
    spec = quackllm.status("qianwen_chat").spec
    assert (spec.type, spec.num_workers, spec.cpus_per_worker, spec.gpus_per_worker) == ("saas/qianwen", 2, 0.001, 0)
    assert (home / "keys" / "qianwen_chat.saas.api_key").read_text() == KEY
    assert shell(SERVICE, MODEL_QIANWEN_TOKEN=KEY).stdout.startswith("qianwen_chat: unchanged")


def test_a_variable_that_is_not_set_is_said() -> None:
    done = shell(SERVICE, MODEL_QIANWEN_TOKEN="")
    assert done.returncode == 1
    assert "saas.api_key has no value" in done.stderr


def test_the_local_model_is_read_whole_and_only_its_weights_are_missed() -> None:
    done = shell(LOCAL)
    text = error_text(done)
    assert done.returncode == 1
    assert "zephyr_7b_chat was not deployed: " in text
    assert "vllm" in text.lower()
