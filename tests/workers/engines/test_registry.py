"""Engines are found by name: ours, and those that other packages bring through the entry-point group."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest
from quackllm.workers.engines import ENGINES, ENTRY_POINT_GROUP, find_engine
from quackllm.workers.engines.echo import EchoEngine
from quackllm.workers.errors import SetupError


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_each_of_ours_has_what_the_protocol_asks(name: str):
    engine = find_engine(name)
    assert engine.concurrency >= 1
    # What vLLM's settings do not name goes to vLLM, and is refused there.
    assert engine.Settings.model_config["extra"] == ("allow" if name == "vllm" else "forbid")


def test_another_package_brings_an_engine(monkeypatch: pytest.MonkeyPatch):
    point = EntryPoint("parrot", "quackllm.workers.engines.echo:EchoEngine", ENTRY_POINT_GROUP)
    monkeypatch.setattr("quackllm.workers.engines.entry_points", lambda group: EntryPoints([point]))
    assert find_engine("parrot") is EchoEngine
    with pytest.raises(SetupError, match="'parrot'"):
        find_engine("parot")
