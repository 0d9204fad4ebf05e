"""HTML that follows the theme, and Markdown without anything that a model could abuse."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

# The same content as HTML and as plain text, by MIME type.
Bundle = dict[str, str]

# JupyterLab's and VS Code's own colors, otherwise colors that are legible in both themes.
LINE = "var(--jp-border-color1, var(--vscode-panel-border, rgba(128, 128, 128, .45)))"
FAINT = "var(--jp-layout-color2, var(--vscode-textCodeBlock-background, rgba(128, 128, 128, .12)))"
RED = "var(--jp-error-color1, var(--vscode-errorForeground, #d9534f))"
AMBER = "color-mix(in srgb, var(--jp-warn-color1, #e08a00) 55%, var(--jp-ui-font-color0, currentColor))"
BLUE = "var(--jp-brand-color1, #2196f3)"
MONO = "font-family: var(--jp-code-font-family, monospace)"
WRAP = "white-space: pre-wrap; overflow-wrap: anywhere"


def mime_bundle(html: str, text: str) -> Bundle:
    """Return the HTML for a notebook and the text for a terminal."""
    return {"text/html": html, "text/plain": text}


def div(content: str, style: str = "", css_class: str = "") -> str:
    """Return HTML in a block; `kind` becomes a class name, for styles and tests."""
    attribute = f' class="quackllm-{css_class}"' if css_class else ""
    return f'<div{attribute} style="{style}">{content}</div>'


def preformatted(text: str, style: str = "") -> str:
    """Return text with its line breaks."""
    return f'<span style="{WRAP}; {style}">{escape(text)}</span>'


def muted(text: str, css_class: str = "") -> str:
    """Return a line in small, pale letters."""
    return div(escape(text), f"opacity: .7; font-size: 85%; margin-top: .3em; {WRAP}", css_class)


def markdown(text: str) -> str:
    """Return a model's Markdown as HTML.

    Its HTML is shown as text, so that none of it runs. Its images are links, so that nothing is fetched unasked.
    Backslashes stay, for formulas.
    """
    html: str = _markdown().render(text)
    return html


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("js-default", {"html": False, "linkify": False})
    return parser.disable(["image", "escape"])


def sandboxed(html: str) -> str:
    """Return a model's HTML in an iframe in which no script runs."""
    style = f"width: 100%; height: 24em; resize: vertical; border: 1px solid {LINE}; background: white"
    return f'<iframe sandbox="" srcdoc="{escape(html, quote=True)}" style="{style}"></iframe>'
