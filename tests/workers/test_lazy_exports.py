"""A package's names load when they are used, and stay what they are."""

from __future__ import annotations

import subprocess
import sys

import pytest
from quackllm.workers import training

import quackllm

PROGRAM = """
import sys
import quackllm
from quackllm.workers import training
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & {"duckdb", "pydantic", "torch", "ray"}, loaded
"""


def test_importing_the_face_loads_no_library():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


@pytest.mark.parametrize("package", [quackllm, training], ids=lambda package: package.__name__)
def test_every_name_is_there_more_than_once(package):
    assert sorted(package.__all__) == dir(package)
    for name in package.__all__:
        first = getattr(package, name)
        assert callable(first), name
        assert getattr(package, name) is first or name == "deploy", "a module of that name would take its place"


def test_an_unknown_name_is_named():
    with pytest.raises(AttributeError, match=r"'quackllm.workers.training' has no attribute 'fine_tune'"):
        training.fine_tune  # noqa: B018
