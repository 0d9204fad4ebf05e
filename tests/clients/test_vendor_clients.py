"""The vendors' own clients, each in an environment of its own, against a gateway over the stand-in service."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from quackllm.deploy.gateway.auth.api_keys import add_key
from quackllm.deploy.gateway.serving.server import serving
from quackllm.deploy.gateway.settings import GatewaySettings

import quackllm
from standin.fixtures import StandIn

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("vendor_clients.py")
TOKENIZERS = "others/lib/python3*/site-packages/litellm/litellm_core_utils/tokenizers"
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Basel"}'}}
SEEN = {
    "chat": "answer to: hello",
    "stream": "answer to: hello",
    "tools": {"city": "Basel"},
    "after tools": "answer to: Sunny.",
    "embeddings": [8, 8],
}
BUILT_IN = {"built-in": "SELECT COUNT(*) FROM singer"}
MORE = {
    "openai": BUILT_IN,
    "zai": BUILT_IN,
    "zhipuai": {"seed": "answer to: You are a powerful text-to-SQL model. Your job is"},
    "langchain": {"structured": {"city": "answer to: hello"}},
}


@pytest.mark.clients
@pytest.mark.parametrize("name", ["openai", "dashscope", "zai", "langchain", "litellm", "zhipuai"])
def test_a_vendors_client_needs_no_more_than_the_address(
    name: str, service: StandIn, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for model in ("glm_4", "qwen_plus"):
        quackllm.deploy(model, "saas/openai", infer_params=service.openai_params())
    asks_for_a_tool = {"fault": "reply", "text": "", "tool_calls": [CALL], "finish_reason": "tool_calls"}
    service.script([{"fault": "reply", "marker": "Sunny."}, {**asks_for_a_tool, "marker": "weather?"}])
    key = add_key(home / "keys.yaml", "alice", max_calls=100)
    python = ROOT / ".venv-clients" / ("zhipuai" if name == "zhipuai" else "others") / "bin" / "python"
    # LiteLLM's package holds the encoding that tiktoken would load from the network.
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(next((ROOT / ".venv-clients").glob(TOKENIZERS))))
    with serving(GatewaySettings(port=0)) as (address, *_):
        done = subprocess.run(
            [str(python), str(SCRIPT), address, name],
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
            env={
                "GATEWAY_KEY": key,
                "HOME": str(home),
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                "TIKTOKEN_CACHE_DIR": os.environ["TIKTOKEN_CACHE_DIR"],
            },
        )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert {field: value for field, value in seen.items() if field in SEEN} == SEEN
    assert seen | MORE.get(name, {}) == seen
    if name == "dashscope":
        assert service.requests()[0]["body"]["enable_thinking"] is False
