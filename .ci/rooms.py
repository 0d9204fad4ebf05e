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

EXAMPLES = "notebooks/examples"
"""Users run these files in folders of their own: they import `quackllm` as users do."""
FOLDERS = ("workers", "udf", "notebooks", "deploy")
# The leaves of `workers/`: values, services of one file, the sandbox and its binder. They may import each other and
# nothing else of ours.
LEAVES = tuple(
    f"workers.{leaf}"
    for leaf in (
        *("errors", "messages", "options", "mschema", "secret_refs", "home"),
        *(
            "event_loop",
            "metrics",
            "log_events",
            "database_schema",
            "extra_fields",
            "atomic_files",
            "quiet_imports",
            "sql_text",
            "lazy_exports",
            "binder",
            "sandbox",
            "vectors",
        ),
    )
)
ENGINES = ("transformers", "vllm", "llama_cpp")
ROOMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(LEAVES, LEAVES),
    "workers": ("workers",),
    "workers.builtin.text": LEAVES,
    "workers.builtin.schema": (*LEAVES, "workers.builtin.text"),
    "workers.builtin.query": (*LEAVES, "workers.builtin.text", "workers.builtin.schema"),
    "workers.builtin.network": (*LEAVES, *(f"workers.builtin.{room}" for room in ("text", "schema", "query"))),
    "workers.builtin": (*LEAVES, "workers.builtin"),
    "workers.engines": (*LEAVES, "workers.builtin"),
    **{f"workers.engines.{room}": (*LEAVES, "workers.engines") for room in ENGINES},
    "workers.deployments": (*LEAVES, "workers.engines"),
    "workers.serving": (*LEAVES, "workers.engines", "workers.deployments"),
    "workers.cluster": (*LEAVES, "workers.deployments", "workers.serving"),
    "workers.training.data": (*LEAVES, "workers.engines"),
    "workers.training.gguf": (*LEAVES, "workers.engines"),
    "workers.training": (*LEAVES, "workers.engines", "workers.training"),
    "workers.training.run": (*LEAVES, "workers.training", "workers.cluster.address"),
    "udf.settings": ("workers",),
    "udf.raw_sql": (),
    "udf.open_errors": ("workers",),
    "udf.value_text": (),
    "udf.variables": ("udf.raw_sql", "udf.settings", "workers"),
    "udf.calls": ("udf.settings", "workers"),
    "udf.text2sql.checks": LEAVES,
    "udf.text2sql.schema": (*LEAVES, "udf.text2sql.checks"),
    "udf.text2sql.notes": LEAVES,
    "udf.text2sql.repair": (*LEAVES, "udf.text2sql.checks"),
    "udf.text2sql.prompts": ("workers", *(f"udf.text2sql.{room}" for room in ("checks", "schema", "notes"))),
    "udf.text2sql.confidence": (*LEAVES, *(f"udf.text2sql.{room}" for room in ("checks", "repair", "prompts"))),
    "udf.text2sql.examples": ("workers", *(f"udf.text2sql.{room}" for room in ("checks", "schema", "prompts"))),
    "udf.text2sql.result": LEAVES,
    "udf.text2sql.draw": (
        *(*LEAVES, *(f"udf.text2sql.{room}" for room in ("checks", "confidence", "repair", "schema", "prompts"))),
    ),
    "udf.text2sql.pipeline": (
        *LEAVES,
        *(f"udf.text2sql.{room}" for room in ("checks", "confidence", "schema", "prompts", "result", "draw")),
    ),
    "udf.text2sql.evaluation": ("workers", "udf.text2sql", "udf.connection", "udf.open_errors"),
    "udf.text2sql.training_data": ("workers", "udf.text2sql"),
    "udf.text2sql.builtin_training": ("workers", "udf.text2sql", "udf.connection"),
    "udf.ai": ("workers", "udf.accuracy"),
    "udf.accuracy": LEAVES,
    "udf.session": (
        *("udf.accuracy", "udf.calls", "udf.settings", "udf.text2sql.result", "udf.text2sql.confidence.query_rows"),
        *("udf.text2sql.prompts.find_cells", "workers"),
    ),
    "udf.planner": (
        *(
            "udf.ai",
            "udf.accuracy",
            "udf.session",
            "udf.calls",
            "udf.settings",
            "udf.raw_sql",
            "udf.value_text",
            "udf.text2sql",
            "workers",
        ),
    ),
    "udf.functions": (
        *(
            "udf.ai",
            "udf.accuracy",
            "udf.planner",
            "udf.session",
            "udf.calls",
            "udf.settings",
            "udf.raw_sql",
            "udf.value_text",
            "workers",
        ),
        "udf.text2sql.result",
    ),
    "udf.statement_hooks": (
        *(
            "udf.functions",
            "udf.planner",
            "udf.session",
            "udf.raw_sql",
            "udf.variables",
            "udf.text2sql.schema",
            "udf.text2sql.prompts.cell_index",
            "workers",
        ),
    ),
    "udf.connection": ("udf", "workers"),
    "udf.conversation_tables": ("udf", "workers"),
    "udf.kept_examples": ("udf", "workers"),
    "udf.streaming": ("udf", "workers"),
    "udf.frames": ("udf.connection", "udf.ai", "workers"),
    "notebooks.display": ("udf", "workers.errors", "workers.messages"),
    "notebooks.cells": ("udf", "workers.errors", "workers.messages", "workers.sql_text", "notebooks"),
    "notebooks": ("udf", "workers.errors", "workers.messages", "notebooks"),
    "deploy.terminal_output": ("workers", "deploy.models_file"),
    "deploy.models_file": ("workers",),
    "deploy.sql_errors": ("udf", "workers"),
    **dict.fromkeys(
        ("deploy.batch", "deploy.evaluation", "deploy.doctor"),
        ("udf", "workers", "deploy.terminal_output", "deploy.models_file", "deploy.sql_errors", "deploy.gateway.auth"),
    ),
    "deploy.gateway.auth": ("udf.settings", "workers", "deploy.gateway.error_replies"),
    "deploy.gateway.databases": ("udf", "workers"),
    "deploy.gateway.serving": ("udf", "workers", "deploy"),
    "deploy.gateway": ("udf", "workers", "deploy.gateway", "deploy.models_file"),
    **{
        f"deploy.gateway.{room}": ("udf", "workers", "deploy.gateway")
        for room in ("openai", "byzer", "chat2db", "console", "mcp")
    },
    "deploy.cli": ("udf", "workers", "deploy"),
    "deploy.cli.commands": ("udf", "workers", "deploy"),
    "deploy": ("workers",),
}
# The only modules and rooms that may import a library.
ONLY_HERE = {"ray": ("workers.cluster", "workers.training.run.ray_train", "deploy.gateway.serving", "deploy.batch")}
# The rooms that may not import a library.
NOT_HERE = {"duckdb": ("udf.calls",), "pyarrow": ("udf.calls", "udf.session", "udf.text2sql.checks")}

Graph = dict[str, set[str]]


def files(root: Path) -> dict[str, Path]:
    """Return every Python file of the four folders, by its dotted name below the package.

    Raises:
        SystemExit: one of the folders is not there.
    """
    if missing := [folder for folder in FOLDERS if not any((root / folder).glob("*.py"))]:
        raise SystemExit(f"no Python files in {', '.join(missing)} below {root.resolve()}: name the root of a checkout")
    paths = [
        path for folder in FOLDERS for path in (root / folder).rglob("*.py") if root / EXAMPLES not in path.parents
    ]
    return {dotted(path.relative_to(root)): path for path in sorted(paths)}


def dotted(path: Path) -> str:
    """Return the name of a module below the package: `udf.calls.call_store` of `udf/calls/call_store.py`."""
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
            yield base  # A package, even where the name is a module of it.
            yield from (f"{base}.{alias.name}".strip(".") for alias in node.names)


def libraries(path: Path) -> set[str]:
    """Return the top modules of other packages that a file imports anywhere in it."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {
        name.partition(".")[0]
        for name in plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    }


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
    return under(other, ROOMS.get(room(name), ()))


def under(module: str, rooms: tuple[str, ...]) -> bool:
    """Whether a module is one of these, or in one of these rooms."""
    return any(module == each or module.startswith(f"{each}.") for each in rooms)


def misplaced_libraries(root: Path) -> list[str]:
    """Return a line for each import of another package in a room that may not use it."""
    return [
        f"{name} imports {library}: only {', '.join(ONLY_HERE[library])} may"
        if library in ONLY_HERE
        else f"{name} imports {library}: the room {room(name)} may not"
        for name, path in files(root).items()
        for library in sorted(libraries(path))
        if (library in ONLY_HERE and not under(name, ONLY_HERE[library])) or under(name, NOT_HERE.get(library, ()))
    ]


def main(root: Path) -> int:
    """Print what is wrong; return 1 if anything is."""
    arrows = graph(root)
    rings, rules = circles(arrows), [*broken_rules(arrows), *misplaced_libraries(root)]
    for ring in rings:
        print("circle:", " -> ".join(reversed(ring)))
    for line in rules:
        print("rule:", line)
    print(f"{len(arrows)} modules, {len(rings)} circles, {len(rules)} broken rules")
    return int(bool(rings or rules))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]))
