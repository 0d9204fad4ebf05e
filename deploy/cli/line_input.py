"""What a person types: texts of one or more lines, with editing, Tab, and those typed before, kept in QUACKLLM_HOME."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...workers.home import home_folder

MOST_LINES = 5000


def read_inputs(
    name: str, prompt: str, more: str, whole: Callable[[str], bool], words: Sequence[str] = ()
) -> Iterator[str]:
    """Yield what is typed until Ctrl-D; Ctrl-C drops what was typed so far.

    Args:
        name: of the file that keeps what was typed.
        prompt, more: what stands before a text's first line, and before the others.
        whole: whether a text, its lines as they were typed, is at its end.
        words: what Tab completes.
    """
    with_history, lines = _history(name, words), list[str]()
    while True:
        try:
            lines.append(input(more if lines else prompt))
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print()
            lines = []
            continue
        text = "\n".join(lines)
        if not text.strip() or whole(text):
            lines = []
            if text.strip():
                with_history(text)
                yield text


def _history(name: str, words: Sequence[str]) -> Callable[[str], None]:
    """Bring back what was typed before; the function that is returned adds a text."""
    try:
        import readline
    except ImportError:  # Windows: its own console edits lines.
        return lambda text: None
    path = home_folder() / f"{name}_history"
    path.touch(mode=0o600)
    readline.clear_history()
    readline.read_history_file(path)
    readline.set_history_length(MOST_LINES)
    readline.set_auto_history(False)
    readline.set_completer(_completer(words))
    readline.set_completer_delims(" \t\n,;()'\"=<>+-*/.")
    readline.parse_and_bind("tab: complete")

    def add(text: str) -> None:
        # In one line it can be edited and asked again; where a comment ends a line, it stays several.
        for line in text.split("\n") if "--" in text else [text.replace("\\\n", " ").replace("\n", " ")]:
            readline.add_history(line)
        readline.write_history_file(path)

    return add


def _completer(words: Sequence[str]) -> Callable[[str, int], str | None]:
    def complete(begun: str, number: int) -> str | None:
        found = [word for word in words if word.lower().startswith(begun.lower())]
        return found[number] if number < len(found) else None

    return complete
