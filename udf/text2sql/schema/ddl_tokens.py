"""Splits DDL text into tokens and bracket groups, in one pass, for the syntax of any database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

QUOTED = r'"(?:[^"]|"")+"|`[^`]+`|\[[^\]]+\]|“[^”]+”|‘[^’]+’'
NAME = rf"(?:{QUOTED}|'[^']+'|\{{\{{[^}}]*\}}\}}|\$\{{[^}}]*\}}|\#{{0,2}}[\w$@][\w$@#-]*)"
PATH = rf"{NAME}(?:\s*\.\s*{NAME})*"
TOKENS = r"""
    (?P<space>\s+)
  | (?P<comment>--[^\n]*|//[^\n]*|/\*(?!!).*?(?:\*/|\Z))
  | (?P<version>/\*!\d*|\*/)                # what only MySQL runs: /*!50100 PARTITION BY … */
  | (?P<string>[nN]?[qQ]'(?:\[.{0,500}?\]|\(.{0,500}?\)|\{.{0,500}?\}|<.{0,500}?>|([^\w\s]).{0,500}?\5)'
            |'(?:[^'\\]|''|ESCAPE)*(?:'|\Z)|‘[^’]*(?:’|\Z)|\$([^\W\d]\w*|)\$.*?\$\6\$)
  | (?P<double>[uU]&"(?:[^"]|"")*(?:"|\Z)|"{3}(?:[^"\\]|ESCAPE|"(?!"{2}))*"{3}|"(?:[^"\\]|""|ESCAPE)*(?:"|\Z)
            |“[^“”]*[“”])
  | (?P<name>`(?:[^`]|``)*`|【[^【】\n]*】|\[[^\[\],'"\n]*\]|\{\{[^{}]*\}\}|\$\{[^{}]*\})
  | (?P<word>[\w$@][\w$@\#]*)
  | (?P<mark>.)
"""  # The first form of a string is Oracle's: q'[it's]'.
WITH_ESCAPES, WITHOUT_ESCAPES = (
    re.compile(TOKENS.replace("ESCAPE", escape), re.DOTALL | re.VERBOSE) for escape in (r"\\(?:.|\Z)", r"\\")
)
TO_LINE_END = re.compile(r"[^\n]*")
HASH_NAME = re.compile(r"##?\w+")
# SQL Server: [Customer's name, in full], [a]]b]. Elsewhere brackets are an array: [1, 'b'].
BRACKET_NAME = re.compile(r"\[[^\W\d](?:[^\[\]\n]|\]\](?=\w))*\]")
APOSTROPHE = re.compile(r"'(?:(?:s|t|re|ll|ve|m|d)\b(?!')|\s)")
UNICODE_ESCAPE = re.compile(r"\\(?:\+([0-9a-fA-F]{6})|([0-9a-fA-F]{4}))")  # In U&"d\0061t\+000061" of standard SQL.
STRING_PREFIX = re.compile(r"\A(?:n|e|b|x|r|q|u&|_\w+)\Z", re.IGNORECASE)
FULL_WIDTH = str.maketrans("（），；：．＝［］｛｝＜＞、", "(),;:.=[]{}<>,")
# After these, `#` begins a name (SQL Server's temporary tables); otherwise it begins a comment.
BEFORE_NAME = {"table", "exists", "references", "only", "into", ".", "like"}
NESTED_TYPES = {"array", "map", "struct", "row", "uniontype", "multiset", "range", "list", "tuple", "agg_state"}
CLOSING = {"(": ")", "<": ">", "[": "]", "{": "}"}


class DdlToken(NamedTuple):
    """A token of the text.

    Args:
        kind: 'word', 'name' (in back-ticks, brackets or a template), 'double' (in double quotes: a name or a text),
            'string', 'mark' or 'comment'.
        text: its text without quotes; full-width marks are converted to half width.
        start: its position in the text.
        line: its line, from 1.
        closed: whether its closing quote is there.
    """

    kind: str
    text: str
    start: int
    line: int
    closed: bool = True

    @property
    def lower(self) -> str:
        """The word in lower case; '' for quoted text, which is never a keyword."""
        return self.text.lower() if self.kind in ("word", "mark") else ""

    @property
    def is_name(self) -> bool:
        """Whether it can be a name where one is expected."""
        return self.kind in ("word", "name", "double", "string") and bool(self.text)


@dataclass(slots=True, eq=False)
class Group:
    """The contents of a pair of brackets, which end at `end`; None if the closing bracket is missing."""

    open: DdlToken
    nodes: list[Node]
    end: int | None = None

    kind = "group"
    text = ""
    lower = ""
    is_name = False

    @property
    def start(self) -> int:
        """Where it opens."""
        return self.open.start

    @property
    def line(self) -> int:
        """The line on which it opens."""
        return self.open.line


Node = DdlToken | Group


def read_tokens(text: str) -> list[DdlToken]:
    """Return the tokens of a text, with comments, in linear time.

    A backslash escapes a quote in MySQL, Hive and others, but not in standard SQL (`DEFAULT 'C:\\'`). The text
    is read with escapes, unless that leaves a quote open that is closed without escapes.
    """
    tokens = list(_tokens(text, WITH_ESCAPES))
    if "\\" in text and not all(token.closed for token in tokens):
        plain = list(_tokens(text, WITHOUT_ESCAPES))
        return plain if all(token.closed for token in plain) else tokens
    return tokens


def _tokens(text: str, pattern: re.Pattern[str]) -> Iterator[DdlToken]:
    at, line, before = 0, 1, DdlToken("mark", "", 0, 1)
    while at < len(text):
        token, end = _token(text, at, line, before, pattern)
        if token is not None:
            yield token
            before = before if token.kind == "comment" else token
        line += text.count("\n", at, end)
        at = end


def _token(text: str, at: int, line: int, before: DdlToken, pattern: re.Pattern[str]) -> tuple[DdlToken | None, int]:
    """Read the token at a position, or None for whitespace; also return its end."""
    if text[at] == "#":
        name = HASH_NAME.match(text, at) if before.lower in BEFORE_NAME else None
        found = name or TO_LINE_END.match(text, at)
        assert found
        return DdlToken("word" if name else "comment", found[0], at, line), found.end()
    if text[at] == "[" and before.lower in BEFORE_NAME | {"(", ","} and (found := BRACKET_NAME.match(text, at)):
        return DdlToken("name", found[0][1:-1].replace("]]", "]"), at, line), found.end()
    if text[at] == "'" and _is_apostrophe(text, at, before):
        return None, at + 1
    found = pattern.match(text, at)
    assert found
    kind = found.lastgroup or "mark"
    if kind in ("space", "version"):
        return None, found.end()
    if kind in ("word", "comment"):
        return DdlToken(kind, found[0], at, line), found.end()
    if kind == "mark":
        return DdlToken(kind, found[0].translate(FULL_WIDTH), at, line), found.end()
    value, closed = _unquoted(found[0])
    return DdlToken(kind, value, at, line, closed), found.end()


def _is_apostrophe(text: str, at: int, before: DdlToken) -> bool:
    """Whether a quote is an apostrophe of English prose: the owner's table."""
    in_word = before.kind == "word" and before.start + len(before.text) == at and not STRING_PREFIX.match(before.text)
    return in_word and APOSTROPHE.match(text, at) is not None


def _unquoted(text: str) -> tuple[str, bool]:
    """Return the text of a quoted name or string, and whether its closing quote is there."""
    quote = text[0]
    if quote in "nNqQ":
        return text[text.index("'") + 2 : -2], True
    if text.startswith(("{{", "${")):
        return text, True
    if quote == "$":
        tag = text[: text.index("$", 1) + 1]
        return text[len(tag) : -len(tag)], True
    if quote in "uU":
        name, closed = _unquoted(text[2:])
        return UNICODE_ESCAPE.sub(lambda found: _character(found[1] or found[2]), name), closed
    closed = len(text) > 1 and text[-1] in {"“": "“”", "‘": "’", "[": "]", "【": "】"}.get(quote, quote)
    inside = text[1:-1] if closed else text[1:]
    if text.startswith('"""') and len(text) > 5:
        inside = text[3:-3]
    elif quote in "'\"`":
        inside = inside.replace(quote * 2, quote)
    return (re.sub(r"\\(['\"\\])", r"\1", inside) if quote in "'\"" else inside), closed


def _character(code: str) -> str:
    """Return the character of a code in hexadecimal; half a surrogate pair or none is U+FFFD."""
    number = int(code, 16)
    return "\ufffd" if number > 0x10FFFF or 0xD800 <= number < 0xE000 else chr(number)


def without_comments(text: str) -> str:
    """Return SQL text with a space in place of each comment."""
    parts, copied = [], 0
    tokens = read_tokens(text)
    ends = [token.start for token in tokens[1:]] + [len(text)]
    for token, end in zip(tokens, ends, strict=True):
        if token.kind == "comment":
            parts += [text[copied : token.start], " "]
            copied = end
    return "".join([*parts, text[copied:]])


def nest(tokens: Iterable[DdlToken]) -> list[Node]:
    """Return the tokens with bracket contents as groups; a closing bracket without an opening one stays a token."""
    stack = [Group(DdlToken("mark", "", 0, 1), [])]
    round_brackets = 0
    for token in tokens:
        mark = token.text if token.kind == "mark" else ""
        nodes = stack[-1].nodes
        if mark in ("(", "[", "{") or (mark == "<" and nodes and nodes[-1].lower in NESTED_TYPES):
            nodes.append(group := Group(token, []))
            stack.append(group)
            round_brackets += mark == "("
        elif mark == ")" and stack[-1].open.text == "[" and _is_range(stack):
            stack.pop().end = token.start
        elif mark == ")" and round_brackets:
            while stack[-1].open.text != "(":
                stack.pop()
            stack.pop().end = token.start
            round_brackets -= 1
        elif mark and mark == CLOSING.get(stack[-1].open.text):
            stack.pop().end = token.start
        else:
            nodes.append(token)
    return stack[0].nodes


def _is_range(stack: list[Group]) -> bool:
    """Whether it is a range of Doris: VALUES [("2020-01-01"), ("2020-02-01"))."""
    nodes = stack[-2].nodes
    return len(nodes) > 1 and nodes[-2].lower == "values"


def split(nodes: Iterable[Node]) -> Iterator[list[Node]]:
    """Yield the parts between the commas."""
    item: list[Node] = []
    for node in nodes:
        if node.lower == ",":
            yield item
            item = []
        else:
            item.append(node)
    yield item


def read_path(nodes: list[Node], at: int) -> tuple[tuple[str, ...], int]:
    """Return the parts of the dotted name at a position, and its end; no parts if there is no name."""
    parts: list[str] = []
    while at < len(nodes) and nodes[at].is_name:
        part, at = nodes[at].text, at + 1
        while at + 1 < len(nodes) and nodes[at].lower == "-" and _touches(nodes, at):
            part, at = f"{part}-{nodes[at + 1].text}", at + 2  # BigQuery: my-project.data.sales
        parts.append(part)
        dots = at
        while at < len(nodes) and nodes[at].lower == ".":
            at += 1
        if at == dots:
            break
    return tuple(parts), at


def table_path(nodes: list[Node], at: int) -> tuple[tuple[str, ...], int]:
    """Return the parts of a table's name and its end; BigQuery writes a whole path in one pair of back-ticks."""
    parts, end = read_path(nodes, at)
    pieces = parts[0].split(".") if len(parts) == 1 and nodes[at].kind == "name" else []
    return (tuple(pieces) if 1 < len(pieces) < 4 and all(pieces) else parts), end


def _touches(nodes: list[Node], at: int) -> bool:
    before, after = nodes[at - 1], nodes[at + 1]
    touching = before.start + len(before.text) == nodes[at].start == after.start - 1
    return touching and before.kind == after.kind == "word"


def string_at(nodes: list[Node], at: int) -> Node | None:
    """Return the string at a position, also with a prefix: N'text', E'text'; None if there is none."""
    if at + 1 < len(nodes) and nodes[at].kind == "word" and STRING_PREFIX.match(nodes[at].text):
        at += 1
    return nodes[at] if at < len(nodes) and nodes[at].kind in ("string", "double") else None


def unquoted_path(path: str) -> tuple[str, ...]:
    """Return the parts of a dotted name, without their quotes."""
    return read_path([*read_tokens(path)], 0)[0]
