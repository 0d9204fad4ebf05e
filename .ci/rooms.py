#!/usr/bin/env python3
"""Count circles of imports, and check which room may import which. `make check` runs it.

    python .ci/rooms.py [ROOT]

Imports inside functions and for types alone count like any other. A room is a folder, or a file that stands alone in
one of the four top folders; `ROOMS` lists what each may import beside itself. Exit code 1: there is a circle, or a
rule is broken.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

FOLDERS = ("workers", "udf", "notebooks", "deploy")
ROOMS: dict[str, tuple[str, ...]] = {}

Graph = dict[str, set[str]]


def files(root: Path) -> dict[str, Path]:
    """Return every Python file of the four folders, by its dotted name below the package.

    Raises:
        SystemExit: one of the folders is not there.
    """
    if missing := [folder for folder in FOLDERS if not any((root / folder).glob("*.py"))]:
        raise SystemExit(f"no Python files in {', '.join(missing)} below {root.resolve()}: name the root of a checkout")
    paths = [path for folder in FOLDERS for path in (root / folder).rglob("*.py")]
    return {dotted(path.relative_to(root)): path for path in sorted(paths)}


def dotted(path: Path) -> str:
    """Return the name of a module below the package: `udf.calls.store` of `udf/calls/store.py`."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(name: str, path: Path, modules: dict[str, Path]) -> Iterator[str]:
    """Yield each module of ours that a module names in an import anywhere in it."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            ours = (alias.name for alias in node.names if alias.name.startswith("quackllm."))
            yield from (name.removeprefix("quackllm.") for name in ours)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *(node.module or "").split(".")]).strip(".").removeprefix("quackllm.")
            for alias in node.names:
                submodule = f"{base}.{alias.name}".strip(".")
                yield submodule if submodule in modules else base


def graph(root: Path) -> Graph:
    """Return which modules each module imports."""
    modules = files(root)
    return {
        name: {other for other in imported(name, path, modules) if other in modules and other != name}
        for name, path in modules.items()
    }


def circles(arrows: Graph) -> list[list[str]]:
    """Return circles that share no arrow, until none is left."""
    arrows = {name: set(others) for name, others in arrows.items()}
    found = []
    while True:
        try:
            TopologicalSorter(arrows).prepare()
            return found
        except CycleError as error:
            circle = error.args[1]
            found.append(circle)
            arrows[circle[1]].discard(circle[0])


def room(module: str) -> str:
    """Return the room that a module is in: the longest entry of `ROOMS` that it stands under."""
    return max((each for each in ROOMS if module == each or module.startswith(f"{each}.")), key=len, default="")


def broken_rules(arrows: Graph) -> list[str]:
    """Return a line for each import that the rule of its room does not allow."""
    return [
        f"{name} imports {other}: the room {room(name) or '(none)'} may not"
        for name, others in sorted(arrows.items())
        for other in sorted(others)
        if room(other) != room(name) and not allowed(name, other)
    ]


def allowed(name: str, other: str) -> bool:
    """Whether the rule of the first module's room lets it import the second."""
    return any(other == each or other.startswith(f"{each}.") for each in ROOMS.get(room(name), ()))


def main(root: Path) -> int:
    """Print what is wrong; return 1 if anything is."""
    arrows = graph(root)
    rings, rules = circles(arrows), broken_rules(arrows)
    for ring in rings:
        print("circle:", " -> ".join(reversed(ring)))
    for line in rules:
        print("rule:", line)
    print(f"{len(arrows)} modules, {len(rings)} circles, {len(rules)} broken rules")
    return int(bool(rings or rules))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]))
