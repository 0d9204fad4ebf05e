"""Every command's name and summary; its module is imported when it is called, so that `--help` is fast."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ...workers.errors import QuackLLMError, RequestError
from ..terminal_output import plain_warnings, show_error
from .argv import normalize_argv, without_secrets
from .hide_secrets import argv_without_secrets

MODELS, QUERIES, TRAINING = "Models", "Questions and SQL", "Your own model"


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command that is imported when it is called.

    Args:
        module: below `commands/`.
        function: its name in the module.
        panel: the heading in the help; None: the first one.
        summary: the first line of the function's docstring.
        hidden: not listed by the help.
    """

    module: str
    function: str
    panel: str | None
    summary: str
    hidden: bool = False

    def stub(self, name: str) -> TyperCommand:
        """Return the command's entry in the help."""
        return TyperCommand(name, help=self.summary, hidden=self.hidden, rich_help_panel=self.panel)

    def load(self, name: str) -> Any:
        """Return the command itself."""
        from .command_help import CommandWithHelp

        app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        function = getattr(import_module(f".commands.{self.module}", __package__), self.function)
        app.command(name, cls=CommandWithHelp)(function)
        return typer.main.get_command(app)


COMMANDS = {
    "demo": LazyCommand(
        "demo", "demo", None, "Show what the SQL functions do, on a real database, with no key and no download."
    ),
    "doctor": LazyCommand(
        "doctor", "doctor", None, "Say what is missing, unreachable or misconfigured, and what to type."
    ),
    "notebook": LazyCommand(
        "notebook", "notebook", None, "Copy the example notebooks into a folder of yours, and open them in JupyterLab."
    ),
    "deploy": LazyCommand("deploy", "deploy", MODELS, "Deploy a model under a name, or all the models of a file."),
    "undeploy": LazyCommand(
        "deploy", "undeploy", MODELS, "Undeploy models: they finish the requests that they have, then end."
    ),
    "list": LazyCommand("deploy", "models", MODELS, "List the deployed models, with their replicas as they are now."),
    "models": LazyCommand(
        "deploy", "models", MODELS, "List the deployed models, with their replicas as they are now.", True
    ),
    "status": LazyCommand("deploy", "status", MODELS, "Show a model: its settings and each replica. Keys are hidden."),
    "scale": LazyCommand("scale", "scale", MODELS, "Give a model on a cluster more replicas, or fewer."),
    "chat": LazyCommand("chat", "chat", QUERIES, "Talk to a model; the answer is printed as it arrives."),
    "sql": LazyCommand("sql", "sql", QUERIES, "Run SQL with the LLM functions: a prompt, a statement, or a script."),
    "text2sql": LazyCommand("text2sql", "text2sql", QUERIES, "Turn a question about a database into SQL, and run it."),
    "prompt": LazyCommand(
        "prompt", "prompt", QUERIES, "Show the prompts that a statement would send, whole; nothing is sent."
    ),
    "notes": LazyCommand(
        "notes", "notes", QUERIES, "Write first notes on a database, or show what a model reads of them."
    ),
    "examples": LazyCommand("examples", "examples", QUERIES, "Keep, list and remove questions with verified SQL."),
    "run": LazyCommand("run", "run", QUERIES, "Run a batch of SQL: a script, or one SELECT from a file to a file."),
    "serve": LazyCommand(
        "serve", "serve", QUERIES, "Serve every deployed model over HTTP: OpenAI's dialect, text2sql, Byzer's REST."
    ),
    "mcp": LazyCommand("mcp", "mcp", QUERIES, "Let an agent search and query databases: an MCP server, read-only."),
    "keys": LazyCommand("keys", "keys", QUERIES, "Make, list and remove the gateway's API keys."),
    "prepare": LazyCommand("prepare", "prepare", TRAINING, "Make training data for `quackllm finetune`."),
    "finetune": LazyCommand("train", "finetune", TRAINING, "Fine-tune a model on questions and answers."),
    "pretrain": LazyCommand(
        "train", "pretrain", TRAINING, "Go on pre-training a model on raw text, or make a small one."
    ),
    "merge": LazyCommand("train", "merge", TRAINING, "Merge a LoRA adapter into its base."),
    "export": LazyCommand("export", "export", TRAINING, "Write a model for other programs: safetensors, or a GGUF."),
    "evaluate": LazyCommand(
        "evaluate", "evaluate", TRAINING, "Count how many questions of a suite the function text2sql answers right."
    ),
}


class Commands(TyperGroup):
    """Reads Byzer's spelling of a command line, loads the command that it names, and shows our errors as one panel."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: command.stub(name) for name, command in COMMANDS.items()}

    def main(self, args: Sequence[str] | None = None, *rest: Any, **settings: Any) -> Any:
        """Run a command line; None: this process's own."""
        return super().main(argv_without_secrets() if args is None else args, *rest, **settings)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command and import it.

        Raises:
            RequestError: it is the name of a SQL function or of a notebook's magic.
        """
        if args[0] not in self.commands and difflib.get_close_matches(args[0], ["ask"]):
            hint = "type: quackllm text2sql \"How many are there?\" --database FILE --run   (in SQL: FROM ask('…'))"
            raise RequestError(f"no command is called {args[0]!r}", hint=hint)
        name, command, rest = super().resolve_command(ctx, args)
        return name, COMMANDS[name].load(name) if name else command, rest

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        from .command_help import print_help

        print_help(self, ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line."""
        argv = ctx.obj = normalize_argv(args)
        return super().parse_args(ctx, argv)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; quackllm's errors end it with exit code 1, and no error contains an API key."""
        try:
            with plain_warnings():
                return super().invoke(ctx)
        except typer.TyperException as error:
            error.message = without_secrets(error.message, ctx.obj)
            raise
        except QuackLLMError as error:
            if os.environ.get("QUACKLLM_DEBUG"):
                raise
            show_error(*(without_secrets(text, ctx.obj) for text in (error.message, error.hint)))
            raise typer.Exit(1) from None
