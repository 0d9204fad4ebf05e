"""Which words of a question name which tables and columns: in English by stems, in Chinese by common substrings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from quackllm.udf.text2sql.prompts.value_matching import CJK
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.builtin.text.lexicon import IGNORED
from quackllm.workers.builtin.text.tokens import stem
from quackllm.workers.database_schema import ForeignKey, Schema, split_name

_HAN = CJK.pattern.strip("[]")
UNIT = re.compile(rf"[{_HAN}]|\d+(?:[.,:/-]\d+)*|[^\W\d_{_HAN}]+|[^\w\s]|\w")
NAME_UNIT = re.compile(rf"[{_HAN}]|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\WA-Za-z\d_{_HAN}]+")
LONGEST_NAME = 10
MOST_ALIKE = 2
"""How many columns of one name a mention shows, the likeliest first."""
COLUMN, TABLE = "c", "t"
WHOLE, SHORT, PART = 2.0, 1.5, 0.5
"""How well a run of units fits a name: it is the name, the name without its table's, or a part of it."""
Item = tuple[str, int]
"""A column or a table, by its number."""


@dataclass(frozen=True, slots=True)
class MentionToken:
    """A word, or one letter of a script without spaces, at `text[start:end]` of the question; `key` compares it."""

    text: str
    start: int
    end: int
    key: str

    @property
    def wide(self) -> bool:
        """Whether it is a letter of a script without spaces."""
        return CJK.match(self.text) is not None


@dataclass(frozen=True, slots=True)
class Mention:
    """The units from `first` up to `last` name these items, each with how well; `whole`: no mere part of a name."""

    first: int
    last: int
    items: tuple[tuple[Item, float], ...]
    whole: bool


@lru_cache(maxsize=4096)
def tokenize(text: str) -> tuple[MentionToken, ...]:
    """Return the units of a question."""
    return tuple(MentionToken(one.group(), *one.span(), stem(one.group().lower())) for one in UNIT.finditer(text))


@lru_cache(maxsize=65536)
def name_keys(name: str) -> tuple[str, ...]:
    """Return the keys of a name's units: `releaseYears` is release, year; 歌手姓名 is its four letters."""
    return tuple(stem(piece.lower()) for piece in NAME_UNIT.findall(name)) or (name.lower(),)


class MentionIndex:
    """Finds a schema's names in questions."""

    def __init__(self, names: SchemaIndex) -> None:
        self.names = names
        self.tables = [name_keys(split_name(table.name)[-1]) for table in names.tables]
        self.columns = [name_keys(column.name) for column in names.columns]

    @cached_property
    def whole(self) -> dict[str, list[Item]]:
        """The items by their joined keys."""
        found: dict[str, list[Item]] = {}
        for kind, keys in ((TABLE, self.tables), (COLUMN, self.columns)):
            for number, key in enumerate(keys):
                if len("".join(key)) > 1 or CJK.match(key[0]):
                    found.setdefault("".join(key), []).append((kind, number))
        return found

    @cached_property
    def short(self) -> dict[str, list[Item]]:
        """The columns by what is left of their names without their table's: 'name' for `singer_name` of `singer`."""
        found: dict[str, list[Item]] = {}
        for number, key in enumerate(self.columns):
            own = self.tables[self.names.table_of[number]]
            rest = tuple(part for part in key if part not in own)
            if rest and rest != key:
                found.setdefault("".join(rest), []).append((COLUMN, number))
        return found

    @cached_property
    def parts(self) -> dict[str, list[Item]]:
        """The columns by each telling word of their names, or by two letters and more of a name without spaces."""
        found: dict[str, list[Item]] = {}
        for kind, names in ((COLUMN, self.columns), (TABLE, self.tables)):
            for number, key in enumerate(names):
                for part in dict.fromkeys(_parts(key)):
                    found.setdefault(part, []).append((kind, number))
        return found

    def find(self, units: Sequence[MentionToken], taken: Sequence[tuple[int, int]]) -> list[Mention]:
        """Return what the units name, in their order; nothing inside the spans that are taken."""
        spans = [span for span in _runs(units) if not _overlaps(span, taken)]
        found: list[Mention] = []
        for whole in (True, False):
            for first, last in spans:
                key = "".join(unit.key for unit in units[first:last])
                named = {
                    **dict.fromkeys(self.parts.get(key, ()), PART),
                    **dict.fromkeys(self.short.get(key, ()), SHORT),
                }
                named |= dict.fromkeys(self.whole.get(key, ()), WHOLE)
                wanted = max(named.values(), default=0.0) > PART if whole else bool(named)
                if wanted and not _overlaps((first, last), [(one.first, one.last) for one in found]):
                    found.append(Mention(first, last, tuple(named.items()), whole))
        return sorted(found, key=lambda one: one.first)

    def best(self, found: Sequence[Mention], cells: Sequence[int]) -> list[Mention]:
        """Return the mentions with the likeliest items, two at most: those in tables that the question speaks of.

        Args:
            found: mentions of every item of that name.
            cells: columns that have a cell which the question names.
        """
        weight = [0.0] * len(self.names.tables)
        for mention in found:
            best = max(fit for _, fit in mention.items)
            alike = [item for item, fit in mention.items if fit == best]
            for item in alike:
                sure = 3.0 if item[0] == TABLE and best == WHOLE else 1.0
                weight[self._table(item)] += sure / len(alike)
        for column in set(cells):
            weight[self.names.table_of[column]] += 1
        return [self._narrowed(mention, weight) for mention in found]

    def _narrowed(self, mention: Mention, weight: Sequence[float]) -> Mention:
        def rank(named: tuple[Item, float]) -> tuple[float, int, Item]:
            item, fit = named
            about = 0.0 if item[0] == TABLE else min(weight[self._table(item)], 3.0)
            length = len(self.columns[item[1]] if item[0] == COLUMN else self.tables[item[1]])
            return -(fit + about + (2.0 if item[0] == TABLE and fit == WHOLE else 0.0)), length, item

        ranked = sorted(mention.items, key=rank)
        alike = [named for named in ranked if named[1] == ranked[0][1]]
        return replace(mention, items=tuple(alike[:MOST_ALIKE]))

    def _table(self, item: Item) -> int:
        return item[1] if item[0] == TABLE else self.names.table_of[item[1]]


def _parts(key: tuple[str, ...]) -> Iterator[str]:
    for first in range(len(key)):
        if not CJK.match(key[first]):
            if len(key) > 1 and len(key[first]) > 2 and key[first] not in IGNORED:
                yield key[first]
            continue
        for last in range(first + 2, len(key) + 1):
            if not CJK.match(key[last - 1]):
                break
            if last - first < len(key):
                yield "".join(key[first:last])


def _runs(units: Sequence[MentionToken]) -> list[tuple[int, int]]:
    """Return every run of units that may be a name, the longest first."""
    count = len(units)
    runs = [(one, two) for one in range(count) for two in range(one + 1, min(one + LONGEST_NAME, count) + 1)]
    return sorted(runs, key=lambda run: run[0] - run[1])


def _overlaps(span: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in others)


def with_alike_keys(schema: Schema) -> Schema:
    """Return the schema with the keys that names without spaces tell: 水果id of one table is the id of the table 水果.

    Only tables of which no key is declared get one.
    """
    declared = {frozenset((key.table, key.other_table)) for key in schema.foreign_keys}
    found: dict[frozenset[str], ForeignKey] = {}
    for other in schema.tables:
        for key in other.columns:
            for table in schema.tables:
                pair = frozenset((table.name, other.name))
                if len(pair) < 2 or pair in declared or pair in found:
                    continue
                names = {f"{other.name}{key.name}".lower(), key.name.lower()}
                names -= set() if CJK.search(key.name) or key.name.lower() != "id" else {"id"}
                same = next((column for column in table.columns if column.name.lower() in names), None)
                if same and CJK.search(same.name) and _is_key(same.name):
                    found[pair] = ForeignKey(table.name, same.name, other.name, key.name)
    return replace(schema, foreign_keys=(*schema.foreign_keys, *found.values()))


def _is_key(name: str) -> bool:
    return name.lower().endswith(("id", "编号", "代码", "号", "编码"))
