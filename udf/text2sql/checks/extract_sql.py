"""A model's answer reduced to its SQL: prose, blocks, thinking and what runs on behind it are cut away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from .sandbox import parser_error

THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>|^.*</think(?:ing)?>|<think(?:ing)?>.*$", re.DOTALL | re.I)
TAGGED = re.compile(r"<(sql|answer|solution|query)>(.*?)</\1>|\[SQL\](.*?)(?:\[/SQL\]|$)", re.DOTALL | re.I)
BLOCK = re.compile(r"(?:```|~~~)[ \t]*(\w*)[ \t]*\n?(.*?)(?:```|~~~|$)", re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
SQL_MARKS = ("sql", "duckdb", "postgresql", "postgres", "mysql", "sqlite")
LABEL = r"(?:\W*\b(?:the\s+)?(?:final\s+)?(?:sql|query|answer)(?:\s*(?:query|statement|语句|查询))?\W*[:：][\W_]*?)?"
# How a SELECT begins: words that English begins a sentence with too count only where SQL follows them.
SELECT = (
    r"(?P<sql>\(*\s*(?:SELECT\b(?!\s+(?:the|your|this|that|an|only|one|from the)\s(?!\w+\s*[,(]))"
    r"|WITH\s+(?:RECURSIVE\s+)?(?:\w+|\"[^\"]+\")\s*(?:\([^)]*\)\s*)?AS\s*(?:(?:NOT\s+)?MATERIALIZED\s*)?\("
    r"|(?-i:FROM)\s+[\w\"(]|(?-i:VALUES)\s*\())"
)
AT_LINE_START = re.compile(rf"^[ \t>*-]*{LABEL}[`\s]*{SELECT}", re.IGNORECASE | re.MULTILINE)
BEHIND_COLON = re.compile(rf"[:：][\s`]*{SELECT}", re.IGNORECASE)
ANYWHERE = re.compile(r"(?P<sql>\bSELECT\b.+?\bFROM\b)", re.DOTALL)
VERB = re.compile(
    r"\s*(?:SELECT|WITH|FROM|VALUES|TABLE|INSERT|UPDATE|DELETE|MERGE|DROP|CREATE|ALTER|TRUNCATE|ATTACH|DETACH|COPY"
    r"|INSTALL|LOAD|SET|RESET|PRAGMA|CALL|EXPORT|IMPORT|EXPLAIN|DESCRIBE|SHOW|SUMMARIZE|PIVOT|UNPIVOT|BEGIN|COMMIT"
    r"|EXECUTE|PREPARE|VACUUM|CHECKPOINT|USE|GRANT)\b",
    re.IGNORECASE,
)
SQL_TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|.", re.DOTALL)
# What stands behind SQL and is none: chat markers, the training data's next section, the end of a block.
MARK = re.compile(r"<\|[^|]*\||</?s>|\[/?(?:INST|SQL|QUESTION)\]|```|~~~|###+ |\n\s*(?:\*\*\w|【)")
# How a line goes on with a statement: such a line is never cut off, or a fault in it would become another query.
GOES_ON = re.compile(
    r"\s*(?:[^\w\s\u2e80-\uffff>*#-]|(?:WHERE|GROUP|ORDER|HAVING|LIMIT|OFFSET|JOIN|LEFT|RIGHT|INNER|OUTER|FULL|CROSS|ASOF|ON"
    r"|AND|OR|NOT|IN|UNION|INTERSECT|EXCEPT|FROM|SELECT|AS|WINDOW|QUALIFY|CASE|WHEN|THEN|ELSE|END|USING|BETWEEN|IS)\b)",
    re.IGNORECASE,
)
COMMENTS = re.compile(r"\A(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)+", re.DOTALL)
CANNOT = re.compile(
    r"CANNOT ANSWER\s*[:：]?\s*(.*)|\bI (?:do not|don't|don’t) know\b.*|(?:无法|不能)(?:回答|确定|根据).*",
    re.DOTALL | re.I,
)


def reduce_answer(text: str) -> str | None:
    """Return the SQL that an answer holds, without the comments before and the semicolons behind it, or None.

    A block marked as SQL is taken before one that is not, the last of several before the others (a model that thinks
    aloud writes drafts first), a block before prose. Nothing is judged here: whether it may run, the guard says.
    """
    text = THOUGHT.sub("", text)
    for part, is_sql in _parts(text):
        bare = COMMENTS.sub("", part)
        if is_sql and VERB.match(bare):
            return _up_to_end(bare)
        if begin := AT_LINE_START.search(bare) or BEHIND_COLON.search(bare):
            return _up_to_end(bare[begin.start("sql") :])
    if begin := ANYWHERE.search(text):
        return _up_to_end(text[begin.start("sql") :])
    command = _trimmed(COMMENTS.sub("", text))
    return command if _begins_statement(command) else None


def declined(text: str) -> str | None:
    """Return why a model says that the schema cannot answer, in its own words; None where it does not say so."""
    found = CANNOT.search(THOUGHT.sub("", text))
    return (found[1] or found[0]).strip() if found else None


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Yield where the SQL may stand, the likeliest place first, and whether nothing but SQL should be there."""
    if sql := _in_json(text):
        yield sql, True
    if AT_LINE_START.match(COMMENTS.sub("", text)):
        yield text, False  # SQL at once: where the prompt opened a block, the answer closes it.
    yield from reversed([(tagged or open_tag, True) for _, tagged, open_tag in TAGGED.findall(text)])
    blocks = [(mark.lower(), body) for mark, body in BLOCK.findall(text)]
    yield from reversed([(body, True) for mark, body in blocks if mark in SQL_MARKS])
    yield from reversed([(_in_json(body) or body, True) for mark, body in blocks if mark in ("", "json")])
    yield text, False
    yield from ((code, True) for code in INLINE.findall(text) if VERB.match(code) and " " in code.strip())


def _in_json(text: str) -> str | None:
    """Return what an answer like {"sql": "SELECT …"} says."""
    if not text.strip().startswith("{"):
        return None
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    found = next((value[key] for key in ("sql", "query", "SQL") if key in value), None)
    return found if isinstance(found, str) else None


def _up_to_end(text: str) -> str:
    """Cut what is behind a statement: from its semicolon, unless another statement follows, or from a mark.

    Where neither is there, the most lines that DuckDB's parser takes, if what is cut away is prose.
    """
    end = 0
    for found in SQL_TOKEN.finditer(text):
        closed = found[0] == ";" and not _begins_statement(text[found.end() :])
        if closed or MARK.match(text, found.start()):
            return _trimmed(text[: found.start()])
        end = found.end()
    lines = text[:end].split("\n")
    for count in range(len(lines), max(len(lines) - 40, 0), -1):
        shorter = _trimmed("\n".join(lines[:count]))
        if count < len(lines) and GOES_ON.match(lines[count]):
            break
        if parser_error(shorter) is None:
            return shorter
        if parser_error(sentence := shorter.rstrip(".。")) is None:
            return sentence
    return _trimmed(text[:end])


def _begins_statement(text: str) -> bool:
    """Whether another statement follows, and no prose: 'With this query …' begins like one too."""
    next_one = COMMENTS.sub("", text).partition(";")[0]
    return VERB.match(next_one) is not None and parser_error(MARK.split(next_one, maxsplit=1)[0]) is None


def _trimmed(sql: str) -> str:
    return sql.strip().strip("`").rstrip("; \t\r\n")
