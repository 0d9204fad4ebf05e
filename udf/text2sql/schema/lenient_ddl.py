"""Reads DDL leniently, statement by statement: any database's, and faulty DDL that no database would accept."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice

from ....workers.database_schema import Column, Schema, Table, join_name
from .column_types import duckdb_type, written
from .create_table import Body, columns_of_query, copied_tables, find_body, name_of_item, partition_items
from .ddl_tokens import DdlToken, Group, Node, nest, read_path, read_tokens, split, string_at, table_path
from .inferred_keys import Keys, add_keys, read_key_lines
from .table_items import Item, find_comment, forgotten_commas, primary_key, read_item

MAX_WORDS = 8  # Words between CREATE and TABLE: OR REPLACE GLOBAL TEMPORARY …
CREATES = ("create", "declare", "replace", "attach")
MAX_NOTES = 20
MAX_NEAR = 200  # Limit for searching similar names, because comparing takes time.
JOINED_WITH = re.compile(r"([\w.]+)\.(\w+) can be joined with ([\w.]+)\.(\w+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LenientDdl:
    """The result of reading a DDL text.

    Args:
        schema: its tables, with their comments and keys.
        keys: the keys of each table, also those in comments.
        left_out: the parts that were not understood, each with its line; empty if the text has no errors.
        guessed: the parts that were read as something similar, each with its line.
    """

    schema: Schema
    keys: dict[str, Keys]
    left_out: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()


def parse_lenient(text: str) -> LenientDdl:
    """Return the tables, columns, comments and keys in a DDL text, whatever else is in it.

    It takes linear time.
    """
    reader = _Reader()
    for statement, comments in _statements(text):
        reader.read(statement, comments)
    reader.read_waiting()
    tables = (Table(found.name, tuple(found.columns.values()), found.comment) for found in reader.tables.values())
    schema = add_keys(Schema(tables=tuple(tables)), reader.keys)
    return LenientDdl(schema, reader.keys, tuple(reader.left_out), tuple(reader.guessed))


def _statements(text: str) -> Iterator[tuple[list[DdlToken], list[DdlToken]]]:
    """Yield the tokens of each statement, and the comments in and after it."""
    tokens: list[DdlToken] = []
    comments: list[DdlToken] = []
    for token in read_tokens(text):
        (comments if token.kind == "comment" else tokens).append(token)
    starts = [at for at, token in enumerate(tokens) if at == 0 or token.lower == ";" or _begins(tokens, at)]
    ends = [*starts[1:], len(tokens)]
    parts = [tokens[start + (tokens[start].lower == ";") : end] for start, end in zip(starts, ends, strict=True)]
    parts = [part for part in parts if part]
    first = 0
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        last = first
        while last < len(comments) and (following is None or comments[last].start < following[0].start):
            last += 1
        yield part, comments[first:last]
        first = last


def _begins(tokens: list[DdlToken], at: int) -> bool:
    """Whether a supported statement begins here, even if nothing ends the previous one."""
    word = tokens[at].lower
    following = [token.lower for token in tokens[at + 1 : at + 3]]
    if word in CREATES and _table_word(tokens, at):
        return True
    if word in ("exec", "execute"):
        return True
    if word == "create" and following[:1] == ["type"]:
        return True
    if word == "alter":
        return following[:1] == ["table"]
    return following in (["on", "table"], ["on", "column"]) and _is_comment(word)


@lru_cache(maxsize=256)
def _is_comment(word: str) -> bool:
    """Whether it is COMMENT, also misspelled."""
    return word.startswith("co") and bool(difflib.get_close_matches(word[:20], ["comment"], 1, 0.8))


def _table_word(tokens: list[DdlToken], at: int) -> int:
    """Return the position of TABLE in CREATE … TABLE, or of VIEW; 0 for any other statement."""
    for position in range(at + 1, min(at + MAX_WORDS, len(tokens) - 1)):
        if tokens[position].lower in ("table", "view"):
            return position if tokens[position + 1].is_name or tokens[position + 1].lower == "{" else 0
        if tokens[position].kind != "word":
            return 0
    return 0


@dataclass(slots=True)
class _FoundTable:
    """A table while statements still add to it; its columns by lower-case name."""

    name: str
    columns: dict[str, Column] = field(default_factory=dict)
    comment: str = ""

    def add(self, columns: Iterable[Column]) -> None:
        """Add columns; existing ones are not changed."""
        for column in columns:
            self.columns.setdefault(column.name.lower(), column)


@dataclass(slots=True)
class _Reader:
    """Collects the tables of one text, statement by statement."""

    tables: dict[str, _FoundTable] = field(default_factory=dict)
    keys: dict[str, Keys] = field(default_factory=dict)
    left_out: dict[str, None] = field(default_factory=dict)
    guessed: dict[str, None] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    # Tables that copy a table which no earlier statement creates.
    waiting: list[tuple[list[DdlToken], list[DdlToken]]] = field(default_factory=list)
    near_names: int = 0

    def read_waiting(self) -> None:
        """Read the tables that copy another one, after all other tables were read."""
        waiting, self.waiting = self.waiting, []
        for statement, comments in waiting:
            self.read(statement, comments, last=True)

    def read(self, statement: list[DdlToken], comments: list[DdlToken], *, last: bool = False) -> None:
        """Read one statement; `last`: no later statement will create the table that it copies."""
        word = statement[0].lower
        table_word = _table_word(statement, 0) if word in CREATES else 0
        if table_word:
            self._create(statement, nest(statement[table_word + 1 :]), comments, last)
        elif word == "alter" and len(statement) > 1 and statement[1].lower == "table":
            self._alter(nest(statement[2:]))
        elif _is_comment(word) and len(statement) > 2 and statement[1].lower == "on":
            self._comment_on(statement)
        elif word == "create" and len(statement) > 1 and statement[1].lower == "type":
            self._create_type(nest(statement[2:]))
        elif any(token.lower == "sp_addextendedproperty" for token in statement[:8]):
            self._extended_property([token.text for token in statement if token.kind == "string"])
        for token in statement:
            if not token.closed:
                self._note(token, "a quote opens here that is never closed")
        for comment in comments:
            for table, column, other, other_column in JOINED_WITH.findall(comment.text):
                self._add_keys(table, Keys(foreign=(((column,), other, (other_column,)),)))

    def _note(self, node: Node, what: str) -> None:
        """Record that a part is left out, and its line."""
        if len(self.left_out) < MAX_NOTES:
            self.left_out[f"line {node.line}: {what}"] = None

    def _guess(self, node: Node, what: str) -> None:
        """Record that a part is read as something similar, and its line."""
        if len(self.guessed) < MAX_NOTES:
            self.guessed[f"line {node.line}: {what}"] = None

    def _add_keys(self, name: str, keys: Keys) -> None:
        self.keys[name] = self.keys.get(name, Keys()) | keys

    def _create(self, statement: list[DdlToken], nodes: list[Node], comments: list[DdlToken], last: bool) -> None:
        body = find_body(nodes)
        name = join_name(body.path)
        items = list(self._items(body, name, comments))
        others = list(copied_tables(body))
        likes = [*others, *(item.like for item in items if item.like)]
        if not last and any(other.lower() not in self.tables for other in likes):
            self.waiting.append((statement, comments))
            self.tables.setdefault(name.lower(), _FoundTable(name))
            return
        table = self.tables[name.lower()] = _FoundTable(
            name, comment=find_comment(body.head) or find_comment(body.tail)
        )
        for other in others:
            table.add(self._columns_like(other, statement[0], name))
        for item in items:
            table.add(self._columns_like(item.like, statement[0], name) if item.like else self._typed(item))
        for part in partition_items(body):
            table.add(read_item(part).columns)
        if not table.columns or body.adds_query:
            table.add(self._selected(body, name))
        if not table.columns:
            self._note(statement[0], f"no column of {name} can be read")
        for node in nodes:
            if node.lower == ")":
                self._note(node, f"a bracket closes in {name} that nothing opened")
        for item in items:
            self._add_keys(name, item.keys)
        lines = "\n".join(comment.text for comment in comments if not comment.text.startswith("/*"))
        self._add_keys(name, Keys(primary=primary_key([*body.head, *body.tail])) | read_key_lines(lines)[1])

    def _typed(self, item: Item) -> Iterator[Column]:
        """Yield the item's column; if its type is from CREATE TYPE, with that ENUM."""
        for column in item.columns:
            yield replace(column, type=self.types.get(column.type.rpartition(".")[2], column.type))

    def _items(self, body: Body, name: str, comments: list[DdlToken]) -> Iterator[Item]:
        """Yield the columns and constraints in a table's brackets, with the comments after their lines."""
        if body.group is None:
            return
        if body.group.end is None:
            self._note(body.group, f"the brackets of {name} are not closed")
        behind = _comments_inside(body.group, comments)
        parts = [piece for part in split(body.group.nodes) if part for piece in self._pieces(part, name)]
        next_lines = [*(part[0].line for part in parts[1:]), None]
        for part, next_line in zip(parts, next_lines, strict=True):
            item = read_item(part)
            if item.left:
                self._note(item.left[0], f"in {name} {_quote(item.left)} was not understood")
            lines = range(part[0].line, _last_line(part) + 1)
            yield item.with_comment(next((behind[line] for line in lines if line in behind and line != next_line), ""))

    def _pieces(self, part: list[Node], name: str) -> Iterator[list[Node]]:
        """Yield an item, or several if commas between them are missing."""
        positions = forgotten_commas(part)
        for at in positions:
            self._guess(part[at], f"in {name} a comma is missing before {part[at].text}")
        for start, end in zip([0, *positions], [*positions, len(part)], strict=True):
            yield part[start:end]

    def _columns_like(self, other: str, node: Node, name: str) -> tuple[Column, ...]:
        """Return the columns of the table that another one copies."""
        table = self.tables.get(other.lower())
        if table is None or not table.columns:
            self._note(node, f"{name} has the columns of {other}, which the text does not create")
            return ()
        return tuple(table.columns.values())

    def _selected(self, body: Body, name: str) -> Iterator[Column]:
        """Yield the columns of a table that is created from a query."""
        for item, sources in columns_of_query(body):
            if item[-1].text == "*":
                for source in sources:
                    yield from self._columns_like(source, item[-1], name)
            elif alias := name_of_item(item):
                yield Column(alias)
            else:
                self._note(item[0], f"in {name} the column {_quote(item)} has no name")

    def _alter(self, nodes: list[Node]) -> None:
        at = 0
        while at < len(nodes) and nodes[at].lower in ("if", "exists", "only"):
            at += 1
        path, at = table_path(nodes, at)
        name = join_name(path)
        adding = False
        for action in split(nodes[at:]):
            words = [node.lower for node in action]
            if "add" in words[:3]:
                adding, action = True, action[words.index("add") + 1 :]
            elif words[:1] and words[0] in ("drop", "rename", "change") and "constraint" not in words:
                self._note(action[0], f"ALTER TABLE {name} {_quote(action)} was not applied")
                adding = False
            if adding:
                self._add_items(name, action)

    def _add_items(self, name: str, action: list[Node]) -> None:
        """Apply ALTER TABLE … ADD: a column, several in brackets, or a constraint."""
        while action and action[0].lower in ("column", "columns", "if", "not", "exists"):
            action = action[1:]
        if not action or action[0].lower in ("partition", "tag"):
            return
        parts = list(split(action[0].nodes)) if isinstance(action[0], Group) else [action]
        for item in (read_item(part) for part in parts if part):
            self._add_keys(name, item.keys)
            if table := self.tables.get(name.lower()):
                table.add(self._typed(item))

    def _create_type(self, nodes: list[Node]) -> None:
        """Read CREATE TYPE mood AS ENUM ('sad', 'ok'), which may be a column's type."""
        path, at = table_path(nodes, 0)
        type_name = duckdb_type(nodes[at + 1 :])[0] if nodes[at : at + 1] and nodes[at].lower == "as" else ""
        if path and type_name.startswith("ENUM("):
            self.types[path[-1].upper()] = type_name

    def _comment_on(self, statement: list[DdlToken]) -> None:
        """Read COMMENT ON TABLE or COLUMN; a slightly wrong name is read as the similar one and noted."""
        nodes: list[Node] = [*statement]
        object_type = statement[2].lower
        path, at = read_path(nodes, 3)
        at += at < len(nodes) and nodes[at].lower in ("is", "as")
        if object_type not in ("table", "column") or not path:
            return
        comment = string_at(nodes, at)
        if comment is None:
            self._note(statement[0], f"the comment on {join_name(path)} has no text")
            return
        behind = [node for node in nodes[nodes.index(comment) + 1 :] if node.lower != "/"]
        if statement[0].lower != "comment" or (behind and behind[0].line == comment.line):
            self._guess(statement[0], f"{_quote([statement[0], *behind])} was read as COMMENT ON and ;")
        self._put_comment(object_type, path, comment)

    def _put_comment(self, object_type: str, path: tuple[str, ...], comment: Node) -> None:
        name = join_name(path if object_type == "table" else path[:-1]).lower()
        table = self.tables.get(self._near(name, self.tables, comment))
        if table is None:
            return
        if object_type == "table":
            table.comment = comment.text
        elif column := self._near(path[-1].lower(), table.columns, comment):
            table.columns[column] = replace(table.columns[column], comment=comment.text)

    def _near(self, name: str, names: Collection[str], node: Node) -> str:
        """Return the name itself, or a similar one; '' if there is none."""
        if name in names:
            return name
        self.near_names += 1
        few = list(islice(names, MAX_NEAR)) if self.near_names < MAX_NEAR else []
        near = difflib.get_close_matches(name[:100], few, 1, 0.85)
        if near:
            self._guess(node, f"the comment on {name} was read as the comment on {near[0]}")
            return near[0]
        self._note(node, f"there is a comment on {name}, and nothing of the name")
        return ""

    def _extended_property(self, texts: list[str]) -> None:
        """Read a comment of SQL Server (sp_addextendedproperty): a name, the text, and pairs of level and name."""
        levels = dict(zip([text.lower() for text in texts[2::2]], texts[3::2], strict=False))
        if len(texts) < 6 or texts[0] != "MS_Description" or "table" not in levels:
            return
        names = [levels[key] for key in ("schema", "table") if key in levels]
        full = join_name(names).lower()
        path = (*(names if full in self.tables else names[-1:]), *([levels["column"]] if "column" in levels else []))
        self._put_comment("column" if "column" in levels else "table", path, DdlToken("string", texts[1], 0, 0))


def _comments_inside(group: Group, comments: list[DdlToken]) -> dict[int, str]:
    """Return the comments in a table's brackets, by line."""
    return {
        comment.line: text
        for comment in comments
        if group.start < comment.start and (group.end is None or comment.start < group.end)
        if (text := comment.text.strip("-#/*! \t\r\n")) and any(letter.isalnum() for letter in text)
    }


def _last_line(nodes: list[Node]) -> int:
    last = nodes[-1]
    while isinstance(last, Group) and last.nodes:
        last = last.nodes[-1]
    return last.line


def _quote(nodes: Iterable[Node]) -> str:
    text = "".join(written(node) for node in nodes).strip()
    return repr(text if len(text) < 80 else text[:80] + "…")
