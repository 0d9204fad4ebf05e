from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.deploy_files import COMPOSE, DOCKER, ROOT, instructions, load

SCHEMA = json.loads((Path(__file__).parents[2] / "support" / "schemas" / "compose.json").read_text("utf-8"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
INSTRUCTIONS = instructions()
LINUX = {"platform_system": "Linux", "platform_machine": "x86_64"}
SERVICES = load(COMPOSE)["services"]


def complaints(compose: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in Draft7Validator(SCHEMA).iter_errors(compose)]


def stages() -> dict[str, str]:
    """Return the text of each stage of the Dockerfile, by its name; the last one has none."""
    text = "\n".join(f"{word} {rest}" for word, rest in INSTRUCTIONS)
    parts = [part.partition("\n") for part in re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]]
    return {first.partition(" AS ")[2]: rest for first, _, rest in parts}


def copied() -> list[str]:
    """Return each path that the image takes from the repository."""
    mounted = [source for _, rest in INSTRUCTIONS for source in re.findall(r"--mount=source=([^,\s]+)", rest)]
    return mounted + [rest.split()[-2] for word, rest in INSTRUCTIONS if word == "COPY"]


def needed(extras: set[str]) -> list[Requirement]:
    """Return what the package needs with these extras, those that an extra names itself included."""
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    found = [Requirement(line) for line in lines]
    named = {extra for requirement in found if requirement.name == PROJECT["name"] for extra in requirement.extras}
    if not named <= extras:
        return needed(extras | named)
    return [
        requirement
        for requirement in found
        if requirement.name != PROJECT["name"] and (not requirement.marker or requirement.marker.evaluate(LINUX))
    ]


@pytest.mark.parametrize("path", copied())
def test_what_an_image_is_built_from_is_there(path: str) -> None:
    assert (ROOT / path).exists()
    allowed = (DOCKER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert path == "." or f"!{Path(path).parts[0]}" in allowed, "the build does not see it"


def test_the_build_sees_the_whole_package() -> None:
    allowed = (DOCKER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    folders = {Path(path).parts[0] for path in PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]}
    for name in [*folders, "pyproject.toml", PROJECT["readme"], *PROJECT["license-files"]]:
        assert f"!{name}" in allowed


@pytest.mark.parametrize("image", ["cpu", "cuda"])
def test_pins_fit_what_an_image_installs(image: str) -> None:
    text = stages()[f"needed-{image}"]
    extras = set(re.findall(r"--extra (\S+)", text))
    assert extras <= PROJECT["optional-dependencies"].keys()
    constraints = re.search(r"source=(\S*constraints\S*),", text)
    assert constraints
    lines = (ROOT / constraints[1]).read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    wrong = [str(need) for need in needed(extras) if pinned.get(canonicalize_name(need.name), "") not in need.specifier]
    assert not wrong


def test_the_image_runs_as_nobody_special() -> None:
    last = [rest for word, rest in INSTRUCTIONS if word == "USER"][-1]
    assert last.isdigit()
    assert last != "0"


def test_compose_takes_the_file() -> None:
    assert not complaints(load(COMPOSE))


def test_compose_would_refuse_a_field_that_it_does_not_know() -> None:
    assert "'portss'" in complaints({"services": {"a": {"image": "b", "portss": []}}})[0]


@pytest.mark.skipif(
    subprocess.run([shutil.which("docker") or "false", "compose", "version"], capture_output=True).returncode != 0,
    reason="docker compose is not installed",
)
@pytest.mark.parametrize("profile", ["gpu", "cpu"])
def test_docker_compose_itself_takes_the_file(profile: str) -> None:
    command = ["docker", "compose", "--file", str(COMPOSE), "--profile", profile, "config"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert profile in yaml.safe_load(shown)["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_built_and_mounted_from_what_is_there(name: str) -> None:
    service = SERVICES[name]
    assert service["profiles"] == [name]
    build = service["build"]
    assert (DOCKER / build["context"] / build["dockerfile"]).resolve() == DOCKER / "Dockerfile"
    assert f"needed-{build['args']['FOR']}" in stages()
    for volume in service["volumes"]:
        source = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", volume).split(":")[0]
        assert (DOCKER / source).is_file() or source in load(COMPOSE)["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_reached_from_this_machine_only(name: str) -> None:
    assert SERVICES[name]["ports"]
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name]["ports"])
