"""The house rules: which folder may import which, what an import may load, and that everything public is documented."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from quackllm.udf.functions import macros
from quackllm.udf.settings import Settings
from quackllm.workers import errors
from quackllm.workers.deployments.spec import Limits, ModelSpec
from quackllm.workers.options import Options

import quackllm

ROOT = Path(__file__).parents[1]
FOLDERS = ("udf", "workers", "notebooks", "deploy")
HEAVY = (
    *("ray", "torch", "transformers", "vllm", "bitsandbytes", "modelscope", "IPython", "openai", "dashscope"),
    *("duckdb", "pyarrow", "numpy", "pydantic", "sqlglot", "rich", "typer"),
)
MOST_LINES = 400


def sources(*folders: str) -> list[Path]:
    found = {folder: sorted((ROOT / folder).rglob("*.py")) for folder in folders}
    assert all(found.values()), f"a folder is missing or empty below {ROOT}: {found.keys()}"
    return [path for paths in found.values() for path in paths]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield each import as its number of dots and the parts of what it loads."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((0, name.name.split(".")) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            yield from ((node.level, [*module, name.name]) for name in node.names)


def rooms(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, ROOT / ".ci/rooms.py", root], capture_output=True, text=True, timeout=60)


def test_there_is_no_circle_and_every_room_keeps_its_rule() -> None:
    found = rooms(ROOT)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("path", "line", "complaint"),
    [
        ("udf/calls/budget.py", "from ..session.session import Session", "circle"),
        ("udf/calls/budget.py", "if TYPE_CHECKING:\n    from .caching_client import CachingClient", "circle"),
        ("workers/errors.py", "def late():\n    from .serving.router import Router", "circle"),
        ("workers/messages.py", "from ..udf.settings import Settings", "workers.messages imports udf.settings"),
        ("udf/settings.py", "from ..deploy import terminal_output", "udf.settings imports deploy.terminal_output"),
        (
            "notebooks/display/html.py",
            "from ...deploy import terminal_output",
            "notebooks.display.html imports deploy.terminal_output",
        ),
        ("udf/text2sql/checks/guard.py", "from ..prompts import formats", "circle"),
        ("udf/calls/prices.py", "import duckdb", "udf.calls.prices imports duckdb"),
        ("udf/session/session.py", "import ray", "udf.session.session imports ray: only"),
    ],
)
def test_a_broken_rule_is_found(path: str, line: str, complaint: str, tmp_path: Path) -> None:
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.npz", "*.parquet", "*.pyc"))
    with (tmp_path / path).open("a") as file:
        file.write(f"\n{line}\n")
    found = rooms(tmp_path)
    assert found.returncode == 1
    assert complaint in found.stdout


def test_a_missing_folder_is_no_clean_house(tmp_path: Path) -> None:
    assert rooms(tmp_path).returncode == 1


def test_no_module_is_imported_twice() -> None:
    paths = sources(*FOLDERS, "tests", "benchmarks")
    bare = [(str(path), parts) for path in paths for dots, parts in imports(path) if not dots and parts[0] in FOLDERS]
    assert not bare, "a bare import makes second copies of the classes: write quackllm.… or a relative one"


def test_a_public_class_has_a_name_of_its_own() -> None:
    classes = [
        (node.name, str(path))
        for path in sources(*FOLDERS)
        for node in tree(path).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    counts = Counter(name for name, _ in classes)
    assert not [(name, path) for name, path in classes if counts[name] > 1]


def test_files_are_short() -> None:
    lengths = {str(path): len(path.read_text("utf-8").splitlines()) for path in sources(*FOLDERS, "tests")}
    assert not {path: lines for path, lines in lengths.items() if lines > MOST_LINES}


def swallows_everything(handler: ast.ExceptHandler) -> bool:
    """Whether a handler takes any exception at all and does not raise it again."""
    caught = ast.unparse(handler.type) if handler.type else "Exception"
    return bool(re.search(r"\b(Base)?Exception\b", caught)) and not isinstance(handler.body[-1], ast.Raise)


def test_nothing_catches_everything() -> None:
    handlers = [
        (str(path), node.lineno)
        for path in sources(*FOLDERS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and swallows_everything(node)
    ]
    assert not handlers


def loaded_by(program: str) -> set[str]:
    """Return the top modules that a fresh Python has loaded after the program."""
    program += "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_loads_nothing_else() -> None:
    assert not loaded_by("import quackllm") & set(HEAVY)


def test_connecting_loads_neither_ray_nor_torch_nor_a_client() -> None:
    heavy = {"ray", "torch", "transformers", "openai", "dashscope", "modelscope", "IPython", "rich", "typer"}
    assert not loaded_by("import quackllm; quackllm.connect().execute('SELECT 1')") & heavy


def documentation() -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md")))


def subclasses(kind: type) -> set[str]:
    """Return the names of a class and of those of its module that derive from it."""
    return {kind.__name__}.union(
        *(subclasses(sub) for sub in kind.__subclasses__() if sub.__module__ == kind.__module__)
    )


def public_names() -> dict[str, list[str]]:
    return {
        "python": quackllm.__all__,
        "sql": [*macros.SCALAR, *macros.TABLE, "llm_store"],
        "spec": [*ModelSpec.model_fields],
        "option": [*Options.model_fields],
        "limit": [*Limits.model_fields],
        "setting": [*Settings.model_fields],
        "error": sorted(subclasses(errors.QuackLLMError)),
    }


@pytest.mark.parametrize("kind", public_names())
def test_everything_public_is_documented(kind: str) -> None:
    text = documentation()
    assert not [name for name in public_names()[kind] if not re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", text)]


def test_tests_lie_where_their_subject_lies() -> None:
    """A folder of tests below one of the four folders has the name of the folder that it is about."""
    paths = {path.parent.relative_to(ROOT / "tests") for folder in FOLDERS for path in sources(f"tests/{folder}")}
    assert not [str(path) for path in paths if not (ROOT / path).is_dir()]
