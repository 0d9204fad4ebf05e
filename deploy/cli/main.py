"""The command line, `quackllm` or `python -m quackllm`."""

from __future__ import annotations

from typing import Annotated

import typer

from ... import __version__
from ..terminal_output import print_line
from .command_table import Commands

app = typer.Typer(cls=Commands, no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def quackllm(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Language models inside your SQL: DuckDB functions that call the models you deploy.

    Deploy a model under a name; the name is a SQL function from then on:

        quackllm deploy qianwen_chat saas/qianwen -p saas.model=qwen-max
        quackllm chat qianwen_chat "hello"
        quackllm sql -c "SELECT llm_result(qianwen_chat('hello'))"

    Questions about a database need no model of your own:

        quackllm text2sql "How many singers are from France?" --database :sample --run

    Something does not work? `quackllm doctor` says what to type. `quackllm COMMAND --help` has examples.
    """
    if version:
        print_line(f"quackllm {__version__}")
