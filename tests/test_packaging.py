"""A wheel and an sdist hold the whole package, from any kind of checkout: no file of the four folders is lost."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("udf", "workers", "notebooks", "deploy")
# For machines, not for `import quackllm`.
NOT_IN_A_WHEEL = (
    "deploy/docker/",
    "deploy/examples/",
    "deploy/gateway/console/front/",
    "deploy/kubernetes/",
    "deploy/ray-up/",
)


def tracked() -> list[str]:
    """Return the files that a clone of this checkout has; in an unpacked sdist there is no git to ask."""
    listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [path for path in listing.stdout.splitlines() if (ROOT / path).is_file()]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git has, as a zip of the repository gives it: plain files, no links, no `.git`."""
    folder = tmp_path_factory.mktemp("checkout")
    for path in tracked():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / path).read_bytes())
    return folder


def build(target: str, checkout: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True, timeout=120)
    (built,) = folder.iterdir()
    return built


def names_in(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def expected_in_a_wheel() -> set[str]:
    inside = [path for path in tracked() if path.startswith(tuple(f"{folder}/" for folder in FOLDERS))]
    face = [path.removeprefix("src/") for path in tracked() if path.startswith("src/")]
    return {f"quackllm/{path}" for path in inside if not path.startswith(NOT_IN_A_WHEEL)} | set(face)


def test_no_file_of_the_repository_is_a_link() -> None:
    assert not [path for path in tracked() if (ROOT / path).is_symlink()]


def test_a_wheel_holds_the_face_and_the_four_folders(checkout: Path, tmp_path: Path) -> None:
    assert names_in(build("wheel", checkout, tmp_path / "wheel")) == expected_in_a_wheel()


def test_an_sdist_holds_all_of_it_and_makes_the_same_wheel(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "sdist").mkdir()
    with tarfile.open(build("sdist", checkout, tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert not [path for path in tracked() if path.startswith(FOLDERS) and not (unpacked / path).is_file()]
    assert names_in(build("wheel", unpacked, tmp_path / "wheel")) == expected_in_a_wheel()
