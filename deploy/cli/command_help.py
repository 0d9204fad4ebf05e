"""`quackllm COMMAND --help`: flags with their names whole on a terminal of 80 columns."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.core import TyperArgument, TyperCommand, TyperGroup

NAMES_WIDTH = 34
INDENT = "    "  # Of an example's lines.
# A flag with its value, or a word; a text in quotes stays whole.
EXAMPLE_PARTS = re.compile(r"""(?:--?[a-z][\w-]* (?=[^-\s]))?(?:[^\s"']|"[^"]*"|'[^']*')+""")


class CommandWithHelp(TyperCommand):
    """A command whose help has two columns: names and type, description; typer's own has six and cuts the names off."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        print_help(self, ctx)


def print_help(command: TyperCommand | TyperGroup, ctx: Any) -> None:
    """Print a command's usage, its text, and a panel for its arguments, its options and each panel of commands."""
    console = Console()
    console.print(Padding(Text(command.get_usage(ctx)), 1))
    lines = (command.help or "").splitlines()
    text = "\n".join(_continued(line, console.width - 4) if line.startswith(INDENT) else line for line in lines)
    console.print(Padding(Markdown(text), (0, 1, 1, 1)))
    for title, table in _panels(command, ctx).items():
        if table.rows:
            console.print(Panel(table, title=title, title_align="left", border_style="dim"))


def _continued(example: str, width: int) -> str:
    """Break a line of an example as a shell does, so that it can be copied: rich would break it without a backslash."""
    first, *rest = EXAMPLE_PARTS.findall(example)
    indent = example[: len(example) - len(example.lstrip())]
    lines = [first]
    for part in rest:
        if cell_len(f"{lines[-1]} {part} \\") > width:
            lines[-1] += " \\"
            lines.append(f"  {part}")
        else:
            lines[-1] += f" {part}"
    return "\n".join(indent + line for line in lines)


def _panels(command: TyperCommand | TyperGroup, ctx: Any) -> dict[str, Table]:
    panels = defaultdict(_table, Arguments=_table(), Options=_table())
    for param in command.get_params(ctx):
        default_panel = "Arguments" if isinstance(param, TyperArgument) else "Options"
        if record := param.get_help_record(ctx):
            # With spaces, a long list of choices is wrapped between them.
            names, description = record[0].replace("|", " | "), record[1]
            panels[getattr(param, "rich_help_panel", None) or default_panel].add_row(Text(names), Text(description))
    commands = command.commands if isinstance(command, TyperGroup) else {}
    shown = {name: found for name, found in commands.items() if not found.hidden}
    for name, found in shown.items():
        panel = panels[getattr(found, "rich_help_panel", None) or "Commands"]
        panel.columns[0].min_width = max(map(len, shown))
        panel.add_row(name, Text(found.help or ""))
    return panels


def _table() -> Table:
    table = Table(box=None, show_header=False, expand=True)
    table.add_column(style="bold cyan", max_width=NAMES_WIDTH, overflow="fold")
    table.add_column(ratio=1)
    return table
