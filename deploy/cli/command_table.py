"""Every command's name and summary; its module is loaded when it is called, so that the help costs next to nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ...workers.errors import QuackLLMError
from ..console import plain_warnings, show_error
from .arguments import normalize_argv, without_secrets
from .hide_secrets import argv_without_secrets

MODELS, ASKING, TRAINING = "Models", "Questions and SQL", "A model of one's own"


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command: where its function is, under which heading the help shows it, and its docstring's first line."""

    module: str
    function: str
    panel: str | None
    summary: str
    hidden: bool = False

    def stub(self, name: str) -> TyperCommand:
        """Return what the help shows of it."""
        return TyperCommand(name, help=self.summary, hidden=self.hidden, rich_help_panel=self.panel)

    def load(self, name: str) -> Any:
        """Return the command itself."""
        one = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        one.command(name)(getattr(import_module(f".commands.{self.module}", __package__), self.function))
        return typer.main.get_command(one)


COMMANDS = {
    "demo": LazyCommand("demo", "demo", None, "Ask a real database ten questions, in this process and through Ray."),
    "doctor": LazyCommand(
        "doctor", "doctor", None, "Say what is missing, unreachable or misconfigured, and what to type."
    ),
    "deploy": LazyCommand("deploy", "deploy", MODELS, "Deploy a model under a name, or all the models of a file."),
    "undeploy": LazyCommand(
        "deploy", "undeploy", MODELS, "Undeploy models: they answer what they have taken, then end."
    ),
    "list": LazyCommand("deploy", "models", MODELS, "List what is deployed, with its replicas as they are now."),
    "models": LazyCommand(
        "deploy", "models", MODELS, "List what is deployed, with its replicas as they are now.", True
    ),
    "status": LazyCommand("deploy", "status", MODELS, "Show a model: its settings and each replica. Keys are hidden."),
    "scale": LazyCommand("scale", "scale", MODELS, "Give a model on a cluster more replicas, or fewer."),
    "chat": LazyCommand("chat", "chat", ASKING, "Talk to a model; the answer is shown as it comes."),
    "sql": LazyCommand("sql", "sql", ASKING, "Run SQL with the LLM functions: a prompt, a statement, or a script."),
    "text2sql": LazyCommand("text2sql", "text2sql", ASKING, "Turn a question about a database into SQL, and run it."),
    "run": LazyCommand("run", "run", ASKING, "Run a batch of SQL: a script, or one SELECT from a file to a file."),
    "serve": LazyCommand(
        "serve", "serve", ASKING, "Serve every deployed model over HTTP: OpenAI's dialect, text2sql, Byzer's REST."
    ),
    "keys": LazyCommand("keys", "keys", ASKING, "Make, list and remove the keys that the gateway asks for."),
    "prepare": LazyCommand("prepare", "prepare", TRAINING, "Make training data for `quackllm finetune`."),
    "finetune": LazyCommand("train", "finetune", TRAINING, "Fine-tune a model on questions and answers."),
    "pretrain": LazyCommand(
        "train", "pretrain", TRAINING, "Go on pre-training a model on raw text, or make a small one."
    ),
    "merge": LazyCommand("train", "merge", TRAINING, "Merge a LoRA adapter into its base."),
    "export": LazyCommand("export", "export", TRAINING, "Write a model for other programs: safetensors, or a GGUF."),
    "evaluate": LazyCommand(
        "evaluate", "evaluate", TRAINING, "Count how many questions of a suite are answered right."
    ),
}


class Commands(TyperGroup):
    """Reads Byzer's spelling of a command line, loads the command that it names, and shows our errors as one panel."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: later.stub(name) for name, later in COMMANDS.items()}

    def main(self, args: Sequence[str] | None = None, *settings: Any, **more: Any) -> Any:
        """Run a command line: this process's own where none is given."""
        return super().main(argv_without_secrets() if args is None else args, *settings, **more)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command and load it."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, COMMANDS[name].load(name) if name else command, rest

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line."""
        words = ctx.obj = normalize_argv(args)
        return super().parse_args(ctx, words)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error of ours ends it with exit code 1, and no error repeats a key."""
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
