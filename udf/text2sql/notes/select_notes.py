"""Chooses the part of long notes that matters to a question: the sections that share rare words with it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

MAX_CHARACTERS = 6_000  # Some 1,500 tokens, of English or Chinese notes of usual length.
MAX_SECTION = 1_500
HEADING = re.compile(r"^#{1,6}\s")
WORD = re.compile(r"[^\W_]+")
CJK = re.compile(r"[\u2e80-\ud7ff\uf900-\ufaff]")
# Headings of what holds for every question.
ALWAYS = re.compile(r"convention|always|general|rule|calendar|fiscal|约定|规则|惯例|口径|财年|通用", re.IGNORECASE)


def select_notes(text: str, question: str, names: Iterable[str] = (), limit: int = MAX_CHARACTERS) -> str:
    """Return the notes, or of long ones the sections that matter to a question, in their order.

    A section is a heading with what stands below it. Sections with a heading such as "Conventions" come first.

    Args:
        text: Markdown.
        question: in any language.
        names: the tables and columns of the question's schema that are likely to be used.
        limit: how many characters are returned at the most.
    """
    if len(text) <= limit:
        return text
    sections = _sections(text)
    bags = [Counter(words(section)) for section in sections]
    counts = Counter(word for bag in bags for word in bag)
    wanted = set(words(question)) | {word for name in names for word in words(name)}
    scores = [_score(section, bag, wanted, counts, len(bags)) for section, bag in zip(sections, bags, strict=True)]
    chosen, left = set(), limit
    for place in sorted(range(len(sections)), key=lambda place: -scores[place]):
        if scores[place] > 0 and len(sections[place]) < left:
            chosen.add(place)
            left -= len(sections[place]) + 1
    return "\n".join(sections[place] for place in sorted(chosen))


def _score(section: str, bag: Counter[str], wanted: set[str], counts: Counter[str], total: int) -> float:
    shared = sum(math.log(1 + total / counts[word]) for word in wanted if word in bag)
    heading = section.split("\n", 1)[0]
    always = 2.0 if HEADING.match(heading) and ALWAYS.search(heading) else 0.0
    return shared / math.sqrt(1 + len(bag) / 50) + always


def _sections(text: str) -> list[str]:
    """Return the sections; a long one is split at its lines, each part with the heading."""
    sections: list[str] = []
    heading, lines = "", list[str]()
    for line in text.split("\n"):
        size = len(heading) + sum(map(len, lines)) + len(lines)
        if HEADING.match(line) or size + len(line) > MAX_SECTION:
            sections += _section(heading, lines)
            lines = []
            heading = line[:200] if HEADING.match(line) else heading
        if not HEADING.match(line):
            lines.append(line[:MAX_SECTION])
    return sections + _section(heading, lines)


def _section(heading: str, lines: list[str]) -> list[str]:
    body = "\n".join(lines).strip("\n")
    return ["\n".join(filter(None, (heading, body)))] if body.strip() else []


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, without a plural's s; of Chinese and Japanese the pairs of letters."""
    found = []
    for word in WORD.findall(text.replace("_", " ").lower()):
        if CJK.search(word):
            found += [word[at : at + 2] for at in range(max(len(word) - 1, 1))]
        else:
            found.append(word.removesuffix("s") if len(word) > 3 else word)
    return found
