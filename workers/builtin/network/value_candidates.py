"""The constants that a question may mean: numbers, quoted and capitalised runs, and runs of words that equal a cell."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, lru_cache

from ...database_schema import Schema
from ..query.query_tree import LiteralValue
from ..schema.schema_index import SchemaIndex, column_kind
from ..text.lexicon import GENDER_NAMES, GENDERS, NUMBER_WORDS, PLAIN_WORDS, SCALES, SMALL_WORDS, YES_NO
from ..text.tokens import Word, is_cjk, name_words, read_words, split_identifier, stem

KINDS = ("number", "date", "quoted", "cell", "name", "implied", "earlier")
MAX_CANDIDATES = 18
MAX_RUN = 7
MAX_CJK_RUN = 14
QUOTES = re.compile(
    r"\"([^\"]+)\"|“([^”]+)”|「([^」]+)」|《([^》]+)》|‘([^’]+)’|(?<!\w)'([^']+)'(?!\w)|`([^`]+)`|''([^']+)''"
)
CJK_DATE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})[日号]")
DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}/\d{1,2}/\d{2,4}|\d{1,2}:\d{2}(:\d{2})?")


@dataclass(frozen=True, slots=True)
class ValueCandidate:
    """A constant that the query may use.

    Args:
        value: its text as the question has it.
        kind: one of KINDS.
        start, end: the words it covers in the question; both -1 if it comes from elsewhere.
        cells: for each column that has it, how the column spells it.
    """

    value: LiteralValue
    kind: str
    start: int = -1
    end: int = -1
    cells: dict[int, str] = field(default_factory=dict)

    @property
    def spellings(self) -> tuple[str, ...]:
        """The texts by which SQL may mean it: its own, then those of its cells."""
        return (self.value.text, *self.cells.values())


def normalize(text: str) -> str:
    """Return a text in the form in which cells are compared: its words in lower case, without punctuation."""
    return " ".join(re.findall(r"\w+", text.lower()))


class CellIndex:
    """The sampled cells of a schema's columns, by normalized text; without the numbers of number columns."""

    def __init__(self, names: SchemaIndex) -> None:
        self.names = names
        self.exact: dict[str, dict[int, str]] = {}
        for number, column in enumerate(names.columns):
            if column_kind(column) not in ("number", "other"):
                for text in (*column.values, *column.examples):
                    if len(text) <= 80:
                        self.exact.setdefault(normalize(text), {}).setdefault(number, text)

    @cached_property
    def units(self) -> frozenset[str]:
        """The scales that column names give: 'million' for `sales_in_millions`."""
        words = {word.removesuffix("s") for column in self.names.columns for word in name_words(column.name)}
        return frozenset(words & SCALES.keys())

    @cached_property
    def has_boolean(self) -> bool:
        """Whether a column's name begins with 'whether' in Chinese: its cells are yes and no."""
        return any(column.name.startswith("是否") for column in self.names.columns)

    def extended(self, found: Sequence[tuple[int, str]]) -> CellIndex:
        """Return these cells and more, as (column, text)."""
        more = copy(self)
        more.__dict__.pop("stems", None)
        more.exact = dict(self.exact)
        for number, text in found:
            key = normalize(text)
            more.exact[key] = {**more.exact.get(key, {}), number: text}
        return more

    @cached_property
    def stems(self) -> dict[str, dict[int, str]]:
        """The one-word cells by their stems."""
        found: dict[str, dict[int, str]] = {}
        for text, cells in self.exact.items():
            if " " not in text and text.isalpha():
                found.setdefault(stem(text), {}).update(cells)
        return found

    def find(self, text: str) -> dict[int, str]:
        """Return the columns that have a text as a cell, each with its spelling."""
        key = normalize(text)
        found = self.exact.get(key, {}) if key else {}
        if found or " " in key or not key.isalpha() or len(key) < 3:
            return found
        return self.stems.get(stem(key), {})

    def gender_cells(self, word: str) -> dict[int, str]:
        """Return the cells of columns such as `sex` that a word like 'women' stands for."""
        cells = [cell for text in GENDERS.get(word, ()) for cell in self.exact.get(text, {}).items()]
        return {number: spelling for number, spelling in cells if self._is_gender(number)}

    def _is_gender(self, number: int) -> bool:
        return any(name in self.names.columns[number].name.lower() for name in GENDER_NAMES)


def find_candidates(question: str, cells: CellIndex, earlier: Sequence[LiteralValue] = ()) -> list[ValueCandidate]:
    """Return the possible constants from a question, its cells and the earlier turns, each text once.

    Args:
        question: the user's.
        cells: of the schema.
        earlier: constants of the queries before it.
    """
    words = read_words(question)
    found = [
        *_quoted(question, words),
        *_runs(words, cells),
        *_cjk_dates(question, words),
        *_numbers(words, cells.units),
        *_capitalised(words),
        *_implied(words, cells),
    ]
    found += [ValueCandidate(value, "earlier") for value in earlier]
    candidates: dict[str, ValueCandidate] = {}
    for candidate in found:
        key = candidate.value.text.casefold().strip()
        if key and key not in candidates:
            matches = candidate.cells or cells.find(candidate.value.text)
            candidates[key] = ValueCandidate(candidate.value, candidate.kind, candidate.start, candidate.end, matches)
    return list(candidates.values())[:MAX_CANDIDATES]


def _quoted(question: str, words: list[Word]) -> Iterator[ValueCandidate]:
    for match in QUOTES.finditer(question):
        text = next(group for group in match.groups() if group)
        inside = _tokens_inside(match, words)
        if inside and text.strip():
            number = re.fullmatch(r"\d+(\.\d+)?", text.strip()) is not None
            yield ValueCandidate(LiteralValue(text.strip(), number), "quoted", inside[0], inside[-1] + 1)


def _tokens_inside(match: re.Match[str], words: list[Word]) -> list[int]:
    return [number for number, word in enumerate(words) if match.start() <= word.start and word.end <= match.end()]


def _runs(words: list[Word], cells: CellIndex) -> Iterator[ValueCandidate]:
    """Yield the longest runs that equal a cell; a single common word only if it is capitalised inside a sentence."""
    covered: list[tuple[int, int]] = []
    longest = MAX_CJK_RUN if any(is_cjk(word.text) for word in words) else MAX_RUN
    for length in range(min(longest, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            end = start + length
            if any(one <= start and end <= two for one, two in covered) or not _names_value(words, start, end):
                continue
            text = split_identifier(words[start:end])
            matches = cells.find(text)
            if matches:
                covered.append((start, end))
                yield ValueCandidate(LiteralValue(text, text.isdigit()), "cell", start, end, matches)


def _names_value(words: list[Word], start: int, end: int) -> bool:
    first, last = words[start], words[end - 1]
    if not (first.text[0].isalnum() and last.text[-1].isalnum()):
        return False
    if end - start > 1:
        return any(word.lower not in PLAIN_WORDS for word in words[start:end])
    return first.lower not in PLAIN_WORDS or (start > 0 and first.text[0].isupper() and first.text != "I")


def _numbers(words: list[Word], units: Collection[str]) -> Iterator[ValueCandidate]:
    for number, word in enumerate(words):
        if DATE.fullmatch(word.text):
            yield ValueCandidate(LiteralValue(word.text), "date", number, number + 1)
        elif word.text[0].isdigit():
            text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", word.text)
            negative = number > 0 and words[number - 1].text == "-" and words[number - 1].end == word.start
            negative = negative and (number == 1 or words[number - 2].end < words[number - 1].start)
            plain = re.fullmatch(r"\d+(\.\d+)?", text) is not None
            text = _scaled(text, words[number + 1 :], units) if plain else text
            yield ValueCandidate(LiteralValue(("-" if negative else "") + text, plain), "number", number, number + 1)
        elif word.lower in NUMBER_WORDS:
            text = _scaled(str(NUMBER_WORDS[word.lower]), words[number + 1 :], units)
            yield ValueCandidate(LiteralValue(text, True), "number", number, number + 1)


def _cjk_dates(question: str, words: list[Word]) -> Iterator[ValueCandidate]:
    for match in CJK_DATE.finditer(question):
        inside = _tokens_inside(match, words)
        yield ValueCandidate(
            LiteralValue("{}-{:0>2}-{:0>2}".format(*match.groups())), "date", inside[0], inside[-1] + 1
        )


def _scaled(text: str, rest: Sequence[Word], units: Collection[str]) -> str:
    """Return '100000000' for 100 before 'million', unless a column counts in millions."""
    scale = rest[0].lower.removesuffix("s") if rest else ""
    if scale not in SCALES or scale in units:
        return text
    return format((Decimal(text) * SCALES[scale]).normalize(), "f")


def _capitalised(words: list[Word]) -> Iterator[ValueCandidate]:
    """Yield runs of capitalised words, which may contain small words; a question's first word alone does not count."""
    start = 0
    while start < len(words):
        if not words[start].text[0].isupper() or (start == 0 and words[0].lower in PLAIN_WORDS):
            start += 1
            continue
        end = start + 1
        while end < len(words) and (
            words[end].text[0].isupper() or words[end].text[0].isdigit() or _inside(words, end)
        ):
            end += 1
        if start or end > 1:
            yield ValueCandidate(LiteralValue(split_identifier(words[start:end])), "name", start, end)
        start = end


def _inside(words: list[Word], position: int) -> bool:
    after = position + 1
    return words[position].lower in SMALL_WORDS and after < len(words) and words[after].text[0].isupper()


def _implied(words: list[Word], cells: CellIndex) -> Iterator[ValueCandidate]:
    for number, word in enumerate(words):
        matches = cells.gender_cells(word.lower)
        if matches:
            yield ValueCandidate(LiteralValue(next(iter(matches.values()))), "implied", number, number + 1, matches)
    for text in YES_NO if cells.has_boolean else ():
        yield ValueCandidate(LiteralValue(text), "implied")


@lru_cache(maxsize=4)
def cell_index_for(schema: Schema) -> CellIndex:
    """Return the sampled cells of a schema; cached for the next question."""
    return CellIndex(SchemaIndex(schema))


def matching_cells(question: str, schema: Schema) -> list[tuple[str, str, str]]:
    """Return the cells that a question's constants mean, as (table, column, cell), for linking in training."""
    cells = cell_index_for(schema)
    names = cells.names
    return [
        (names.tables[names.table_of[number]].name, names.columns[number].name, text)
        for candidate in find_candidates(question, cells)
        for number, text in candidate.cells.items()
    ]
