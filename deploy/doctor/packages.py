"""Whether the packages that quackllm needs are installed, in compatible versions."""

from __future__ import annotations

import platform
import sys
from collections.abc import Collection, Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from .finding import Finding, State
from .machine import list_gpus

# Packages whose versions are shown.
REPORTED = ("duckdb", "ray", "torch", "transformers", "vllm")
TORCH_COMPANIONS = ("torchvision", "torchaudio")
DEVELOPMENT = "dev"


def check_packages(extras: Collection[str]) -> Iterator[Finding]:
    """Check the packages of quackllm's extras.

    Args:
        extras: those that a deployed model needs; of the others only installed packages are checked.
    """
    findings = [*_check_extras(extras), *_check_torch()]
    yield from findings
    if not any(finding.state == "broken" for finding in findings):
        versions = ", ".join(f"{name} {version}" for name in REPORTED if (version := find_version(name)))
        yield Finding("packages", "ok", f"Python {platform.python_version()}, {versions}")


def find_version(package: str) -> str | None:
    """Return the installed version of a package; None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def check_core() -> Iterator[Finding]:
    """Check Python, and the packages that quackllm itself needs."""
    required = metadata.metadata("quackllm")["Requires-Python"]
    if not SpecifierSet(required).contains(platform.python_version(), prereleases=True):
        text = f"this is Python {platform.python_version()}, quackllm needs {required}"
        yield Finding("Python", "broken", text, "make an environment with another Python, and install quackllm there")
    for requirement in _requirements(""):
        if problem := _version_problem(requirement, "quackllm"):
            yield Finding(requirement.name, "broken", problem, f'{_pip()} install "{_without_marker(requirement)}"')


def _check_extras(needed: Collection[str]) -> Iterator[Finding]:
    seen = {requirement.name for requirement in _requirements("")}
    for extra in sorted(_all_extras() - {DEVELOPMENT}, key=lambda name: name not in needed):
        for requirement in _requirements(extra):
            missing = find_version(requirement.name) is None
            if requirement.name in seen or (missing and extra not in needed):
                continue
            seen.add(requirement.name)
            if problem := _version_problem(requirement, f"quackllm[{extra}]"):
                state: State = "broken" if extra in needed else "warning"
                package = f"quackllm[{extra}]" if missing else _without_marker(requirement)
                yield Finding(requirement.name, state, problem, f'{_pip()} install "{package}"')


def _all_extras() -> set[str]:
    return set(metadata.metadata("quackllm").get_all("Provides-Extra") or [])


def _requirements(extra: str) -> list[Requirement]:
    """Return the requirements for this platform: quackllm's own for '', otherwise those that the extra adds."""
    every = [Requirement(text) for text in metadata.requires("quackllm") or []]
    active = [one for one in every if one.marker is None or one.marker.evaluate({"extra": extra})]
    own = {str(one) for one in every if one.marker is None or one.marker.evaluate({"extra": ""})}
    return [one for one in active if one.name != "quackllm" and (not extra or str(one) not in own)]


def _version_problem(requirement: Requirement, needed_by: str) -> str:
    version = find_version(requirement.name)
    if version is None:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(version, prereleases=True):
        return ""
    return f"{requirement.name} {version} is installed, {needed_by} needs {requirement.specifier}"


def _without_marker(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def _pip() -> str:
    return f"{sys.executable} -m pip"


def _check_torch() -> Iterator[Finding]:
    """Check that torch's build fits the machine, and that its companions are of the same build."""
    torch = find_version("torch")
    if torch is None:
        return
    build = Version(torch).local
    if build == "cpu" and list_gpus():
        text = f"torch {torch} is a build without GPU support, and this machine has {list_gpus()[0]}"
        yield Finding("torch", "warning", text, f'{_pip()} install --force-reinstall "torch<2.14"')
    for name in TORCH_COMPANIONS:
        version = find_version(name)
        if build == "cpu" and version and Version(version).local != "cpu":
            text = f"{name} {version} belongs to another build than torch {torch}: importing transformers fails"
            yield Finding(name, "broken", text, f"{_pip()} uninstall {name}")
