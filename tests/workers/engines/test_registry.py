"""Engines are found by name: ours, and those that other packages bring through the entry-point group."""

from __future__ import annotations

import pytest
from quackllm.workers.engines import ENGINES, find_engine
from quackllm.workers.engines.echo import EchoEngine
from quackllm.workers.errors import SetupError

from support.installed_engines import InstallEngine


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_each_of_ours_has_what_the_protocol_requires(name: str):
    engine = find_engine(name)
    assert engine.concurrency >= 1
    # What vLLM's settings do not name goes to vLLM, and is refused there.
    assert engine.Settings.model_config["extra"] == ("allow" if name == "vllm" else "forbid")


def test_another_package_brings_an_engine(install_engine: InstallEngine):
    install_engine("parrot", EchoEngine)
    assert find_engine("parrot") is EchoEngine
    with pytest.raises(SetupError, match="'parrot'"):
        find_engine("parot")
