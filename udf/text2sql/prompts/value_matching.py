"""Matches a question's words with the sampled values of the text columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ....workers.database_schema import Schema
from ....workers.sandbox.locked_duckdb import query

CellMatch = tuple[str, str, str]  # Table, column and cell.

MAX_MATCHES = 10
MAX_PHRASE_WORDS = 8
SIMILAR = 0.93
MAX_CELLS = 20_000
WORD = re.compile(r"[^\W_]+(?:['’.&-][^\W_]+)*")
QUOTED = re.compile(r"'([^']+)'|\"([^\"]+)\"|“([^”]+)”|「([^」]+)」|《([^》]+)》|‘([^’]+)’")
# Scripts without spaces: a cell is searched for in the whole question.
CJK = re.compile(r"[\u2e80-\ud7ff\uf900-\ufaff]")
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
