"""How answers, conversations and errors look: in a notebook as HTML, elsewhere as text."""

from __future__ import annotations

from html import escape

from ... import Message, Response
from .html import (
    AMBER,
    BLUE,
    FAINT,
    LINE,
    MONO,
    RED,
    WRAP,
    Bundle,
    div,
    markdown,
    mime_bundle,
    muted,
    preformatted,
    sandboxed,
)

FINISH_NOTES = {
    "length": "cut off: --max_tokens allows more",
    "filter": "withheld by the service's filter",
    "cancelled": "stopped: this is a part of the answer (cancelled)",
    "error": "broke off: this is a part of the answer (error)",
}


def format_answer(response: Response, footer: str, look: str = "markdown") -> Bundle:
    """Return an answer with what it took under it."""
    mark = FINISH_NOTES.get(response.finish_reason, "")
    html = _thought(response) + format_body(response.output or "", look)
    if mark:
        html += div(escape(mark), f"color: {AMBER}; font-size: 85%", "mark")
    lines = [response.output or "", *([f"[{mark}]"] if mark else []), footer]
    return mime_bundle(div(html + muted(footer, "footer"), kind="answer"), "\n".join(lines))


def format_body(text: str, look: str) -> str:
    """Return an answer's text as HTML: read as Markdown, as it is, or as HTML in a frame."""
    return {"markdown": markdown, "text": preformatted, "html": sandboxed}[look](text)


def _thought(response: Response) -> str:
    if not response.reasoning:
        return ""
    return f'<details style="opacity: .7"><summary>thinking</summary>{preformatted(response.reasoning)}</details>'


def usage_line(response: Response, *, known: bool = False, money: float | None = None) -> str:
    """Return who answered, and what it took: tokens, seconds and cost, each where it is known."""
    usage = response.usage
    parts = [response.model]
    if usage.input_tokens or usage.output_tokens:
        parts.append(f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out")
    if response.seconds:
        parts.append(f"{response.seconds:.1f} s")
    if known:
        parts.append("answered before: nothing was asked or paid")
    elif money is not None:
        parts.append(f"cost {money:.4g}")
    return " · ".join(parts)


def format_conversation(response: Response) -> Bundle:
    """Return the conversation that an answer ends, as a chat."""
    failed = response.error if response.finish_reason != "stop" else None
    html = "".join(map(_turn, response.history))
    text = [f"{message.role + ':':<11}{message.content}" for message in response.history]
    if failed:
        said = Message("assistant", response.output or "")
        html += _turn(said) if response.output else ""
        html += div(escape(FINISH_NOTES[response.finish_reason]), f"color: {AMBER}; font-size: 85%", "mark")
        text += [f"{'assistant:':<11}{response.output or ''}", f"[{FINISH_NOTES[response.finish_reason]}]"]
    footer = usage_line(response)
    return mime_bundle(div(html + muted(footer, "footer"), kind="chat"), "\n".join([*text, footer]))


def _turn(message: Message) -> str:
    mine = message.role == "user"
    said = markdown(message.content) if message.role == "assistant" else preformatted(message.content)
    pictures = "".join(map(_picture, message.images))
    edge = BLUE if mine else LINE
    style = f"border-left: 3px solid {edge}; padding: .2em .8em; margin: .4em 0; " + (f"background: {FAINT}" * mine)
    return div(muted(message.role) + said + pictures, style, message.role)


def _picture(url: str) -> str:
    """Return a picture that the notebook holds itself; one elsewhere is named, not fetched."""
    if url.startswith("data:image/"):
        return f'<div><img src="{escape(url, quote=True)}" style="max-height: 12em" alt="image"></div>'
    return muted(f"image: {url[:200]}")


def format_error(title: str, words: str, hint: str) -> Bundle:
    """Return an error: what happened, the words of whom it came from, and what to type."""
    html = div(escape(title), f"font-weight: bold; color: {RED}; {WRAP}", "title")
    if words:
        html += div(escape(words), f"margin-top: .4em; {WRAP}; {MONO}; font-size: 90%", "words")
    if hint:
        html += div(escape(hint), f"margin-top: .5em; padding: .3em .6em; background: {FAINT}; {WRAP}; {MONO}", "hint")
    framed = div(html, f"border: 1px solid {LINE}; border-left: 4px solid {RED}; padding: .5em .9em", "error")
    width = max(map(len, [*title.splitlines(), *words.splitlines(), *hint.splitlines()]), default=0)
    rule = "─" * min(width + 2, 78)
    text = "\n".join([rule, *filter(None, [title, words and f"\n{words}", hint and f"\n{hint}"]), rule])
    return mime_bundle(framed, text)
