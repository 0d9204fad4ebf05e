"""The house rules: which folder may import which, what an import may load, and that everything public is documented."""

from __future__ import annotations

import ast
import re
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
MAY_IMPORT = {
    "workers": {"workers"},
    "udf": {"udf", "workers"},
    "notebooks": {"notebooks", "udf", "workers"},
    "deploy": {"deploy", "udf", "workers"},
}
FOLDERS = tuple(MAY_IMPORT)
HEAVY = (
    *("ray", "torch", "transformers", "vllm", "bitsandbytes", "modelscope", "IPython", "openai", "dashscope"),
    *("duckdb", "pyarrow", "numpy", "pydantic", "sqlglot", "rich", "typer"),
)
MOST_LINES = 400


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


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


def folders_imported(path: Path) -> Iterator[str]:
    """Yield the folder, or the name of the root package, that each import of ours leads to."""
    package = path.relative_to(ROOT).parts[:-1]
    for dots, parts in imports(path):
        if dots:
            yield (*package[: len(package) + 1 - dots], *parts)[0]
        elif parts[0] == "quackllm" and len(parts) > 1:
            yield parts[1]


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_run_one_way(folder: str) -> None:
    against = set(FOLDERS) - MAY_IMPORT[folder]
    wrong = [(str(path), name) for path in sources(folder) for name in folders_imported(path) if name in against]
    assert not wrong


def test_no_module_is_imported_twice() -> None:
    paths = sources(*FOLDERS, "tests", "benchmarks")
    bare = [(str(path), parts) for path in paths for dots, parts in imports(path) if not dots and parts[0] in FOLDERS]
    assert not bare, "a bare import makes second copies of the classes: write quackllm.… or a relative one"


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


def test_test_files_have_names_of_their_own() -> None:
    names = Counter(path.name for path in sources("tests") if path.name != "conftest.py")
    assert not [name for name, count in names.items() if count > 1], "pytest imports them by their bare names"
