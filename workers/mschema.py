"""M-Schema: a database's tables, columns, keys and sample values, as XiYan's models read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from .database_schema import Column, ForeignKey, Schema, Table, join_name, read_name_part, split_name, write_name_part


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
    return ".".join(write_name_part(part, ".,=;") for part in split_name(name))


def _write_table(table: Table) -> str:
    comment = f", {_write_text(table.comment)}" if table.comment else ""
    return f"# Table: {_write_name(table.name)}{comment}"


def _write_column(column: Column, max_examples: int) -> str:
    name = write_name_part(column.name, ":,")
    text = f"{name}:{column.type}" if column.type else name
    key = ", Primary Key" if column.primary_key else ""
    values = ", ".join(map(_write_value, column.examples[:max_examples]))
    rest = f"{key}, Examples: [{values}]" if values else key
    if not column.comment:
        return f"({text}{rest})"
    plain = f"({text}, {column.comment}{rest})"
    # A comment is unquoted if it reads back as itself: with brackets it does, with ', Primary Key' it does not.
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
    here, there = write_name_part(key.column, ".,=;"), write_name_part(key.other_column, ".,=;")
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
    """Yield the lines; a line break inside a column's brackets (in a comment) joins two lines."""
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
        part, rest = read_name_part(rest[1:], ".,")
        parts.append(part)
    return Table(join_name(parts), tuple(map(_read_column, columns)), _read_text(rest.removeprefix(",")))


def _read_column(text: str) -> Column:
    text = text[1:].removesuffix(")")
    name, rest = read_name_part(text, ":,")
    type_name, rest = _read_type(rest[1:]) if rest.startswith(":") else ("", rest)
    rest = rest.removeprefix(",").strip(" ")
    quoted, rest = _read_json(rest)
    body, examples = _read_examples(rest)
    body = re.sub(r"^,\s*", "", body)
    plain = re.sub(r"(^|,\s*)Primary Key$|^Primary Key(,\s*|$)", "", body, count=1, flags=re.IGNORECASE)
    comment = quoted if quoted is not None else plain
    return Column(name, type_name, plain != body, comment, examples)


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
        part, rest = read_name_part(rest[1:], ".=")
        parts[-1].append(part)
    if len(parts) != 2 or min(map(len, parts)) < 2:
        return []
    (*table, column), (*other_table, other_column) = parts
    return [ForeignKey(join_name(table), column, join_name(other_table), other_column)]
