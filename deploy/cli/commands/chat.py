"""`quackllm chat`: one question or a conversation with a model, read while the answer grows."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..arguments import parse_params
from ..cluster_option import resolve_cluster
from ..options import Cluster, Json, deployed_names

if TYPE_CHECKING:
    from ....udf.connection import Connection
    from ....workers.messages import Message, Response
    from ....workers.options import Options

HELP = """\
/system TEXT   a system message for the turns to come
/new           forget the conversation
/quit          leave (or Ctrl-D)
A line that ends with \\ goes on in the next one. Ctrl-C stops an answer."""
STANDARD_INPUT = "-"
SHOWN = ("output", "reasoning", "error", "model", "history", "finish_reason", "usage", "seconds")


def chat(
    model: Annotated[
        str | None, typer.Argument(help="Left out: the only one deployed.", autocompletion=deployed_names)
    ] = None,
    prompt: Annotated[
        list[str] | None, typer.Argument(help="Left out: a conversation, or what is piped in; - is what is piped in.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="The system message.")] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", metavar="KEY=VALUE...", help="temperature, max_tokens, … as in llm_param."),
    ] = None,
    store: Annotated[
        Literal["on", "off", "refresh"] | None, typer.Option(help="The call store: refresh asks a known question anew.")
    ] = None,
    cluster: Cluster = None,
    json: Json = False,
) -> None:
    """Talk to a model; the answer is shown as it comes.

    A conversation; a question with options; one about a file; for a program:

        quackllm chat qianwen_chat
        quackllm chat qianwen_chat "hello" --system "You are a duck." -o temperature=0.7 max_tokens=200
        quackllm chat qianwen_chat "Summarise this:" - < report.txt
        quackllm chat qianwen_chat "hello" --json

    An answer that the call store knows costs nothing. Exit code 1: no whole answer came.
    """
    from ....udf.settings import load_settings
    from ....workers.options import read_options
    from ..database import open_database

    text = _prompt(prompt or [])
    with open_database(None, model=model, cluster=resolve_cluster(cluster)) as connection:
        wishes = read_options(parse_params(options or []))
        conversation = Conversation(connection, model, wishes, store or load_settings().llm_store, system)
        if text is None:
            _repl(conversation)
        elif not _show_outcome(conversation.ask(text, quiet=json), json):
            raise typer.Exit(1)


def _prompt(words: list[str]) -> str | None:
    """Return what to ask; None where a person is to type it."""
    if not words and sys.stdin.isatty():
        return None
    piped = sys.stdin.read() if not words or STANDARD_INPUT in words else ""
    spoken = " ".join(word for word in words if word != STANDARD_INPUT)
    return f"{spoken}\n\n{piped}".strip() if piped else spoken


@dataclass
class Conversation:
    """What was said so far, and how to go on; a turn that failed is as if it had not been said."""

    connection: Connection
    model: str | None
    options: Options
    store: Literal["on", "off", "refresh"]
    system: str | None = None
    history: tuple[Message, ...] = field(default=())

    def ask(self, text: str, *, quiet: bool = False) -> Response:
        """Say the next turn, print the answer as it comes unless it is to be quiet, and return it.

        Raises:
            SetupError: no request can succeed.
            KeyboardInterrupt: Ctrl-C, after the engine was stopped.
        """
        from ....udf.functions.params import build_messages
        from ....udf.streaming import StreamedAnswer
        from ....workers.messages import Message, Request

        messages = build_messages(self.history, Message("user", text), self.system)
        answer = StreamedAnswer(self.connection, Request(messages, self.options), self.model, self.store)
        try:
            for said in answer:
                if isinstance(said, str) and not quiet:
                    print(said, end="", flush=True)
        finally:
            response = answer.stop()
            if not quiet:
                print()
        if response.is_complete:
            self.history = response.history
        return response


def _show_outcome(response: Response, json: bool) -> bool:
    """Print what is left to say of an answer; return whether it is whole."""
    from ...console import show_json, stderr

    if json:
        show_json(response_fields(response))
    elif response.error:
        text = f"{response.error.code}: {response.error.message}"
        stderr.print(text, style="red", highlight=False, markup=False, soft_wrap=True)
    return response.is_complete


def response_fields(response: Response) -> dict[str, Any]:
    """Return a response as JSON can hold it, with the fields that SQL sees."""
    from msgspec import to_builtins

    fields = to_builtins(response)
    return {name: fields[name] for name in SHOWN}


def _repl(talk: Conversation) -> None:
    """Read turns until Ctrl-D or /quit; an error ends its turn only."""
    from ....workers.errors import QuackLLMError
    from ...console import show_error, stdout
    from ..line_input import read_inputs

    stdout.print("/help says what there is, /quit leaves.", highlight=False)
    for line in read_inputs("chat", "> ", "... ", lambda text: not text.endswith("\\")):
        text = line.replace("\\\n", "\n").strip()
        if text.startswith("/"):
            if not _run_command(talk, text):
                return
            continue
        try:
            _show_outcome(talk.ask(text), json=False)
        except QuackLLMError as error:
            show_error(error.message, error.hint)
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)


def _run_command(talk: Conversation, text: str) -> bool:
    """Do what a command says; return whether to go on."""
    from ...console import stdout

    command, _, rest = text.partition(" ")
    if command in ("/quit", "/exit", "/bye"):
        return False
    if command == "/new":
        talk.history = ()
    elif command == "/system":
        talk.system = rest.strip() or None
    else:
        stdout.print(HELP, highlight=False, markup=False)
    return True
