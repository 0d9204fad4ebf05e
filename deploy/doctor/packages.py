"""Whether the packages that quackllm needs are installed, in versions that go together."""

from __future__ import annotations

import platform
import sys
from collections.abc import Collection, Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from .finding import Finding, State
from .machine import gpus

NAMED = ("duckdb", "ray", "torch", "transformers", "vllm")
"""Packages whose versions are shown."""
TORCH_COMPANIONS = ("torchvision", "torchaudio")
DEVELOPERS = "dev"


def check_packages(extras: Collection[str]) -> Iterator[Finding]:
    """Look at the packages of quackllm's extras.

    Args:
        extras: those that a deployed model needs; of the others only what is installed is looked at.
    """
    faults = [*_extras(extras), *_torch()]
    yield from faults
    if not any(fault.state == "broken" for fault in faults):
        versions = ", ".join(f"{name} {found}" for name in NAMED if (found := version_of(name)))
        yield Finding("packages", "ok", f"Python {platform.python_version()}, {versions}")


def version_of(package: str) -> str | None:
    """Return the installed version of a package; None where there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def check_core() -> Iterator[Finding]:
    """Look at Python, and at the packages that quackllm itself needs."""
    wanted = metadata.metadata("quackllm")["Requires-Python"]
    if not SpecifierSet(wanted).contains(platform.python_version(), prereleases=True):
        text = f"this is Python {platform.python_version()}, quackllm needs {wanted}"
        yield Finding("Python", "broken", text, "make an environment with another Python, and install quackllm there")
    for requirement in _requirements(""):
        if fault := _version_problem(requirement, "quackllm"):
            yield Finding(requirement.name, "broken", fault, f'{_pip()} install "{_plain(requirement)}"')


def _extras(needed: Collection[str]) -> Iterator[Finding]:
    seen = {requirement.name for requirement in _requirements("")}
    for extra in sorted(_all_extras() - {DEVELOPERS}, key=lambda name: name not in needed):
        for requirement in _requirements(extra):
            missing = version_of(requirement.name) is None
            if requirement.name in seen or (missing and extra not in needed):
                continue
            seen.add(requirement.name)
            if fault := _version_problem(requirement, f"quackllm[{extra}]"):
                state: State = "broken" if extra in needed else "warning"
                what = f"quackllm[{extra}]" if missing else _plain(requirement)
                yield Finding(requirement.name, state, fault, f'{_pip()} install "{what}"')


def _all_extras() -> set[str]:
    return set(metadata.metadata("quackllm").get_all("Provides-Extra") or [])


def _requirements(extra: str) -> list[Requirement]:
    """Return what is required here: of quackllm itself where extra is '', else what the extra adds."""
    every = [Requirement(text) for text in metadata.requires("quackllm") or []]
    added = [one for one in every if (one.marker is None or one.marker.evaluate({"extra": extra}))]
    own = {str(one) for one in every if one.marker is None or one.marker.evaluate({"extra": ""})}
    return [one for one in added if one.name != "quackllm" and (not extra or str(one) not in own)]


def _version_problem(requirement: Requirement, of: str) -> str:
    found = version_of(requirement.name)
    if found is None:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(found, prereleases=True):
        return ""
    return f"{requirement.name} {found} is installed, {of} needs {requirement.specifier}"


def _plain(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def _pip() -> str:
    return f"{sys.executable} -m pip"


def _torch() -> Iterator[Finding]:
    """Look at whether torch's build fits the machine, and its relatives fit torch."""
    torch = version_of("torch")
    if torch is None:
        return
    build = Version(torch).local
    if build == "cpu" and gpus():
        text = f"torch {torch} is a build without GPUs, and this machine has {gpus()[0]}"
        yield Finding("torch", "warning", text, f'{_pip()} install --force-reinstall "torch<2.14"')
    for name in TORCH_COMPANIONS:
        found = version_of(name)
        if build == "cpu" and found and Version(found).local != "cpu":
            text = f"{name} {found} belongs to another build than torch {torch}: imports of transformers fail"
            yield Finding(name, "broken", text, f"{_pip()} uninstall {name}")
