"""`%chat` and Byzer's cells: a question is sent, its answer is shown as it arrives, and saved."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import Connection, Message, Request, Response
from ...udf.conversation_tables import check_turn_name, has_table, load_history, save_response
from ...udf.functions.params import continue_conversation, read_params
from ...udf.session.session import find_session
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
    shell: InteractiveShell,
    notebook: NotebookConnection,
    given: dict[str, str],
    text: str,
    *,
    column: str | None = None,
) -> None:
    """Send a question, show the answer as it arrives, and save the turn.

    Args:
        shell: where the answer is shown.
        notebook: its connection and variables.
        given: the options, as they were written.
        text: the question, its templates filled in.
        column: the only column of the table that `output` names; None: a column per field of the response.

    Raises:
        QuackLLMError: there is no question, or no model; or the answer failed, after it was saved.
        KeyboardInterrupt: the answer was stopped, after it was saved.
    """
    connection = notebook.connection()
    options = dict(given)
    model, input_turn, output_turn = (options.pop(name, None) for name in ("model", "input", "output"))
    answer_format = _check_format(options.pop("format", "markdown"))
    request = _request(options, text)
    if input_turn is not None:
        request = continue_conversation(_read_history(connection, notebook.variables, input_turn), request)
    if output_turn is not None:
        check_turn_name(connection, output_turn)
    streaming = StreamedAnswer(connection, request, model, read_statement_options(connection).llm_store)
    response, stopped = _stream_to_output(shell, streaming, answer_format, _take_warnings(connection))
    if output_turn is not None:
        notebook.variables[output_turn] = response
        save_response(connection, output_turn, response, column)
    if stopped:
        raise KeyboardInterrupt
    if response.finish_reason in ("error", "filter") and response.error:
        hint = "run the cell again: a failed request is sent again"
        raise ProviderError(response.error.message, code=response.error.code, hint=hint)


def _stream_to_output(
    shell: InteractiveShell, streaming: StreamedAnswer, answer_format: str, notes: list[str]
) -> tuple[Response, bool]:
    """Show the answer as it arrives; return it, and whether the user stopped it."""
    view = live_output(shell, answer_format)
    stopped = False
    try:
        for chunk in streaming:
            if isinstance(chunk, str):
                view.append(chunk)
    except KeyboardInterrupt:
        stopped = True
    response = streaming.response or streaming.stop()
    usage = streaming.scope.usage
    view.finish(response, "\n".join([usage_line(response, cached=usage.cached > 0, cost=usage.money), *notes]))
    return response, stopped


def _take_warnings(connection: Connection) -> list[str]:
    """Return the warnings from choosing the model, so that the next statement does not show them."""
    notes = find_session(connection).statement.warnings
    taken = [*notes]
    notes.clear()
    return taken


def _request(options: dict[str, str], text: str) -> Request:
    if not text.strip():
        raise RequestError("there is no question", hint="write %chat Why is the sky blue?   or a %%chat cell")
    if "image" in options:
        options["image"] = _as_url(options["image"])
    request = read_params({**options, "instruction": text}, typed=False)
    assert request is not None, "the instruction is there"
    return request


def _as_url(image: str) -> str:
    """Return a local file's image as a `data:` URL; a URL or JSON unchanged."""
    if image.startswith(("http://", "https://", "data:", "[")):
        return image
    path = Path(image).expanduser()
    mime_type, _ = mimetypes.guess_type(path.name)
    try:
        content = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise RequestError(
            f"the image cannot be read: {error}", hint="write a file's path or an https:// URL"
        ) from error
    return f"data:{mime_type or 'image/png'};base64,{content}"


def _read_history(connection: Connection, variables: Mapping[str, Any], name: str) -> tuple[Message, ...]:
    """Return the conversation that a table holds, otherwise a variable."""
    value = variables.get(name)
    if isinstance(value, Response) and not has_table(connection, name):
        return value.history
    return load_history(connection, name)


def _check_format(name: str) -> str:
    if name not in FORMATS:
        raise RequestError(f"there is no format {name!r}", hint=did_you_mean(name, FORMATS))
    return name


def fill_templates(notebook: NotebookConnection, given: dict[str, str], text: str) -> tuple[dict[str, str], str]:
    """Return the options and the question with each `{{…}}` filled in."""
    connection = notebook.connection()
    options = {name: render_template(value, notebook.variables, connection) for name, value in given.items()}
    return options, render_template(text, notebook.variables, connection)
