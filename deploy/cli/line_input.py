"""Input typed at a prompt: several lines, editing, Tab completion, and a history in QUACKLLM_HOME."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory
from prompt_toolkit.shortcuts import CompleteStyle

from ...workers.home import home_folder, touch_private


def read_inputs(
    name: str, prompt: str, continuation: str, is_complete: Callable[[str], bool], completions: Sequence[str] = ()
) -> Iterator[str]:
    """Yield each input until Ctrl-D; Ctrl-C discards the lines typed so far.

    Args:
        name: the history is the file `{name}_history`.
        prompt: printed before the first line.
        continuation: printed before the other lines.
        is_complete: whether Enter ends the input; otherwise it begins another line.
        completions: what Tab completes.
    """

    def is_finished(text: str) -> bool:
        return not text.strip() or is_complete(text)

    history = home_folder() / f"{name}_history"
    touch_private(history)
    session: PromptSession[str] = PromptSession(
        prompt,
        prompt_continuation=continuation,
        multiline=Condition(lambda: not is_finished(session.default_buffer.text)),
        history=FileHistory(history),
        completer=WordCompleter(completions, ignore_case=True),
        complete_while_typing=False,
        complete_style=CompleteStyle.READLINE_LIKE,
    )
    while True:
        try:
            text = session.prompt()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if text.strip():
            yield text
