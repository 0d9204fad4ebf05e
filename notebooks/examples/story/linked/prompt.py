"""The prompt form `linked`, for small models: the question's words are tied to the schema by string matching.

A model of a few million weights learns no names from its context, but it learns from this:

    user       <t0>singer:<c0>name<c1>#age<c2>country
               names<c0> of<t0> from text<v0>=<c2>
    assistant  <c0> WHERE<c2> =<v0>

`<t0>`, `<c1>` and `<v0>` are tables, columns and constants in the order in which the question names them; the answer
is a query without FROM, which follows from its columns and the schema's keys (workers/builtin/query/query_tree.py).
`#` marks numbers, `@` dates, `!` keys. Words that name a column or table wholly give way to its token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from quackllm.udf.text2sql.prompts.value_matching import CJK, CellMatch
from quackllm.workers.builtin.query.from_sql import UnsupportedSqlError, parse_sql
from quackllm.workers.builtin.query.grammar import (
    COLUMN,
    KEYWORD,
    KEYWORD_NUMBERS,
    KEYWORDS,
    TABLE,
    VALUE,
    Symbol,
    is_valid,
)
from quackllm.workers.builtin.query.implied_tables import drop_implied_tables
from quackllm.workers.builtin.query.linearize import Linearizer, NotExpressibleError, parse_symbols
from quackllm.workers.builtin.query.query_tree import LiteralValue as LiteralValue
from quackllm.workers.builtin.query.to_sql import NotWritableError, format_sql
from quackllm.workers.builtin.schema.schema_index import SchemaIndex, column_kind
from quackllm.workers.database_schema import Schema, split_name
from quackllm.workers.messages import Message

from .constants import TEXT, Constant, explicit_constants, residual_constants
from .mention_matching import COLUMN as MENTIONED_COLUMN
from .mention_matching import NAME_UNIT, Item, Mention, MentionIndex, MentionToken, tokenize, with_alike_keys
from .mention_matching import TABLE as MENTIONED_TABLE

MOST_TABLES, MOST_COLUMNS, MOST_OF_TABLE, MOST_OF_NEIGHBOUR = 3, 12, 5, 1
MOST_OF_ONE = 6
MOST_NAME_WORDS, MOST_NAME_LETTERS, MOST_UNITS = 2, 4, 60
NAME_COLUMNS = ("name", "title", "名", "标题")
INDEX_TOKENS = tuple(f"<{kind}{number}>" for kind, most in (("c", 24), ("t", 5), ("v", 8)) for number in range(most))
"""What a tokenizer for this form holds as whole tokens."""
TOKEN = re.compile(r"<([ctv])(\d+)>|([A-Z_]+|[<>!]=|=|<(?![ctv]\d)|>)")
KINDS = {"c": COLUMN, "t": TABLE, "v": VALUE}
LETTERS = {kind: letter for letter, kind in KINDS.items()}
MARKS = {"number": "#", "date": "@", "boolean": "?", "other": "", "text": ""}


@dataclass(frozen=True, slots=True)
class LinkedPrompt:
    """A question as the model reads it, and what its index tokens stand for."""

    text: str
    names: SchemaIndex
    columns: tuple[int, ...]
    tables: tuple[int, ...]
    constants: tuple[Constant, ...]

    def answer(self, sql: str) -> str | None:
        """Return SQL over the index tokens; None where the tokens cannot say it."""
        try:
            tree = drop_implied_tables(parse_sql(sql, self.names), self.names)
            symbols = Linearizer([one.spellings for one in self.constants]).query(tree)
            text = "".join(self._write(symbol) for symbol in symbols[:-1]).strip()
        except (UnsupportedSqlError, NotExpressibleError, KeyError, ValueError):
            return None
        return text if self.sql(text) is not None else None

    def sql(self, answer: str) -> str | None:
        """Return the SQL of an answer; None where it is no query."""
        symbols = [*self._symbols(answer), (KEYWORD, KEYWORD_NUMBERS["END"])]
        if not is_valid(symbols) or len(symbols) < 2:
            return None
        values = [LiteralValue(one.text, one.kind in ("number", "year")) for one in self.constants]
        spellings = {one.text: one.spellings[-1] for one in self.constants}
        try:
            return format_sql(parse_symbols(symbols, values), self.names, lambda _, text: spellings.get(text, text))
        except (NotWritableError, KeyError, IndexError):
            return None

    def _write(self, symbol: Symbol) -> str:
        kind, number = symbol
        if kind == KEYWORD:
            return f" {KEYWORDS[number]}"
        shown = {COLUMN: self.columns, TABLE: self.tables}
        return f"<{LETTERS[kind]}{shown[kind].index(number) if kind in shown else number}>"

    def _symbols(self, answer: str) -> list[Symbol]:
        symbols: list[Symbol] = []
        shown = {"c": self.columns, "t": self.tables, "v": range(len(self.constants))}
        for letter, number, word in TOKEN.findall(answer):
            if letter:
                if int(number) >= len(shown[letter]):
                    return []
                symbols.append((KINDS[letter], shown[letter][int(number)]))
            elif word in KEYWORD_NUMBERS:
                symbols.append((KEYWORD, KEYWORD_NUMBERS[word]))
            else:
                return []
        return symbols


def ask_linked(messages: Sequence[Message], schema: Schema, values: Sequence[CellMatch]) -> tuple[Message, ...]:
    """Ask a small model of one's own: one turn, the schema's linked part and the annotated question."""
    return (Message("user", linked_prompt(messages, schema, values).text),)


def read_linked(answer: str, messages: Sequence[Message], schema: Schema, values: Sequence[CellMatch]) -> str:
    """Return the SQL of an answer over index tokens; '' where it is none."""
    return linked_prompt(messages, schema, values).sql(answer) or ""


def write_linked(sql: str, messages: Sequence[Message], schema: Schema, values: Sequence[CellMatch]) -> str | None:
    """Return SQL as the model is to answer it; None where the index tokens cannot say it."""
    return linked_prompt(messages, schema, values).answer(sql)


def linked_prompt(messages: Sequence[Message], schema: Schema, values: Sequence[CellMatch]) -> LinkedPrompt:
    """Return the sheet of a conversation's newest question; earlier questions stand before it."""
    question = " ; ".join(message.content for message in messages if message.role == "user")
    return link(question, _mentions_of(schema), values)


@lru_cache(maxsize=8)
def _mentions_of(schema: Schema) -> MentionIndex:
    return MentionIndex(SchemaIndex(with_alike_keys(schema)))


def link(question: str, finder: MentionIndex, values: Sequence[CellMatch]) -> LinkedPrompt:
    """Return the sheet of a question."""
    names, units = finder.names, tokenize(question)[-MOST_UNITS:]
    sure = explicit_constants(question, units, names, values)
    found = finder.find(units, [one.span for one in sure if one.first >= 0])
    mentions = finder.best(found, [column for one in sure for column in one.columns])
    constants = sorted(
        [*sure, *residual_constants(question, units, found, sure)], key=lambda one: (one.first < 0, one.first)
    )
    columns, tables = _shown(names, mentions, constants)
    named = {item for mention in mentions if mention.whole for item, _ in mention.items[:1]}
    writer = _Writer(names, columns, tables, named)
    text = f"{writer.schema()}\n{writer.question(units, mentions, constants)}"
    return LinkedPrompt(text, names, tuple(columns), tuple(tables), tuple(constants))


def _shown(
    names: SchemaIndex, mentions: Sequence[Mention], constants: Sequence[Constant]
) -> tuple[list[int], list[int]]:
    """Return the columns and tables that are shown: the mentioned ones in their order, then their neighbours."""
    columns: list[int] = []
    tables: list[int] = []
    for mention in mentions:
        for (kind, number), _ in mention.items:
            (columns if kind == MENTIONED_COLUMN else tables).append(number)
    columns = list(dict.fromkeys([*columns, *(column for one in constants for column in one.columns)]))[:MOST_COLUMNS]
    tables = list(dict.fromkeys([*tables, *(names.table_of[column] for column in columns)]))
    near = [other for table in tables for other, _ in names.neighbours[table]]
    tables = list(dict.fromkeys([*tables, *near, *range(len(names.tables))]))[:MOST_TABLES]
    columns = [column for column in columns if names.table_of[column] in tables]
    meant = {names.table_of[column] for column in columns} | {
        number for mention in mentions for (kind, number), _ in mention.items if kind == MENTIONED_TABLE
    }
    for table in tables:
        own = [column for column in names.columns_of[table] if column not in columns]
        most = MOST_OF_ONE if len(names.tables) == 1 else MOST_OF_TABLE if table in meant else MOST_OF_NEIGHBOUR
        likely = sorted(own, key=lambda column: _rank(names, column))
        columns += likely[: max(min(most, MOST_COLUMNS - len(columns)), 0)]
    return columns, tables


def _rank(names: SchemaIndex, number: int) -> int:
    """Return how seldom an unnamed column is meant: what names a row comes first, then what identifies it."""
    column = names.columns[number]
    telling = any(word in column.name.lower() for word in NAME_COLUMNS)
    return 0 if telling else 1 if column.primary_key or column.name.lower() == "id" else 2


class _Writer:
    """Writes a sheet's text."""

    def __init__(self, names: SchemaIndex, columns: list[int], tables: list[int], named: set[Item]) -> None:
        self.names = names
        self.columns = {column: place for place, column in enumerate(columns)}
        self.tables = {table: place for place, table in enumerate(tables)}
        keys = {column for edge in names.edges for column in (edge.column, edge.other)}
        self.named = named
        self.keys = keys | {number for number, column in enumerate(names.columns) if column.primary_key}

    def schema(self) -> str:
        """Return the tables with their columns, those first that the question names."""
        return "".join(self._table(table) for table in self.tables)

    def _table(self, table: int) -> str:
        shown = [column for column in self.columns if self.names.table_of[column] == table]
        name = "" if (MENTIONED_TABLE, table) in self.named else _short(split_name(self.names.tables[table].name)[-1])
        return f"<t{self.tables[table]}>{name}" + "".join(self._column(column) for column in shown)

    def _column(self, number: int) -> str:
        column = self.names.columns[number]
        mark = "!" if number in self.keys else MARKS[column_kind(column)]
        name = "" if (MENTIONED_COLUMN, number) in self.named else _short(column.name)
        return f"<c{self.columns[number]}>{mark}{name}"

    def question(
        self, units: Sequence[MentionToken], mentions: Sequence[Mention], constants: Sequence[Constant]
    ) -> str:
        """Return the question with tokens in the place of what they stand for."""
        starts: dict[int, tuple[int, str]] = {one.first: (one.last, self._mention(one, units)) for one in mentions}
        for number, one in enumerate(constants):
            starts[one.first] = one.last, self._constant(number, one)
        text, place = "", 0
        while place < len(units):
            last, part = starts.get(place, (place + 1, ""))
            unit = units[place]
            space = "" if place and unit.start == units[place - 1].end else " "
            text += part if place in starts else f"{space}{unit.text.lower()}"
            place = last
        return text.strip() + (starts[-1][1] if -1 in starts else "")

    def _mention(self, mention: Mention, units: Sequence[MentionToken]) -> str:
        words = (
            ""
            if mention.whole
            else " "
            + "".join(
                f"{'' if unit.wide else ' '}{unit.text.lower()}" for unit in units[mention.first : mention.last]
            ).strip()
        )
        return words + "".join(self._item(kind, number) for (kind, number), _ in mention.items)

    def _item(self, kind: str, number: int) -> str:
        place = (self.columns if kind == MENTIONED_COLUMN else self.tables).get(number)
        return "" if place is None else f"<{kind}{place}>"

    def _constant(self, number: int, constant: Constant) -> str:
        kind = "" if constant.kind == TEXT else f" {constant.kind}"
        shown = [column for column in constant.columns if column in self.columns][:2]
        cells = "=" + "".join(f"<c{self.columns[column]}>" for column in shown) if shown else ""
        return f"{kind}<v{number}>{cells}"


def _short(name: str) -> str:
    """Return a name's first words; one without spaces has four letters at most."""
    words = [word.lower() for word in NAME_UNIT.findall(name)]
    if any(CJK.match(word) for word in words):
        return "".join(words)[:MOST_NAME_LETTERS]
    return " ".join(words[:MOST_NAME_WORDS])
