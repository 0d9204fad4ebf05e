"""How answers, conversations and errors look: in a notebook as HTML, elsewhere as text."""

from __future__ import annotations

from html import escape

from ... import Message, Response
from .html import AMBER, BLUE, FAINT, LINE, MONO, RED, WRAP, Bundle, block, bundle, dim, markdown, plain, sandboxed

MARKS = {
    "length": "cut off: --max_tokens allows more",
    "filter": "withheld by the service's filter",
    "cancelled": "stopped: this is a part of the answer (cancelled)",
    "error": "broke off: this is a part of the answer (error)",
}


def answer(response: Response, footer: str, look: str = "markdown") -> Bundle:
    """Return an answer with what it took under it."""
    mark = MARKS.get(response.finish_reason, "")
    html = _thought(response) + body(response.output or "", look)
    if mark:
        html += block(escape(mark), f"color: {AMBER}; font-size: 85%", "mark")
    lines = [response.output or "", *([f"[{mark}]"] if mark else []), footer]
    return bundle(block(html + dim(footer, "footer"), kind="answer"), "\n".join(lines))


def body(text: str, look: str) -> str:
    """Return an answer's text as HTML: read as Markdown, as it is, or as HTML in a frame."""
    return {"markdown": markdown, "text": plain, "html": sandboxed}[look](text)


def _thought(response: Response) -> str:
    if not response.reasoning:
        return ""
    return f'<details style="opacity: .7"><summary>thinking</summary>{plain(response.reasoning)}</details>'


def took(response: Response, *, known: bool = False, money: float | None = None) -> str:
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


def conversation(response: Response) -> Bundle:
    """Return the conversation that an answer ends, as a chat."""
    failed = response.error if response.finish_reason != "stop" else None
    html = "".join(map(_turn, response.history))
    text = [f"{message.role + ':':<11}{message.content}" for message in response.history]
    if failed:
        said = Message("assistant", response.output or "")
        html += _turn(said) if response.output else ""
        html += block(escape(MARKS[response.finish_reason]), f"color: {AMBER}; font-size: 85%", "mark")
        text += [f"{'assistant:':<11}{response.output or ''}", f"[{MARKS[response.finish_reason]}]"]
    footer = took(response)
    return bundle(block(html + dim(footer, "footer"), kind="chat"), "\n".join([*text, footer]))


def _turn(message: Message) -> str:
    mine = message.role == "user"
    said = markdown(message.content) if message.role == "assistant" else plain(message.content)
    pictures = "".join(map(_picture, message.images))
    edge = BLUE if mine else LINE
    style = f"border-left: 3px solid {edge}; padding: .2em .8em; margin: .4em 0; " + (f"background: {FAINT}" * mine)
    return block(dim(message.role) + said + pictures, style, message.role)


def _picture(url: str) -> str:
    """Return a picture that the notebook holds itself; one elsewhere is named, not fetched."""
    if url.startswith("data:image/"):
        return f'<div><img src="{escape(url, quote=True)}" style="max-height: 12em" alt="image"></div>'
    return dim(f"image: {url[:200]}")


def panel(title: str, words: str, hint: str) -> Bundle:
    """Return an error: what happened, the words of whom it came from, and what to type."""
    html = block(escape(title), f"font-weight: bold; color: {RED}; {WRAP}", "title")
    if words:
        html += block(escape(words), f"margin-top: .4em; {WRAP}; {MONO}; font-size: 90%", "words")
    if hint:
        html += block(
            escape(hint), f"margin-top: .5em; padding: .3em .6em; background: {FAINT}; {WRAP}; {MONO}", "hint"
        )
    framed = block(html, f"border: 1px solid {LINE}; border-left: 4px solid {RED}; padding: .5em .9em", "error")
    width = max(map(len, [*title.splitlines(), *words.splitlines(), *hint.splitlines()]), default=0)
    rule = "─" * min(width + 2, 78)
    text = "\n".join([rule, *filter(None, [title, words and f"\n{words}", hint and f"\n{hint}"]), rule])
    return bundle(framed, text)
