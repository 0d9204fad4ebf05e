"""Which parts of a question may be constants of its query: numbers, dates, quotes, cells, and what is left over."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from quackllm.udf.text2sql.prompts.value_matching import CJK, CellMatch
from quackllm.workers.builtin.network.value_candidates import DATE, QUOTES
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.builtin.text.lexicon import NUMBER_WORDS

from .mention_matching import Mention, MentionToken
from .stopwords import CHINESE_BIGRAMS, CHINESE_LETTERS, ENGLISH_STOPWORDS

NUMBER, YEAR, DAY, TEXT = "number", "year", "date", "text"
BOOK_QUOTES = re.compile(r"《([^》]+)》|「([^」]+)」|\"([^\"]+)\"")
CHINESE_DAY = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})[日号]")
GLUED_PATTERN = re.compile(r"(?<!\S)[^\s\"'?,]*\d[^\s\"'?,]*(?: \([^()\s]*\))?(?=$|[\s,?.\"'])")
"""A run without spaces that holds a digit, with the brackets behind it."""
PRICE = re.compile(r"[$€£¥]?\d+(?:[.,]\d+)*[.%]?")
NAMED_NUMBER = re.compile(r"(?:[A-Z][a-z]+ )+\d+(?:, \d{4})?(?![\w-])|\d{1,2} (?:[A-Z][a-z]+)(?: \d{4})?(?![\w-])")
DIGITS = {letter: number for number, letter in enumerate("零一二三四五六七八九")} | {"两": 2}
CHINESE_NUMBER = re.compile(r"[零一二两三四五六七八九]?十[一二三四五六七八九]?|[零一二两三四五六七八九]")
COUNTED_PATTERN = re.compile(r"[前第后最近于过到少多超满]")
"""What may stand before a Chinese numeral that is a number, and not a part of a word."""
ENGLISH_NUMBERS = {word: number for word, number in NUMBER_WORDS.items() if word.isascii()} | {"once": 1, "twice": 2}
MOST = 8


@dataclass(frozen=True, slots=True)
class Constant:
    """A possible constant.

    Args:
        text: as SQL writes it.
        kind: number, year, date or text.
        first, last: the units it covers; both -1 for a cell that no run of units equals.
        columns: those that have it as a cell.
        spellings: the texts by which SQL may mean it, the cells' own spelling first.
    """

    text: str
    kind: str
    first: int
    last: int
    columns: tuple[int, ...] = ()
    spellings: tuple[str, ...] = ()

    @property
    def span(self) -> tuple[int, int]:
        """The units it covers."""
        return self.first, self.last


def explicit_constants(
    question: str, units: Sequence[MentionToken], names: SchemaIndex, cells: Sequence[CellMatch]
) -> list[Constant]:
    """Return what is a constant whatever else its words name: quoted text, cells, dates, numbers; none overlap."""
    found: list[Constant] = []
    for one in (
        *_quoted(question, units),
        *_cells(units, names, cells),
        *_days(question, units),
        *_glued(question, units),
        *_named(question, units),
        *_numbers(units),
    ):
        if one.first < 0 or not any(one.first < other.last and other.first < one.last for other in found):
            found.append(one)
    return sorted(found[:MOST], key=lambda one: (one.first < 0, one.first))


def residual_constants(
    question: str, units: Sequence[MentionToken], mentions: Sequence[Mention], sure: Sequence[Constant]
) -> list[Constant]:
    """Return the runs of units that nothing else explains: no plain words, no names, no other constants."""
    free = [not plain for plain in _plain(units)]
    for first, last in (*((one.first, one.last) for one in mentions), *(one.span for one in sure)):
        for place in range(max(first, 0), last):
            free[place] = False
    found = []
    for first, last in _stretches(free, units):
        text = question[units[first].start : units[last - 1].end]
        if len(text) > 1 and any(letter.isalnum() for letter in text):
            found.append(Constant(text, TEXT, first, last, (), (text,)))
    return found[: max(MOST - len(sure), 0)]


def _within(units: Sequence[MentionToken], start: int, end: int) -> tuple[int, int]:
    inside = [number for number, unit in enumerate(units) if start <= unit.start and unit.end <= end]
    return (inside[0], inside[-1] + 1) if inside else (-1, -1)


def _quoted(question: str, units: Sequence[MentionToken]) -> Iterator[Constant]:
    for pattern in (QUOTES, BOOK_QUOTES):
        for match in pattern.finditer(question):
            text = next(group for group in match.groups() if group).strip()
            first, last = _within(units, match.start(), match.end())
            if text and first >= 0:
                yield Constant(text, _kind(text), first, last, (), (text,))


def _cells(units: Sequence[MentionToken], names: SchemaIndex, cells: Sequence[CellMatch]) -> Iterator[Constant]:
    """Yield the cells that the question names, each text once, where its units stand."""
    columns: dict[str, list[int]] = {}
    spelled: dict[str, list[str]] = {}
    for table, column, cell in cells:
        number = names.find_column(table, column)
        if number is not None:
            columns.setdefault(cell.casefold(), []).append(number)
            spelled.setdefault(cell.casefold(), []).append(cell)
    for text, numbers in columns.items():
        first, last = _place(units, text)
        cells_of = tuple(dict.fromkeys(spelled[text]))
        yield Constant(cells_of[0], _kind(text), first, last, tuple(dict.fromkeys(numbers)), cells_of)


def _place(units: Sequence[MentionToken], text: str) -> tuple[int, int]:
    """Return where a cell stands in the question: its letters and digits, whatever stands between them."""
    wanted = re.sub(r"\W", "", text).casefold()
    texts = [re.sub(r"\W", "", unit.text).casefold() for unit in units]
    for first in range(len(units)):
        joined = ""
        for last in range(first, len(units)):
            joined += texts[last]
            if joined == wanted and texts[first]:
                return first, last + 1
            if not wanted.startswith(joined):
                break
    return -1, -1


def _days(question: str, units: Sequence[MentionToken]) -> Iterator[Constant]:
    for match in CHINESE_DAY.finditer(question):
        year, month, day = match.groups()
        text = f"{year}-{int(month):02}-{int(day):02}"
        yield Constant(text, DAY, *_within(units, *match.span()), (), (text,))


def _glued(question: str, units: Sequence[MentionToken]) -> Iterator[Constant]:
    """Yield what is written without spaces and has digits among letters or marks: 42-14, w42, 10th (sf)."""
    for match in GLUED_PATTERN.finditer(question):
        first, last = _within(units, *match.span())
        if last - first > 1 and not CJK.search(match.group()) and not PRICE.fullmatch(match.group()):
            yield Constant(match.group(), TEXT, first, last, (), (match.group(),))


def _named(question: str, units: Sequence[MentionToken]) -> Iterator[Constant]:
    """Yield capitalised words with a number behind or before them: December 23, 1965."""
    for match in NAMED_NUMBER.finditer(question):
        first, last = _within(units, *match.span())
        if first >= 0 and match.group().split()[0].lower() not in ENGLISH_STOPWORDS:
            yield Constant(match.group(), TEXT, first, last, (), (match.group(),))


def _numbers(units: Sequence[MentionToken]) -> Iterator[Constant]:
    for place, unit in enumerate(units):
        if DATE.fullmatch(unit.text):
            yield Constant(unit.text, DAY, place, place + 1, (), (unit.text,))
        elif unit.text[0].isdigit():
            text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", unit.text)
            yield Constant(text, _kind(text), place, place + 1, (), tuple(dict.fromkeys((text, unit.text))))
        elif unit.text.lower() in ENGLISH_NUMBERS:
            text = str(ENGLISH_NUMBERS[unit.text.lower()])
            yield Constant(text, NUMBER, place, place + 1, (), (text,))
        elif (
            place
            and COUNTED_PATTERN.match(units[place - 1].text)
            and not (place > 1 and CHINESE_NUMBER.match(units[place - 1].text))
        ):
            yield from _chinese_number(units, place)


def _chinese_number(units: Sequence[MentionToken], place: int) -> Iterator[Constant]:
    match = CHINESE_NUMBER.match("".join(unit.text for unit in units[place : place + 3] if unit.wide))
    if match:
        tens, ten, ones = match.group().rpartition("十")
        number = (DIGITS.get(tens, 1) * 10 if ten else 0) + DIGITS.get(ones, 0)
        yield Constant(str(number), NUMBER, place, place + len(match.group()), (), (str(number),))


def _kind(text: str) -> str:
    if re.fullmatch(r"[12]\d{3}", text):
        return YEAR
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return NUMBER
    return DAY if DATE.fullmatch(text) else TEXT


def _plain(units: Sequence[MentionToken]) -> list[bool]:
    """Return for each unit whether it is a word that is hardly ever a value, or a mark."""
    plain = []
    for unit in units:
        common = unit.text in CHINESE_LETTERS if unit.wide else unit.text.lower() in ENGLISH_STOPWORDS
        plain.append(common or not unit.text[0].isalnum())
    for place in range(len(units) - 1):
        if units[place].text + units[place + 1].text in CHINESE_BIGRAMS:
            plain[place] = plain[place + 1] = True
    return plain


def _stretches(free: Sequence[bool], units: Sequence[MentionToken]) -> Iterator[tuple[int, int]]:
    """Yield the longest runs of free units; a mark or small word between two of them belongs to the run."""
    place = 0
    while place < len(free):
        if not free[place]:
            place += 1
            continue
        last = place + 1
        while last < len(free) and (free[last] or _ties(free, units, last)):
            last += 1
        yield place, last
        place = last


def _ties(free: Sequence[bool], units: Sequence[MentionToken], place: int) -> bool:
    small: Collection[str] = ("-", "'", ".", "&", ":", "/", ",", "·", "of", "de", "the")
    return place + 1 < len(free) and free[place + 1] and units[place].text.lower() in small
