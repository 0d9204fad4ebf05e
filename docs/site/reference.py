"""The reference pages, made from the code itself: commands, SQL functions, settings, the Python names."""

from __future__ import annotations

import inspect
from collections import defaultdict

import click
from quackllm.deploy.cli.command_table import COMMANDS
from quackllm.udf.settings import Settings

import quackllm
from quackllm import workers

SIGNATURES = """
SELECT function_name, function_type, parameters
FROM duckdb_functions()
WHERE database_name = 'temp' AND regexp_matches(function_name, '^(llm|ai|text2sql|ask)(_|$)') AND NOT internal
ORDER BY function_name, len(parameters)
"""
COMMON = ["model", "instructions", "examples", "draw", "store"]
AREAS = {"ai_": "Typed functions", "llm_": "Models and conversations", "": "Questions in plain words"}


def pages() -> dict[str, str]:
    """Return each page's Markdown by its path."""
    return {
        "reference/command-line.md": command_line(),
        "reference/sql.md": sql_functions(),
        "reference/settings.md": settings(),
        "reference/python.md": python(),
    }


def command_line() -> str:
    """Return every command with its arguments, options and help."""
    parts = ["# Command line", "", "`quackllm COMMAND --help` shows the same."]
    for name, entry in COMMANDS.items():
        if not entry.hidden:
            parts += _command(f"quackllm {name}", entry.load(name))
    return "\n".join(parts)


def _command(name: str, command: click.Command) -> list[str]:
    context = click.Context(command, info_name=name)
    lines = ["", f"## {name}", "", inspect.cleandoc(command.help or "").replace("\b\n", ""), ""]
    records = [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context))]
    lines += ["| option | meaning |", "|---|---|"]
    lines += [f"| {_code(option)} | {_cell(meaning)} |" for option, meaning in records]
    for sub_name, subcommand in getattr(command, "commands", {}).items():
        lines += _command(f"{name} {sub_name}", subcommand)
    return lines


def sql_functions() -> str:
    """Return the SQL functions and their arguments, as DuckDB lists them."""
    found = defaultdict(list)
    with quackllm.connect() as connection:
        for name, kind, parameters in connection.execute(SIGNATURES).fetchall():
            area = next(area for prefix, area in AREAS.items() if name.startswith(prefix))
            if not name.endswith("_detail") or name == "text2sql_detail":
                found[area].append(_call(name, kind, parameters))
    parts = [
        "# SQL functions",
        "",
        "An argument with a default may be given by name: `ai_filter(text, 'angry', model := 'm')`.",
    ]
    parts += ["", f"`…` stands for the arguments {', '.join(f'`{name}`' for name in COMMON)}, which all have defaults."]
    parts += [
        "",
        "Beside each typed function stands one whose name ends in `_detail`; it returns the reason of a NULL too.",
    ]
    for area, calls in found.items():
        parts += ["", f"## {area}", "", *(f"- `{call}`" for call in calls)]
    parts += ["", "[SQL functions](../sql-functions.md) and [typed functions](../ai-functions.md) explain them."]
    return "\n".join(parts)


def _call(name: str, kind: str, parameters: list[str]) -> str:
    if parameters[-len(COMMON) :] == COMMON:
        parameters = [*parameters[: -len(COMMON)], "…"]
    call = f"{name}({', '.join(parameters)})"
    return f"FROM {call}" if kind == "table_macro" else call


def settings() -> str:
    """Return the keys of `settings.yaml`, which are SQL variables too."""
    parts = ["# Settings", "", "`settings.yaml` in QUACKLLM_HOME holds for all connections; `SET VARIABLE` for one."]
    parts += ["", "| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        parts.append(f"| `{name}` | `{field.default}` | {_cell(field.description or '')} |")
    return "\n".join(parts)


def python() -> str:
    """Return the public Python names, for mkdocstrings to fill in."""
    parts = ["# Python", ""]
    for name in quackllm.__all__:
        # `quackllm.deploy` is the folder too, once a command was imported; `workers` has the function.
        value = getattr(workers, name, None) or getattr(quackllm, name)
        parts += [f"## quackllm.{name}", "", f"::: {value.__module__}.{name}", ""]
    return "\n".join(parts)


def _code(text: str) -> str:
    return f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
