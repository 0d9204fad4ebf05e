"""M-Schema: a database's tables, columns, keys and sample values, as XiYan's models read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        name: as the catalog spells it, unquoted.
        type: the SQL type, e.g. 'BIGINT'; '' where unknown.
        primary_key: part of the table's primary key.
        comment: what the catalog says of it.
        examples: a few of its values as text, shown in the prompt.
        values: the distinct values known (more than `examples`), for matching a question's words; never shown whole.
    """

    name: str
    type: str = ""
    primary_key: bool = False
    comment: str = ""
    examples: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One table; `name` is what SQL must write to reach it: parts joined by dots, see `join_name` and `sql_name`."""

    name: str
    columns: tuple[Column, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`table.column` refers to `other_table.other_column`."""

    table: str
    column: str
    other_table: str
    other_column: str


@dataclass(frozen=True, slots=True)
class Schema:
    """A database as a model sees it."""

    name: str = ""
    tables: tuple[Table, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()


def split_name(name: str) -> tuple[str, ...]:
    """Return the parts of a table's name; a part in double quotes may hold dots."""
    parts, rest = [], name
    while True:
        part, rest = _read_part(rest, stops=".")
        parts.append(part)
        if not rest:
            return tuple(parts)
        rest = rest[1:]


def join_name(parts: Iterable[str]) -> str:
    """Return the name of these parts; one that holds a dot, or would not read back as it is, in double quotes."""
    return ".".join(_write_part(part, ".") for part in parts)


def quote_path(name: str) -> str:
    """Return a table's name as SQL may write it: every part in double quotes."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in split_name(name))


def _quoted(part: str) -> str:
    """Return a part in double quotes, on one line whatever it holds."""
    escaped = part.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '""')
    return f'"{escaped}"'


def _read_part(text: str, stops: str) -> tuple[str, str]:
    """Read one name up to one of the stops; return it and the rest, which begins with the stop."""
    quoted = re.match(r'\s*"((?:[^"\\]|""|\\.)*)"\s*', text, re.DOTALL)
    if quoted and (quoted.end() == len(text) or text[quoted.end()] in stops):
        body = re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], quoted[1], flags=re.DOTALL)
        return body.replace('""', '"'), text[quoted.end() :]
    end = min((at for at in (text.find(stop) for stop in stops) if at >= 0), default=len(text))
    return text[:end].strip().strip("`"), text[end:]


def _write_part(part: str, specials: str) -> str:
    plain = part and part.isprintable() and part == part.strip() and part[0] not in "#【(["
    return part if plain and not any(letter in part for letter in specials + '"`') else _quoted(part)


def format_mschema(schema: Schema, *, max_examples: int = 5) -> str:
    """Return a schema as M-Schema text, in the form and order of XiYan's own tool.

    Whatever would not read back is put in double quotes: a name with a colon, a comment of two lines, a sample
    value with a comma.
    """
    lines = [f"【DB_ID】 {_write_text(schema.name)}".rstrip(), "【Schema】"]
    for table in schema.tables:
        lines += [_write_table(table), "[", ",\n".join(_write_column(c, max_examples) for c in table.columns), "]"]
    if schema.foreign_keys:
        lines += ["【Foreign keys】", *map(_write_foreign_key, schema.foreign_keys)]
    return "\n".join(lines)


def _write_name(name: str) -> str:
    return ".".join(_write_part(part, ".,=;") for part in split_name(name))


def _write_table(table: Table) -> str:
    comment = f", {_write_text(table.comment)}" if table.comment else ""
    return f"# Table: {_write_name(table.name)}{comment}"


def _write_column(column: Column, max_examples: int) -> str:
    name = _write_part(column.name, ":,")
    text = f"{name}:{column.type}" if column.type else name
    key = ", Primary Key" if column.primary_key else ""
    values = ", ".join(map(_write_value, column.examples[:max_examples]))
    rest = f"{key}, Examples: [{values}]" if values else key
    if not column.comment:
        return f"({text}{rest})"
    plain = f"({text}, {column.comment}{rest})"
    # A comment stands as it is wherever it reads back as itself: brackets and commas do, ', Primary Key' does not.
    if column.comment.isprintable() and _read_column(plain).comment == column.comment:
        return plain
    return f"({text}, {_as_json(column.comment)}{rest})"


def _write_value(value: str) -> str:
    plain = value.isprintable() and value == value.strip() and value and not any(c in value for c in ',[]"')
    return value if plain else _as_json(value)


def _write_text(text: str) -> str:
    plain = text.isprintable() and text == text.strip() and not text.startswith('"')
    return text if plain else _as_json(text)


def _write_foreign_key(key: ForeignKey) -> str:
    here, there = _write_part(key.column, ".,=;"), _write_part(key.other_column, ".,=;")
    return f"{_write_name(key.table)}.{here}={_write_name(key.other_table)}.{there}"


def _as_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def parse_mschema(text: str) -> Schema:
    """Return the schema that an M-Schema text describes: ours, XiYan's, or one typed by hand.

    Read tolerantly: several columns on a line, keys before or after the comment, spaces and back-ticks in foreign
    keys. A text without tables gives a schema without tables.
    """
    tables: list[tuple[str, list[str]]] = []
    keys: list[ForeignKey] = []
    name, section = "", "schema"
    for line in _joined_lines(text):
        heading = re.match(r"【\s*([^】]*?)\s*】\s*(.*)", line)
        if heading:
            section = heading[1].lower()
            name = _read_text(heading[2]) if section == "db_id" else name
        elif table := re.match(r"#\s*Table\s*:\s*(.*)", line, re.IGNORECASE):
            section = "schema"
            tables.append((table[1], []))
        elif section in ("foreign keys", "外键"):
            keys += _read_foreign_key(line)
        elif tables:
            tables[-1][1].extend(_split_columns(line))
    return Schema(name, tuple(_read_table(head, columns) for head, columns in tables), tuple(keys))


def _joined_lines(text: str) -> Iterator[str]:
    """Yield the lines; one that goes on inside a column's brackets (a comment of two lines) is joined to it."""
    pending = ""
    for line in (line.strip(" \t\r") for line in text.split("\n")):
        if pending and (line[:1] in ("(", "[", "]", "#", "【") or not line):
            yield pending
            pending = ""
        pending = f"{pending} {line}".strip()
        if not pending.startswith(("(", "[(")) or re.search(r"\)\s*(,|\]|\],)?$", pending):
            yield pending
            pending = ""
    yield pending


def _split_columns(line: str) -> list[str]:
    """Return the columns of one line; only a line that begins with '[(' holds several."""
    if line.startswith("[("):
        inside = line[1:].rstrip(",").removesuffix("]")
        inside = inside.strip().removeprefix("(").rstrip(",").removesuffix(")")
        return [f"({part})" for part in re.split(r"\)\s*,\s*\(", inside)]
    return [line.rstrip(",").removesuffix("]").rstrip()] if line.startswith("(") else []


def _read_table(head: str, columns: list[str]) -> Table:
    parts, rest = [], "." + head
    while rest.startswith("."):
        part, rest = _read_part(rest[1:], ".,")
        parts.append(part)
    return Table(join_name(parts), tuple(map(_read_column, columns)), _read_text(rest.removeprefix(",")))


def _read_column(text: str) -> Column:
    text = text[1:].removesuffix(")")
    name, rest = _read_part(text, ":,")
    kind, rest = _read_type(rest[1:]) if rest.startswith(":") else ("", rest)
    rest = rest.removeprefix(",").strip(" ")
    quoted, rest = _read_json(rest)
    body, examples = _read_examples(rest)
    body = re.sub(r"^,\s*", "", body)
    plain = re.sub(r"(^|,\s*)Primary Key$|^Primary Key(,\s*|$)", "", body, count=1, flags=re.IGNORECASE)
    comment = quoted if quoted is not None else plain
    return Column(name, kind, plain != body, comment, examples)


def _read_type(text: str) -> tuple[str, str]:
    """Read a type up to the first comma outside its brackets and quotes."""
    depth, quote = 0, ""
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "," and depth == 0:
            return text[:at].strip(), text[at:]
        else:
            depth += (letter in "([") - (letter in ")]")
    return text.strip(), ""


def _read_examples(text: str) -> tuple[str, tuple[str, ...]]:
    """Take the sample values off a column's end."""
    at = 0 if text.startswith("Examples: [") else text.find(", Examples: [")
    if at < 0 or not text.endswith("]"):
        return text, ()
    inside, values = text[text.index("[", at) + 1 : -1].strip(), []
    while inside:
        value, rest = _read_json(inside)
        if value is None:
            value, _, rest = (part.strip() for part in inside.partition(","))
        values.append(value)
        inside = rest.strip().removeprefix(",").strip()
    return text[:at], tuple(values)


def _read_json(text: str) -> tuple[str | None, str]:
    """Read a JSON string where one stands before a comma or the end; else None and the text."""
    if not text.startswith('"'):
        return None, text
    try:
        value, end = json.JSONDecoder(strict=False).raw_decode(text)
    except json.JSONDecodeError:
        return None, text
    return (value, text[end:]) if text[end:].lstrip()[:1] in ("", ",") else (None, text)


def _read_text(text: str) -> str:
    text = text.strip()
    value, rest = _read_json(text)
    return text if value is None or rest else value


def _read_foreign_key(line: str) -> list[ForeignKey]:
    parts: list[list[str]] = [[]]
    rest = "." + line.rstrip(",;")
    while rest[:1] in (".", "="):
        if rest.startswith("="):
            parts.append([])
        part, rest = _read_part(rest[1:], ".=")
        parts[-1].append(part)
    if len(parts) != 2 or min(map(len, parts)) < 2:
        return []
    (*table, column), (*other_table, other_column) = parts
    return [ForeignKey(join_name(table), column, join_name(other_table), other_column)]
