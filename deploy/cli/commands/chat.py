"""`quackllm chat`: one question or a conversation, with the answer printed as it arrives."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..argv import parse_params
from ..cluster_option import resolve_cluster
from ..shared_options import Cluster, Json, deployed_names

if TYPE_CHECKING:
    from ....udf.connection import Connection
    from ....workers.messages import Message, Response
    from ....workers.options import Options

HELP = """\
/model NAME    another model for the next turns; alone: which one answers
/system TEXT   a system message for the next turns
/new           forget the conversation
/quit          leave (or Ctrl-D)
A line that ends with \\ continues on the next one. Ctrl-C stops an answer."""
STANDARD_INPUT = "-"
FIELDS = ("output", "reasoning", "error", "model", "history", "finish_reason", "usage", "seconds")


def chat(
    model: Annotated[
        str | None, typer.Argument(help="Left out: the only one deployed.", autocompletion=deployed_names)
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Argument(help="Left out: a conversation, or the standard input; - is the latter."),
    ] = None,
    system: Annotated[str | None, typer.Option(help="The system message.")] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", metavar="KEY=VALUE...", help="temperature, max_tokens, … as in llm_param."),
    ] = None,
    store: Annotated[
        Literal["on", "off", "refresh"] | None,
        typer.Option(help="The call store: refresh ignores a cached answer."),
    ] = None,
    cluster: Cluster = None,
    json: Json = False,
) -> None:
    """Talk to a model; the answer is printed as it arrives.

    A conversation; a question with options; one about a file; for a program:

        quackllm chat qianwen_chat
        quackllm chat qianwen_chat "hello" --system "You are a duck." -o temperature=0.7 max_tokens=200
        quackllm chat qianwen_chat "Summarise this:" - < report.txt
        quackllm chat qianwen_chat "hello" --json

    An answer from the call store costs nothing. Exit code 1: the answer is not complete.
    """
    from ....udf.settings import load_settings
    from ....workers.options import read_options
    from ..open_database import open_database

    text = _read_prompt(prompt or [])
    with open_database(None, model=model, cluster=resolve_cluster(cluster)) as connection:
        request_options = read_options(parse_params(options or []))
        conversation = Conversation(connection, model, request_options, store or load_settings().llm_store, system)
        if text is None:
            _repl(conversation)
        elif not _show_result(conversation.ask(text, quiet=json), json):
            raise typer.Exit(1)


def _read_prompt(arguments: list[str]) -> str | None:
    """Return the question; None: a person types a conversation."""
    if not arguments and sys.stdin.isatty():
        return None
    piped = sys.stdin.read() if not arguments or STANDARD_INPUT in arguments else ""
    prompt = " ".join(word for word in arguments if word != STANDARD_INPUT)
    return f"{prompt}\n\n{piped}".strip() if piped else prompt


@dataclass
class Conversation:
    """The turns so far, and how the next one is sent; a turn without a complete answer is not added.

    Args:
        connection: whose models and call store are used.
        model: the model's name; None: the only one deployed.
        options: of each request.
        store: the mode of the call store.
        system: the system message.
        history: the turns so far.
    """

    connection: Connection
    model: str | None
    options: Options
    store: Literal["on", "off", "refresh"]
    system: str | None = None
    history: tuple[Message, ...] = ()

    def ask(self, text: str, *, quiet: bool = False) -> Response:
        """Send the next turn and return its response; unless quiet, the answer is printed as it arrives.

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
            for chunk in answer:
                if isinstance(chunk, str) and not quiet:
                    print(chunk, end="", flush=True)
        finally:
            response = answer.stop()
            if not quiet:
                print()
        if response.is_complete:
            self.history = response.history
        return response

    def use(self, model: str) -> None:
        """Let another model answer the next turns.

        Raises:
            UnknownModelError: it is not deployed.
        """
        from ....udf.session.session import find_session

        find_session(self.connection).model_for(model)
        self.model = model


def _show_result(response: Response, json: bool) -> bool:
    """Print the response as JSON, or its error; return whether it is complete."""
    from ...terminal_output import print_line, show_json, stderr

    if json:
        show_json(response_fields(response))
    elif response.error:
        print_line(f"{response.error.code}: {response.error.message}", to=stderr, style="red")
    return response.is_complete


def response_fields(response: Response) -> dict[str, Any]:
    """Return a response as JSON values, with the fields that SQL has."""
    from msgspec import to_builtins

    fields = to_builtins(response)
    return {name: fields[name] for name in FIELDS}


def _repl(conversation: Conversation) -> None:
    """Read turns until Ctrl-D or /quit; an error ends its turn only."""
    from ....workers.errors import QuackLLMError
    from ...terminal_output import print_line, show_error
    from ..line_input import read_inputs

    print_line("Type /help for help, /quit to leave.")
    for line in read_inputs("chat", "> ", "... ", lambda text: not text.endswith("\\")):
        text = line.replace("\\\n", "\n").strip()
        try:
            if not text.startswith("/"):
                _show_result(conversation.ask(text), json=False)
            elif not _run_command(conversation, text):
                return
        except QuackLLMError as error:
            show_error(error.message, error.hint)
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)


def _run_command(conversation: Conversation, text: str) -> bool:
    """Run a command that begins with a slash; return whether the conversation goes on.

    Raises:
        UnknownModelError: /model names one that is not deployed.
    """
    from ...terminal_output import print_line

    command, _, rest = text.partition(" ")
    rest = rest.strip()
    if command in ("/quit", "/exit", "/bye"):
        return False
    if command == "/new":
        conversation.history = ()
    elif command == "/system":
        conversation.system = rest or None
    elif command == "/model":
        if rest:
            conversation.use(rest)
        print_line(f"{conversation.model or 'the only model deployed'} answers")
    elif command == "/help":
        print_line(HELP)
    else:
        print_line(f"there is no command {command}\n{HELP}")
    return True
