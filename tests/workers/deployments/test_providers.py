"""The presets: complete, reachable by each name, and each a deployment that an engine accepts."""

from __future__ import annotations

import pytest
from quackllm.workers.deployments.providers import ALIASES, ON_THIS_MACHINE, SERVICES, find_service
from quackllm.workers.engines import find_engine
from quackllm.workers.errors import SetupError


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
