"""Answers, conversations and errors: as HTML in a notebook, as text elsewhere."""

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


def format_answer(response: Response, footer: str, answer_format: str = "markdown") -> Bundle:
    """Return an answer and a footer.

    Args:
        response: the answer.
        footer: the model, tokens, seconds and cost.
        answer_format: 'markdown', 'text' or 'html'.
    """
    note = FINISH_NOTES.get(response.finish_reason, "")
    html = _format_reasoning(response) + format_body(response.output or "", answer_format)
    if note:
        html += div(escape(note), f"color: {AMBER}; font-size: 85%", "mark")
    lines = [response.output or "", *([f"[{note}]"] if note else []), footer]
    return mime_bundle(div(html + muted(footer, "footer"), css_class="answer"), "\n".join(lines))


def format_body(text: str, answer_format: str) -> str:
    """Return an answer's text as HTML: read as Markdown, unchanged, or as HTML in a frame."""
    return {"markdown": markdown, "text": preformatted, "html": sandboxed}[answer_format](text)


def _format_reasoning(response: Response) -> str:
    if not response.reasoning:
        return ""
    return f'<details style="opacity: .7"><summary>thinking</summary>{preformatted(response.reasoning)}</details>'


def usage_line(response: Response, *, cached: bool = False, cost: float | None = None) -> str:
    """Return the model, and the tokens, seconds and cost that are known.

    Args:
        response: the answer.
        cached: it came from the call store.
        cost: in the currency of prices.yaml; None: not known.
    """
    usage = response.usage
    parts = [response.model]
    if usage.input_tokens or usage.output_tokens:
        parts.append(format_tokens(usage.input_tokens, usage.output_tokens))
    if response.seconds:
        parts.append(f"{response.seconds:.1f} s")
    if cached:
        parts.append("cached: no request was sent")
    elif cost is not None:
        parts.append(f"cost {cost:.4g}")
    return " · ".join(parts)


def format_tokens(input_tokens: int, output_tokens: int) -> str:
    """Return the tokens of a request: '12 tokens in, 3 out'."""
    return f"{input_tokens:,} {'token' if input_tokens == 1 else 'tokens'} in, {output_tokens:,} out"


def format_conversation(response: Response) -> Bundle:
    """Return the conversation that an answer ends, as a chat."""
    failed = response.error if response.finish_reason != "stop" else None
    html = "".join(map(_format_turn, response.history))
    text = [f"{message.role + ':':<11}{message.content}" for message in response.history]
    if failed:
        partial = Message("assistant", response.output or "")
        html += _format_turn(partial) if response.output else ""
        html += div(escape(FINISH_NOTES[response.finish_reason]), f"color: {AMBER}; font-size: 85%", "mark")
        text += [f"{'assistant:':<11}{response.output or ''}", f"[{FINISH_NOTES[response.finish_reason]}]"]
    footer = usage_line(response)
    return mime_bundle(div(html + muted(footer, "footer"), css_class="chat"), "\n".join([*text, footer]))


def _format_turn(message: Message) -> str:
    is_user = message.role == "user"
    body = markdown(message.content) if message.role == "assistant" else preformatted(message.content)
    images = "".join(map(_format_image, message.images))
    color = BLUE if is_user else LINE
    style = f"border-left: 3px solid {color}; padding: .2em .8em; margin: .4em 0; " + (f"background: {FAINT}" * is_user)
    return div(muted(message.role) + body + images, style, message.role)


def _format_image(url: str) -> str:
    """Return an image that is part of the message; one at a URL is named, not fetched."""
    if url.startswith("data:image/"):
        return f'<div><img src="{escape(url, quote=True)}" style="max-height: 12em" alt="image"></div>'
    return muted(f"image: {url[:200]}")


def format_error(title: str, details: str, hint: str) -> Bundle:
    """Return an error panel.

    Args:
        title: what happened, in a line.
        details: the message of the service or of DuckDB; '' for none.
        hint: what to type; '' for nothing.
    """
    html = div(escape(title), f"font-weight: bold; color: {RED}; {WRAP}", "title")
    if details:
        html += div(escape(details), f"margin-top: .4em; {WRAP}; {MONO}; font-size: 90%", "words")
    if hint:
        html += div(escape(hint), f"margin-top: .5em; padding: .3em .6em; background: {FAINT}; {WRAP}; {MONO}", "hint")
    framed = div(html, f"border: 1px solid {LINE}; border-left: 4px solid {RED}; padding: .5em .9em", "error")
    width = max(map(len, [*title.splitlines(), *details.splitlines(), *hint.splitlines()]), default=0)
    rule = "─" * min(width + 2, 78)
    text = "\n".join([rule, *filter(None, [title, details and f"\n{details}", hint and f"\n{hint}"]), rule])
    return mime_bundle(framed, text)
