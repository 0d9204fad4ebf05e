"""The presets: complete, reachable by each name, and each a deployment that an engine accepts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from quackllm.workers.deployments.providers import ALIASES, ON_THIS_MACHINE, SERVICES, find_service
from quackllm.workers.engines import find_engine
from quackllm.workers.errors import SetupError

import quackllm


@pytest.mark.parametrize("name", SERVICES)
def test_each_preset_is_complete(name: str) -> None:
    service = find_service(name)
    local = service.base_url.startswith(ON_THIS_MACHINE)
    assert local or service.base_url.startswith("https://")
    assert local == (service.key_variable is None) == (service.model is None)
    settings = find_engine(service.engine).Settings(**{"model": "m", **service.settings()})
    assert settings.base_url == service.base_url
    assert service.key_variable is None or settings.api_key.get_secret_value() == f"env:{service.key_variable}"


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_its_service(alias: str) -> None:
    assert alias not in SERVICES
    assert find_service(alias) is SERVICES[ALIASES[alias]]


def test_an_unknown_service_names_the_near_ones() -> None:
    with pytest.raises(SetupError, match="saas/qianwn") as caught:
        find_service("qianwn")
    assert "'qianwen'" in caught.value.hint
    assert "saas.base_url" in caught.value.hint


def test_a_deployments_own_settings_come_first() -> None:
    settings = {**find_service("kimi").settings(), "model": "moonshot-v1-8k"}
    assert settings["model"] == "moonshot-v1-8k"
    assert settings["base_url"] == "https://api.moonshot.cn/v1"


def test_connecting_loads_no_client_of_a_deployed_service(home: Path) -> None:
    for name, type in (("a", "saas/openai"), ("b", "saas/qianwen")):
        quackllm.deploy(name, type, infer_params={"saas.model": "m", "saas.api_key": "k"})
    program = "import sys, quackllm; quackllm.connect().execute('SELECT 1'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert "quackllm.workers.engines.openai" in done.stdout.split()
    assert not {"openai", "dashscope", "aiohttp", "requests"} & set(done.stdout.split())
