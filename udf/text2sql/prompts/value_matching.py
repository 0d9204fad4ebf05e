"""Matches a question's words with the sampled values of the text columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ....workers.database_schema import Schema
from ....workers.sandbox.locked_duckdb import query

CellMatch = tuple[str, str, str]  # Table, column and cell.


@dataclass(frozen=True, slots=True)
class NearPhrase:
    """A phrase of a question that may be a cell with a typing error.

    Args:
        text: folded.
        edits: how many letters may differ.
    """

    text: str
    edits: int

    @property
    def start(self) -> str:
        """The first half: one error leaves this half or the other as it is."""
        return self.text[: len(self.text) // 2]

    @property
    def end(self) -> str:
        """The second half."""
        return self.text[len(self.text) // 2 :]


MAX_MATCHES = 10
MAX_PHRASE_WORDS = 8
SIMILAR = 0.93
MAX_CELLS = 20_000
WORD = re.compile(r"[^\W_]+(?:['’.&-][^\W_]+)*")
QUOTED = re.compile(r"'([^']+)'|\"([^\"]+)\"|“([^”]+)”|「([^」]+)」|《([^》]+)》|‘([^’]+)’")
# Scripts without spaces: a cell is searched for in the whole question.
CJK = re.compile(r"[\u2e80-\ud7ff\uf900-\ufaff]")
CJK_RUN = re.compile(r"[\u2e80-\ud7ff\uf900-\ufaff\w]+")
SINGLE_CAPITAL = re.compile(r"(?<![\w'’])[B-HJ-Z](?![\w'’])")  # A code such as M or Y; A and I are words.
ENDS = ".,;:!?"  # Marks that end a phrase of a question, and may end a cell: Ph.D.
MAX_CJK, MAX_PHRASES, MAX_NEAR = 12, 800, 40
# A word in lower case may be a mistyped cell from this length on; from the second length on, with two errors.
MIN_LOOSE, LONG_WORD, MAX_EDITS, MIN_NEAR = 6, 8, 2, 3
COMMON_WORDS = """
a all an and any are as at be by do does each every find for from give had has have how i in is it its list many me
more most name names no not number of on one or other show than that the their them there they this to was were
what when where which who whose with yes you
"""
COMMON = frozenset(COMMON_WORDS.split())


def match_values(question: str, schema: Schema) -> tuple[CellMatch, ...]:
    """Return the cells that the question mentions, longest first, at most ten.

    A match is a sequence of words that equals a cell, ignoring case, or a capitalised or quoted one similar to it
    (jaro_winkler_similarity, by DuckDB).
    """
    names = {name.lower() for table in schema.tables for name in (table.name, *(c.name for c in table.columns))}
    runs = {run.lower(): span for run, span in _runs(question) if _is_informative(run, names)}
    quoted = {text.lower() for text in _quoted(question)}
    cells = [
        (cell.lower(), (table.name, column.name, cell))
        for table in schema.tables
        for column in table.columns
        for cell in column.values
    ]
    lowered = question.lower()
    found = []
    for text, value in cells:
        if text in runs:
            found.append((runs[text], value))
        elif text in quoted or (len(text) > 1 and CJK.search(text) and text in lowered):
            at = max(lowered.find(text), 0)
            found.append(((at, at + len(text)), value))
    chosen = _longest(found)
    taken = [span for span, _ in chosen]
    loose = [run for run, span in _runs(question) if _is_name(run, names) and not _overlaps(span, taken)]
    near = _near([*loose, *(text for text in _quoted(question) if text.lower() not in runs)], cells)
    return tuple(dict.fromkeys([*(value for _, value in chosen), *near]))[:MAX_MATCHES]


@lru_cache(maxsize=1 << 18)
def fold(text: str) -> str:
    """Return a text without case, accents and width, and marks at its ends: `Ｃafé` is `cafe`."""
    if text.isascii():
        return text.lower().strip(f" {ENDS}")
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return unicodedata.normalize("NFC", bare).strip(f" {ENDS}")


def phrases_in(question: str, schema: Schema) -> tuple[list[str], list[NearPhrase]]:
    """Return the phrases of a question that may be cells, folded, and those that may be cells with a typing error."""
    names = {name.lower() for table in schema.tables for name in (table.name, *(c.name for c in table.columns))}
    runs = [run for run, _ in _runs(question) if _is_informative(run, names)]
    letters = SINGLE_CAPITAL.findall(question)
    phrases = dict.fromkeys(map(fold, [*runs, *_quoted(question), *letters, *_cjk_pieces(question)]))
    loose = [run for run in runs if _is_name(run, names)] + _quoted(question)
    loose += [run for run in runs if len(run) >= MIN_LOOSE and " " not in run]
    near = {fold(run): 1 if len(run) < LONG_WORD else 2 for run in loose if len(run) > 3}
    return list(phrases)[:MAX_PHRASES], [NearPhrase(*pair) for pair in near.items()][:MAX_NEAR]


def near_cells(question: str, schema: Schema) -> list[CellMatch]:
    """Return the known cells that a phrase of the question has with other accents or width, or a typing error."""
    phrases, near = phrases_in(question, schema)
    words = [fold(word[0]) for word in WORD.finditer(question)]
    exact, may_be_near = set(phrases), _half_matcher(near)
    found: list[tuple[int, CellMatch]] = []
    for table in schema.tables:
        for column in table.columns:
            for cell in column.values:
                folded = fold(cell)
                if folded in exact or ("." in cell and _abbreviates(cell, words)):
                    found.append((0, (table.name, column.name, cell)))
                elif may_be_near(folded):
                    edits = min((_edits(phrase, folded) for phrase in near), default=3)
                    found += [(edits, (table.name, column.name, cell))] if edits <= MAX_EDITS else []
    return [match for _, match in sorted(found, key=lambda pair: pair[0])]


def _half_matcher(near: Sequence[NearPhrase]) -> Callable[[str], bool]:
    """Return what says whether a folded cell has the first or the second half of one of the phrases."""
    starts, ends = {phrase.start for phrase in near}, {phrase.end for phrase in near}
    first, last = sorted({len(half) for half in starts}), sorted({len(half) for half in ends})

    def matches(cell: str) -> bool:
        if len(cell) <= MIN_NEAR:
            return False
        return any(cell[:size] in starts for size in first) or any(cell[-size:] in ends for size in last)

    return matches


def _abbreviates(cell: str, words: Sequence[str]) -> bool:
    """Whether a cell shortens words that follow each other: `Comp. Sci.` for computer science."""
    parts = [part for part in re.split(r"[.\s]+", fold(cell)) if part]
    spans = zip(*(words[at:] for at in range(len(parts))), strict=False)
    return min(map(len, parts), default=0) > 1 and any(
        all(word.startswith(part) for word, part in zip(span, parts, strict=True)) for span in spans
    )


def _edits(phrase: NearPhrase, cell: str) -> int:
    """Return by how many letters a cell differs from a phrase; more than allowed counts as very many."""
    if abs(len(cell) - len(phrase.text)) > phrase.edits:
        return 99
    distance = damerau_levenshtein(phrase.text, cell)
    return distance if distance <= phrase.edits else 99


def damerau_levenshtein(one: str, other: str) -> int:
    """Return how many letters must be added, left out, changed or swapped with their neighbour (optimal alignment)."""
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            cost = min(rows[-1][j] + 1, row[j - 1] + 1, rows[-1][j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]


def _cjk_pieces(question: str) -> list[str]:
    """Return every piece of Chinese, Japanese or Korean text, from 2 to 12 characters."""
    return [
        run[start:end]
        for run in CJK_RUN.findall(question)
        for start in range(len(run))
        for end in range(start + 2, min(start + MAX_CJK, len(run)) + 1)
    ]


def _runs(question: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each sequence of words with its span in the question."""
    words = list(WORD.finditer(question))
    for first in range(len(words)):
        for last in range(first, min(first + MAX_PHRASE_WORDS, len(words))):
            span = words[first].start(), words[last].end()
            yield question[span[0] : span[1]], span


def _quoted(question: str) -> list[str]:
    return [next(filter(None, groups)) for groups in QUOTED.findall(question)]


def _is_informative(run: str, names: set[str]) -> bool:
    """Whether a sequence can be a value: not a common word, a table's or column's name, or a single letter."""
    return len(run) > 1 and run.lower() not in COMMON and run.lower() not in names


def _is_name(run: str, names: set[str]) -> bool:
    return len(run) > 3 and all(word[0].isupper() for word in run.split()) and _is_informative(run, names)


def _longest(found: Sequence[tuple[tuple[int, int], CellMatch]]) -> list[tuple[tuple[int, int], CellMatch]]:
    """Keep the longest matches, and shorter ones elsewhere: 'York' is not meant in 'New York'."""
    chosen: list[tuple[tuple[int, int], CellMatch]] = []
    for span, value in sorted(found, key=lambda match: match[0][0] - match[0][1]):
        if not _overlaps(span, [taken for taken, _ in chosen if taken != span]):
            chosen.append((span, value))
    return chosen


def _overlaps(span: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in others)


def _near(runs: Sequence[str], cells: Sequence[tuple[str, CellMatch]]) -> list[CellMatch]:
    """Return the cells that are similar to one of the sequences: for example one wrong letter in a name."""
    texts = [text for text, _ in cells if len(text) > 3][:MAX_CELLS]
    if not runs or not texts:
        return []
    rows = query(
        """SELECT DISTINCT cell FROM (SELECT unnest($1::VARCHAR[]) AS run), (SELECT unnest($2::VARCHAR[]) AS cell)
           WHERE jaro_winkler_similarity(run, cell) >= $3 AND abs(length(run) - length(cell)) <= 2""",
        [[run.lower() for run in runs], texts, SIMILAR],
    )
    near = {str(cell) for (cell,) in rows}
    return [value for text, value in cells if text in near]
