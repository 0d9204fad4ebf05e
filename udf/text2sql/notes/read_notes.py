"""Reads notes: a text or a file that the caller names, and the files beside a database."""

from __future__ import annotations

import codecs
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ....workers.errors import RequestError
from .dbt_manifest import MANIFEST, is_manifest, manifest_notes

MAX_BYTES = 2 << 20  # Of one file; notes are written by people.
FILE_ENDINGS = (".md", ".txt", ".json", ".markdown")
HTML_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
DEFINITION = re.compile(
    r"^\s*[-*]?\s*\**(?P<term>[^:：=*\n]{2,60}?)\**\s*(?:[:：]|\s=\s)\s*(?P<meaning>\S.*)$", re.MULTILINE
)
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True, slots=True)
class Notes:
    """Notes on the data.

    Args:
        text: Markdown.
        warnings: what was wrong with a file, and terms that are defined twice.
    """

    text: str = ""
    warnings: tuple[str, ...] = ()

    def __or__(self, other: Notes) -> Notes:
        text = "\n\n".join(filter(None, (self.text, other.text)))
        return Notes(text, tuple(dict.fromkeys((*self.warnings, *other.warnings))))


NO_NOTES = Notes()


def read_notes(given: str | None, databases: Iterable[Path] = (), *, files_allowed: bool = True) -> Notes:
    """Return the notes that the caller gives and those beside the databases; the caller's own come last.

    Args:
        given: Markdown, or the path of a file: Markdown or a dbt `semantic_manifest.json`; None or '': none.
        databases: the files of the databases; beside `shop.duckdb` are `shop.notes.md`, the folder `shop.notes/` with
            a file for each table or schema, and `target/semantic_manifest.json`.
        files_allowed: whether `given` may be a path; not for a stranger's request.

    Raises:
        RequestError: the file does not exist, or its text cannot be decoded.
    """
    notes = Notes()
    for database in databases:
        for path in note_files(database):
            notes |= _found_file(path)
    if given and files_allowed and _is_path(given):
        notes |= read_note_file(Path(given.strip()).expanduser())
    elif given:
        notes |= _clean(given, "notes")
    return notes | Notes("", tuple(_contradictions(notes.text)))


def note_files(database: Path) -> list[Path]:
    """Return the files with notes beside a database file, the general ones first."""
    folder = database.with_suffix(".notes")
    places = [database.with_suffix(".notes.md"), database.parent / "target" / MANIFEST, database.parent / MANIFEST]
    parts = sorted(folder.glob("*.md")) if folder.is_dir() else []
    return [path for path in (*places, *parts) if path.is_file()]


def read_note_file(path: Path) -> Notes:
    """Return the notes of one file.

    Raises:
        RequestError: it does not exist, or its text cannot be decoded.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        hint = f"type: quackllm notes draft shop.duckdb > {path}"
        raise RequestError(f"the notes {path} cannot be read: {error.strerror}", hint=hint) from error
    text, warnings = _decode(content[:MAX_BYTES], path)
    if len(content) > MAX_BYTES:
        warnings.append(f"the notes {path} are longer than {MAX_BYTES >> 20} MB: only their beginning is read")
    if is_manifest(text):
        return Notes(manifest_notes(text), tuple(warnings))
    return _clean(text, path.name) | Notes("", tuple(warnings))


def _found_file(path: Path) -> Notes:
    """Return the notes of a file that nobody named: what is wrong with it is a warning."""
    try:
        return read_note_file(path)
    except RequestError as error:
        return Notes("", (error.message,))


def _is_path(given: str) -> bool:
    text = given.strip()
    return "\n" not in text and len(text) < 1000 and text.lower().endswith(FILE_ENDINGS)


def _decode(content: bytes, path: Path) -> tuple[str, list[str]]:
    """Return the text of a file, and a warning if it is not UTF-8."""
    marked = next((name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark)), None)
    for encoding in filter(None, (marked, "utf-8", "gb18030")):
        try:
            # A cut in the middle of a character is no wrong encoding.
            text = codecs.getincrementaldecoder(encoding)().decode(content)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            is_usual = encoding in ("utf-8", "utf-8-sig")
            return text, [] if is_usual else [f"the notes {path} are not UTF-8: they were read as {encoding}"]
    hint = "save them as UTF-8"
    raise RequestError(f"the notes {path} are no text in UTF-8, UTF-16 or GB 18030", hint=hint)


def _clean(text: str, source: str) -> Notes:
    """Return Markdown without its HTML comments, which are for people, and without control characters."""
    bare = HTML_COMMENT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    bare = "".join(letter for letter in bare if letter.isprintable() or letter in "\n\t").strip()
    warnings = (
        ()
        if len(bare) <= MAX_BYTES
        else (f"the {source} are longer than {MAX_BYTES >> 20} MB: only their beginning is read",)
    )
    return Notes(bare[:MAX_BYTES], warnings)


def _contradictions(text: str) -> list[str]:
    """Return a warning for each term that two lines under headings of the same name define differently."""
    meanings: dict[str, dict[str, None]] = defaultdict(dict)
    for found in DEFINITION.finditer(text[: MAX_BYTES // 4]):
        meanings[found["term"].strip().lower()][found["meaning"].strip().rstrip(".")] = None
    twice = {term: list(said) for term, said in meanings.items() if len(said) > 1}
    return [f"the notes define {term!r} twice: {said[0]!r} and {said[1]!r}" for term, said in list(twice.items())[:5]]
