"""What the cluster's directory keeps in Ray's own store outlives an upgrade."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from quackllm.workers.cluster.actors import _read_deployments
from quackllm.workers.deployments.spec import ModelSpec

from support import old_home

PICKLED = Path(old_home.__file__).with_name("home_d85c759") / "directory.pickle"


def test_a_directory_that_an_earlier_commit_wrote_is_read():
    deployments = _read_deployments(PICKLED.read_bytes())
    assert list(deployments) == ["qianwen_chat", "kimi"]
    chat, kimi = deployments.values()
    assert type(chat.spec) is ModelSpec
    assert chat.replicas == ["qianwen_chat:0123abcd:0", "qianwen_chat:0123abcd:1"]
    key = kimi.spec.infer_params["saas.api_key"]
    assert isinstance(key, SecretStr)
    assert key.get_secret_value() == "sk-canary-1234"
