"""Which words of a question its query stands for, and which it leaves out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..network.name_matching import LIKE, NEAR, PARTLY
from ..network.schema_linking import LinkedQuestion, SchemaLinks, literals_in
from ..query.implied_tables import map_scopes, table_for
from ..query.query_tree import Query, terms_in
from ..schema.schema_index import SchemaIndex, column_kind, join_tree
from ..text.lexicon import IGNORED, NUMBER_WORDS, PLAIN_WORDS, SCALES
from ..text.tokens import is_cjk, stem
from ..text.word_meanings import meaning_words

GENERAL = Path(__file__).parents[1] / "general_words.txt"
# Words that are no constants by themselves but name columns.
NAMING_WORDS = frozenset({"name", "names", "type", "code", "date", "year", "age", "id", "ids"})


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a query leaves out of its question.

    Args:
        unplaced: words that name nothing in the schema and no constant of the query.
        vague: words that are only somewhat similar to what the query uses.
        unused: words that name something in the schema that the query does not use.
    """

    unplaced: tuple[str, ...]
    vague: tuple[str, ...]
    unused: tuple[str, ...]


@lru_cache(maxsize=1)
def general_words() -> frozenset[str]:
    """Return the stems that people use in questions about any database, such as "show" or "different"."""
    return frozenset(GENERAL.read_text(encoding="utf-8").split()) if GENERAL.exists() else frozenset()


def word_coverage(linked: LinkedQuestion, links: SchemaLinks, tree: Query) -> Coverage:
    """Return which words of a question its query leaves out.

    Args:
        linked: the question.
        links: the schema as it was linked.
        tree: the query.
    """
    levels = links.matcher.levels([word.lower for word in linked.words])
    used = used_items(tree, links.names)
    constants = _constant_words(linked, tree)
    named = {"name", "names"} if _selects_text(tree, links.names) else set()
    left_out: dict[str, list[str]] = {"unplaced": [], "vague": [], "unused": []}
    for text, positions in content_words(linked):
        if any(position in constants for position in positions):
            continue
        found = levels[positions].max(axis=0, initial=0)
        best = found[sorted(used)].max(initial=0)
        if best < NEAR:
            kind = "unused" if (found >= PARTLY).any() else "vague" if best >= LIKE else "unplaced"
            if not (kind == "unplaced" and text in named):
                left_out[kind].append(text)
    cells = {column for candidate in linked.candidates for column in candidate.cells}
    if levels[:, sorted(used)].max(initial=0) < NEAR and not cells & used:
        # "Employees" is similar to the table customers, and nothing else names what the query reads. A Chinese word is
        # never more than similar to an English name.
        left_out["unplaced"] += [word for word in left_out["vague"] if not is_cjk(word)]
        left_out["vague"] = list(filter(is_cjk, left_out["vague"]))
    return Coverage(**{kind: tuple(dict.fromkeys(words)) for kind, words in left_out.items()})


def content_words(linked: LinkedQuestion, general: bool = False) -> Iterator[tuple[str, list[int]]]:
    """Yield the words that carry meaning, with their positions; a Chinese word has several.

    Args:
        linked: the question.
        general: also yield general words.
    """
    lower = [word.lower for word in linked.words]
    position = 0
    for word in meaning_words(lower):
        size = len(word) if is_cjk(word) else 1
        if position >= len(lower) or (is_cjk(word) and "".join(lower[position : position + size]) != word):
            continue
        positions = list(range(position, position + size))
        position += size
        if not _is_function_word(word) and (general or stem(word) not in general_words()):
            yield word, positions


def _is_function_word(word: str) -> bool:
    if word in NAMING_WORDS:
        return False
    return word in IGNORED or word in PLAIN_WORDS or word in NUMBER_WORDS or word in SCALES or not re.match(r"\w", word)


def used_items(tree: Query, names: SchemaIndex) -> set[int]:
    """Return the numbers of the columns that a query names, and, after all columns, of the tables that it reads."""
    columns, tables = set[int](), set[int]()

    def visit(scope: Query) -> Query:
        terms = terms_in(scope)
        columns.update(term.column for term in terms if term.column is not None)
        own = [table_for(term, names) for term in terms]
        tables.update(own, (table for table, _ in join_tree(names, own) or ()))
        return scope

    map_scopes(tree, visit)
    return columns | {len(names.columns) + table for table in tables}


def _selects_text(tree: Query, names: SchemaIndex) -> bool:
    """Whether a query gives what may be names: "the names of the customers" are in a column `customer`."""
    columns = (item.column for item in tree.items if item.column is not None)
    return any(column_kind(names.columns[column]) == "text" for column in columns)


def _constant_words(linked: LinkedQuestion, tree: Query) -> set[int]:
    """Return the positions of the words that a constant of the query covers."""
    texts = {value.text.casefold() for value in literals_in(tree)}
    found = set[int]()
    for candidate in linked.candidates:
        if any(spelling.casefold() in texts for spelling in candidate.spellings):
            found.update(range(max(candidate.start, 0), candidate.end))
    for text in texts:
        found.update(_run(linked, text))
    return found


def _run(linked: LinkedQuestion, text: str) -> Sequence[int]:
    """Return the positions of the words that spell a text."""
    parts = [part.casefold() for part in re.findall(r"\w+", text)]
    lower = [word.lower for word in linked.words]
    for start in range(len(lower) - len(parts) + 1):
        if parts and lower[start : start + len(parts)] == parts:
            return range(start, start + len(parts))
    return ()
