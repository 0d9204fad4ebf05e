"""Draws tables, columns and constants for business questions, with the words by which people name them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from ....workers.builtin.network.schema_linking import SchemaLinks
from ....workers.builtin.query.query_tree import LiteralValue
from ....workers.builtin.schema.schema_index import column_kind
from ....workers.builtin.text.tokens import is_cjk
from ....workers.builtin.text.word_meanings import word_meanings
from .business_forms import AGGREGATE_WORDS

DISPLAY = ("name", "title", "description", "名", "标题")  # Parts of names of columns that name a row.
SYNONYM = 0.15  # How often a word of a name is replaced by one of nearly the same meaning.
NEAREST = (0.72, 0.97)  # The cosines between which another word is a synonym.
COMMON = 9000  # Only frequent words are synonyms.


class UnfitError(ValueError):
    """The schema has no columns for this form."""


@dataclass
class Spoken:
    """A schema with the words by which people name its tables and columns, and cells to ask about.

    Args:
        links: the schema.
        columns, tables: the words of each name.
        chinese: whether the questions are Chinese.
        cells: texts that may stand in a column without cells.
    """

    links: SchemaLinks
    columns: Sequence[tuple[str, ...]]
    tables: Sequence[tuple[str, ...]]
    chinese: bool
    cells: Sequence[str] = ()


@dataclass
class QuestionDraft:
    """One question under way: a table, the columns drawn so far, and the words for its slots."""

    spoken: Spoken
    chance: random.Random
    table: int
    words: dict[str, str] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    new_cells: list[tuple[int, str]] = field(default_factory=list)

    def column(self, slot: str, kind: str, table: int | None = None) -> int:
        """Draw a column of a kind (or any), of the drawn table or another, and name it in a slot."""
        names = self.spoken.links.names
        own = names.columns_of[self.table if table is None else table]
        free = [one for one in own if one not in self.used and not is_key(self.spoken, one)]
        fits = [one for one in free if kind in ("any", column_kind(names.columns[one]))]
        if not fits:
            raise UnfitError
        chosen = self.chance.choice(fits)
        self.say(slot, chosen)
        return chosen

    def say(self, slot: str, column: int) -> None:
        """Put the words of a column into a slot."""
        self.used.add(column)
        self.words[slot] = _phrase(self.spoken.columns[column], self.spoken.chinese, self.chance)

    def display(self, table: int | None = None) -> int:
        """Return the column that names the rows of a table."""
        names = self.spoken.links.names
        own = names.columns_of[self.table if table is None else table]
        texts = [one for one in own if column_kind(names.columns[one]) == "text" and not is_key(self.spoken, one)]
        named = [one for one in texts if any(part in names.columns[one].name.lower() for part in DISPLAY)]
        if not texts:
            raise UnfitError
        chosen = (named or texts)[0]
        self.say("D", chosen)
        return chosen

    def parent(self) -> tuple[int, int, int]:
        """Return a table that this one refers to, the referring column and the key."""
        names = self.spoken.links.names
        edges = [edge for edge in names.edges if names.table_of[edge.column] == self.table]
        if not edges:
            raise UnfitError
        edge = self.chance.choice(edges)
        parent = names.table_of[edge.other]
        self.words |= {"P": self._table(parent), "Ps": self._table(parent, plural=True)}
        return parent, edge.column, edge.other

    def _table(self, table: int, plural: bool = False) -> str:
        text = _phrase(self.spoken.tables[table], self.spoken.chinese, self.chance)
        return _plural(text) if plural and not self.spoken.chinese else text

    def name_table(self) -> None:
        """Put the words of the drawn table into its slots."""
        self.words |= {"T": self._table(self.table), "Ts": self._table(self.table, plural=True)}

    def cell(self, slot: str, column: int) -> LiteralValue:
        """Draw a constant of a column, and put it into a slot."""
        cells = [cell for cell in self.spoken.links.names.columns[column].values[:100] if is_plain(cell)]
        if cells:
            text = self.chance.choice(cells)
        elif self.spoken.cells:
            text = self.chance.choice(self.spoken.cells)
            self.new_cells.append((column, text))
        else:
            raise UnfitError
        if text in (self.words.get(other) for other in "vwx"):
            raise UnfitError
        self.words[slot] = text
        return LiteralValue(text)

    def number(self, slot: str, choices: Sequence[int]) -> LiteralValue:
        """Draw a number, and put it into a slot."""
        text = str(self.chance.choice(choices))
        self.words[slot] = text
        return LiteralValue(text, number=True)

    def aggregate(self, *choices: str) -> str:
        """Draw an aggregate, and put its word into its slot."""
        name = self.chance.choice(choices or ("SUM", "SUM", "AVG", "MAX", "MIN"))
        self.words["agg"] = self.chance.choice(AGGREGATE_WORDS[name][self.spoken.chinese])
        return name


def is_key(spoken: Spoken, column: int) -> bool:
    """Whether a column is a key, by declaration, by a join or by its name."""
    names = spoken.links.names
    name = names.columns[column].name.lower()
    joined = any(column in (edge.column, edge.other) for edge in names.edges)
    return names.columns[column].primary_key or joined or name.endswith(("id", "编号"))


def is_plain(cell: str) -> bool:
    """Whether a cell can stand in a question as it is."""
    return 1 < len(cell) <= 30 and not set(cell) & set("\"'“”%\n,;?") and not cell.replace(".", "").isdigit()


def _phrase(words: Sequence[str], chinese: bool, chance: random.Random) -> str:
    if chinese:
        return "".join(words)
    return " ".join(_synonym(word, chance) if chance.random() < SYNONYM else word for word in words)


def _synonym(word: str, chance: random.Random) -> str:
    found = _synonyms(word)
    return chance.choice(found) if found else word


@lru_cache(maxsize=20_000)
def _synonyms(word: str) -> tuple[str, ...]:
    """Return frequent English words of nearly the same meaning, at most three."""
    meanings = word_meanings()
    row = meanings.rows.get(word, 0)
    if not row or is_cjk(word) or len(word) < 4:
        return ()
    cosines = meanings.table[1:COMMON] @ meanings.table[row]
    near = [int(number) + 1 for number in np.argsort(-cosines)[:8] if NEAREST[0] < cosines[number] < NEAREST[1]]
    return tuple(meanings.words[number] for number in near if not _same_stem(meanings.words[number], word))[:3]


def _same_stem(one: str, two: str) -> bool:
    return one[:4] == two[:4]


def _plural(text: str) -> str:
    if text.endswith("s"):
        return text
    return f"{text[:-1]}ies" if text.endswith("y") and text[-2:-1] not in tuple("aeiou") else f"{text}s"
