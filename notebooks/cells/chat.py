"""`%chat` and Byzer's cells: a question becomes a request, its answer is shown while it grows, and kept."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import Connection, Message, Request, Response
from ...udf.conversation_tables import check_turn_name, has_table, history_of, save_response
from ...udf.functions.params import continue_conversation, read_params
from ...udf.session.session import session_of
from ...udf.streaming import StreamedAnswer
from ...udf.variables import read_statement_options
from ...workers.errors import ProviderError, RequestError, did_you_mean
from ..display.answers import usage_line
from ..display.live_output import live_output
from ..notebook_connection import NotebookConnection
from .templates import render_template

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

FORMATS = ("markdown", "text", "html")


def chat(
    shell: InteractiveShell, place: NotebookConnection, given: dict[str, str], text: str, *, column: str | None = None
) -> None:
    """Ask, show, keep.

    Args:
        shell: where the answer is shown.
        place: whose connection and variables.
        given: the options, as they were written.
        text: the question; what is to be filled in has been.
        column: the name of the one column of the table that is left; None: a column for each field of the response.

    Raises:
        QuackLLMError: there is nothing to ask, or nobody to answer; or the answer failed, after it was kept.
        KeyboardInterrupt: the answer was stopped, after it was kept.
    """
    connection = place.connection()
    options = dict(given)
    model, before, after = (options.pop(name, None) for name in ("model", "input", "output"))
    look = _format(options.pop("format", "markdown"))
    request = _request(options, text)
    if before is not None:
        request = continue_conversation(_earlier(connection, place.variables, before), request)
    if after is not None:
        check_turn_name(connection, after)
    streaming = StreamedAnswer(connection, request, model, read_statement_options(connection).llm_store)
    response, stopped = _stream_to_output(shell, streaming, look, _notes(connection))
    if after is not None:
        place.variables[after] = response
        save_response(connection, after, response, column)
    if stopped:
        raise KeyboardInterrupt
    if response.finish_reason in ("error", "filter") and response.error:
        hint = "run the cell again: what failed is asked anew"
        raise ProviderError(response.error.message, code=response.error.code, hint=hint)


def _stream_to_output(
    shell: InteractiveShell, streaming: StreamedAnswer, look: str, notes: list[str]
) -> tuple[Response, bool]:
    """Show the answer while it grows; return it, and whether it was stopped."""
    view = live_output(shell, look)
    stopped = False
    try:
        for said in streaming:
            if isinstance(said, str):
                view.append(said)
    except KeyboardInterrupt:
        stopped = True
    response = streaming.response or streaming.stop()
    spent = streaming.scope.usage
    view.finish(response, "\n".join([usage_line(response, known=spent.cached > 0, money=spent.money), *notes]))
    return response, stopped


def _notes(connection: Connection) -> list[str]:
    """Return what was noted while the model was chosen: this is its place, not the next statement's warning."""
    notes = session_of(connection).statement.warnings
    said = [*notes]
    notes.clear()
    return said


def _request(options: dict[str, str], text: str) -> Request:
    if not text.strip():
        raise RequestError("there is nothing to ask", hint="write %chat Why is the sky blue?   or a %%chat cell")
    if "image" in options:
        options["image"] = _image(options["image"])
    request = read_params({**options, "instruction": text}, typed=False)
    assert request is not None, "the instruction is there"
    return request


def _image(written: str) -> str:
    """Return a local file's image as a `data:` URL; an address, and JSON, as it is."""
    if written.startswith(("http://", "https://", "data:", "[")):
        return written
    path = Path(written).expanduser()
    kind, _ = mimetypes.guess_type(path.name)
    try:
        content = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise RequestError(
            f"the image cannot be read: {error}", hint="write a file's path or an https:// URL"
        ) from error
    return f"data:{kind or 'image/png'};base64,{content}"


def _earlier(connection: Connection, variables: Mapping[str, Any], name: str) -> tuple[Message, ...]:
    """Return the conversation that a table holds, or else a variable."""
    held = variables.get(name)
    if isinstance(held, Response) and not has_table(connection, name):
        return held.history
    return history_of(connection, name)


def _format(written: str) -> str:
    if written not in FORMATS:
        raise RequestError(f"an answer is not shown as {written!r}", hint=did_you_mean(written, FORMATS))
    return written


def fill_templates(place: NotebookConnection, given: dict[str, str], text: str) -> tuple[dict[str, str], str]:
    """Return the options and the question with what `{{…}}` stands for."""
    connection = place.connection()
    options = {name: render_template(value, place.variables, connection) for name, value in given.items()}
    return options, render_template(text, place.variables, connection)
