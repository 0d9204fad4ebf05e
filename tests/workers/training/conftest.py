from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of random weights with a chat template."""
    pytest.importorskip("trl")
    from support.tiny_llama import make_model

    return make_model(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def plain_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without a chat template."""
    pytest.importorskip("trl")
    from support.tiny_llama import make_model

    return make_model(tmp_path_factory.mktemp("base") / "plain", template=None)
