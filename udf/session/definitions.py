"""What a connection knows of the user's own views, macros and functions; `planner/read_definitions.py` reads them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

WORD, CALLED = re.compile(r"\w+"), re.compile(r"\b(\w+)\"?\s*\(")
_VERSIONS = itertools.count(1)
_version = [0]


def definitions_version() -> int:
    """Return a number that changes when a connection of this process may have defined or dropped something."""
    return _version[0]


def note_defined() -> None:
    """Let every connection read its definitions again."""
    _version[0] = next(_VERSIONS)


@dataclass(frozen=True)
class Macro:
    """One overload of a macro.

    Args:
        parameters: their names.
        sql: an expression, or the SELECT of a table macro.
        is_table: which of the two.
    """

    parameters: tuple[str, ...]
    sql: str
    is_table: bool


@dataclass
class Definitions:
    """The definitions of a connection, as they were when `definitions_version()` was `version`.

    Args:
        version: that number; -1: nothing was read.
        views: the SQL that makes each view, by its name in small letters.
        macros: the overloads of each macro, likewise.
        volatile: functions that give another value each time.
        looked_up: the names for which macros and functions were read.
    """

    version: int = -1
    views: dict[str, str] = field(default_factory=dict)
    macros: dict[str, list[Macro]] = field(default_factory=dict)
    volatile: frozenset[str] = frozenset()
    looked_up: set[str] = field(default_factory=set)

    _calling: dict[frozenset[str], frozenset[str]] = field(default_factory=dict)

    def sql(self) -> dict[str, str]:
        """Return the SQL of each view and macro, in small letters, by name."""
        texts = {name: "\n".join(macro.sql for macro in overloads) for name, overloads in self.macros.items()}
        return {name: sql.lower() for name, sql in {**texts, **self.views}.items()}

    def set_macros(self, macros: dict[str, list[Macro]], volatile: Iterable[str], looked_up: Iterable[str]) -> None:
        """Take what was read because of some names."""
        self.macros, self.volatile = macros, frozenset(volatile)
        self.looked_up |= set(looked_up)
        self._calling.clear()

    def calling(self, models: frozenset[str]) -> frozenset[str]:
        """Return the views and macros that call one of the models, by themselves or by others."""
        if models not in self._calling:
            self._calling[models] = _calling(self.sql(), models)
        return self._calling[models]

    def included(self, text: str) -> str:
        """Return a statement, in small letters, with the SQL of the views and macros that it names, and these name."""
        rest, text = self.sql(), text.lower()
        while named := rest.keys() & set(WORD.findall(text)):
            text = "\n".join([text, *(rest.pop(name) for name in named)])
        return text


def _calling(texts: dict[str, str], models: Collection[str]) -> frozenset[str]:
    found = {name for name, sql in texts.items() if not set(models).isdisjoint(CALLED.findall(sql))}
    while more := {name for name, sql in texts.items() if name not in found and found & set(WORD.findall(sql))}:
        found |= more
    return frozenset(found)
