"""Extracts the SQL from a model's answer: removes prose, code fences, reasoning, and text after the SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ....workers.sandbox.locked_duckdb import parser_error
from .json_answer import sql_in_json

THINKING = r"(?:\w+:)?(?:think|thinking|thought|thoughts|reasoning|analysis|scratchpad|reflection)"
BEGIN, END = rf"(?:<{THINKING}>|◁think▷|\[THINK\])", rf"(?:</{THINKING}>|◁/think▷|\[/THINK\])"
THOUGHT = re.compile(
    rf"{BEGIN}.*?{END}|\A.*{END}|{BEGIN}.*\Z|\A.*<\|channel\|>final<\|message\|>", re.DOTALL | re.IGNORECASE
)
TAG = re.compile(
    r"<(?P<name>(?:final_|generated_)?(?:sql|answer|solution|query|output|code)(?:_query|_code)?)>(?:<!\[CDATA\[)?"
    r"|\[SQL\]",
    re.IGNORECASE,
)
MAX_TAGS = 50
BLOCK = re.compile(r"(?:`{3,}|~{3,})[ \t]*([\w+-]*)[ \t]*\n?(.*?)(?:`{3,}|~{3,}|$)", re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
SQL_MARK = re.compile(
    r"\w*sql\w*|duckdb|postgres|sqlite\d?|oracle|hive|spark|clickhouse|snowflake|bigquery|presto|trino|mariadb|db2|redshift"
)
# Labels that mark SQL as final, not as a draft.
FINAL = re.compile(r"final|correct|answer|最终|最后|正确|答案", re.IGNORECASE)
LABEL = (
    r"(?:\W{0,20}\b(?:the\s+)?(?:final\s+)?(?:sql|query|answer)(?:\s?(?:query|statement|语句|查询))?"
    r"\W{0,20}[:：][\W_]{0,20}?)?"
)
# How a SELECT begins. Words that can also begin an English sentence count only if SQL follows.
SELECT = (
    r"(?P<sql>[(\s]{0,40}(?:SELECT\b(?!\s+(?:the|your|this|that|an|only|one|from the)\s(?!\w+\s*[,(]))"
    r"|WITH\s+(?:RECURSIVE\s+)?(?:\w+|\"[^\"]+\")\s*(?:\([^)]*\)\s*)?AS\s*(?:(?:NOT\s+)?MATERIALIZED\s*)?\("
    r"|(?-i:FROM)\s+[\w\"(]|(?-i:VALUES)\s*\())"
)
AT_LINE_START = re.compile(rf"^[ \t>*-]{{0,20}}{LABEL}[`\s]{{0,20}}{SELECT}", re.IGNORECASE | re.MULTILINE)
BEHIND_COLON = re.compile(rf"[:：][\s`]{{0,20}}{SELECT}", re.IGNORECASE)
ANYWHERE = re.compile(r"(?P<sql>\bSELECT\b.+?\bFROM\b)", re.DOTALL)
VERB = re.compile(
    r"\s*(?:SELECT|WITH|FROM|VALUES|TABLE|INSERT|UPDATE|DELETE|MERGE|DROP|CREATE|ALTER|TRUNCATE|ATTACH|DETACH|COPY"
    r"|INSTALL|LOAD|SET|RESET|PRAGMA|CALL|EXPORT|IMPORT|EXPLAIN|DESCRIBE|SHOW|SUMMARIZE|PIVOT|UNPIVOT|BEGIN|COMMIT"
    r"|EXECUTE|PREPARE|VACUUM|CHECKPOINT|USE|GRANT)\b",
    re.IGNORECASE,
)
QUERY = re.compile(r"[\s(]*(?:SELECT|WITH|FROM|VALUES|TABLE|PIVOT|UNPIVOT)\b", re.IGNORECASE)
CHANGES = re.compile(r"\)\s*(?:INSERT\s+INTO|UPDATE\s+\w|DELETE\s+FROM|MERGE\s+INTO)\b", re.IGNORECASE)
SQL_TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|.", re.DOTALL)
# What ends the SQL: chat markers, the training data's next section, the end of a block.
MARK = re.compile(r"<\|[^|]*\||</?s>|\[/?(?:INST|SQL|QUESTION)\]|```|~~~|###+ |\n\s{0,20}(?:\*\*\w|【)")
# How a line continues a statement. Such a line is never cut: without it, faulty SQL would become another query.
CONTINUATION = re.compile(
    r"\s*(?:[^\w\s\u2e80-\uffff>*#-]|(?:WHERE|GROUP|ORDER|HAVING|LIMIT|OFFSET|JOIN|LEFT|RIGHT|INNER|OUTER|FULL|CROSS|ASOF|ON"
    r"|AND|OR|NOT|IN|UNION|INTERSECT|EXCEPT|FROM|SELECT|AS|WINDOW|QUALIFY|CASE|WHEN|THEN|ELSE|END|USING|BETWEEN|IS)\b)",
    re.IGNORECASE,
)
ESCAPED_OPERATOR = re.compile(r"(?<=\s)&(lt|gt);(?=[\s=&])")  # `a &lt;= 3`, from a page.
COMMENTS = re.compile(r"\A(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)+", re.DOTALL)
DECLINE = re.compile(
    r"CANNOT ANSWER\s*[:：]?\s*(.*)|\bI (?:do not|don't|don’t) know\b.*|(?:无法|不能)(?:回答|确定|根据).*",
    re.DOTALL | re.I,
)
SENTENCE_END = re.compile(r"[。！？!?\n]|\.\s")
UNCLEAR = re.compile(r"^\W{0,3}UNCLEAR\s*[:：]\s*(.+)", re.DOTALL)


def extract_sql(text: str) -> str | None:
    """Return the SQL in an answer, without leading comments and trailing semicolons, or None.

    A query is preferred to other statements, a block marked as SQL to unmarked ones, the last of several
    to the earlier ones (a model that reasons writes drafts first), a block to prose. This function does not check
    whether the SQL may run; the guard does.
    """
    text = ESCAPED_OPERATOR.sub(lambda found: "<" if found[1] == "lt" else ">", THOUGHT.sub("", text))
    for part, is_sql in _parts(text):
        bare = COMMENTS.sub("", part)
        if is_sql and VERB.match(bare):
            return _up_to_end(bare)
        if begin := _begin(bare):
            return _up_to_end(bare[begin.start("sql") :])
    if begin := ANYWHERE.search(text):
        return _up_to_end(text[begin.start("sql") :])
    command = _trimmed(COMMENTS.sub("", text))
    return command if _begins_statement(command) else None


def _begin(text: str) -> re.Match[str] | None:
    """Return where the SQL begins in prose: after the last label that marks it as final, else at the first line."""
    found = [*AT_LINE_START.finditer(text), *BEHIND_COLON.finditer(text)]
    final = [one for one in found if FINAL.search(text[text.rfind("\n", 0, one.start("sql")) + 1 : one.start("sql")])]
    return max(final, key=lambda one: one.start("sql"), default=None) or next(iter(found), None)


def decline_reason(text: str) -> str | None:
    """Return the model's own explanation that the schema cannot answer the question; None if it does not say so."""
    found = DECLINE.search(text := THOUGHT.sub("", text))
    if not found:
        return None
    # Chinese gives the reason first: 数据库中没有员工信息，因此无法回答该问题。
    begin = max((end.end() for end in SENTENCE_END.finditer(text, 0, found.start())), default=0)
    return (found[1] or text[begin:]).strip()


def question_back(text: str) -> str | None:
    """Return the question that the model asks the user in place of SQL; None if it asks none."""
    found = UNCLEAR.match(THOUGHT.sub("", text).strip())
    return " ".join(found[1].split()) if found else None


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the places where the SQL may be, the likeliest first, and whether a place should contain only SQL."""
    if text.lstrip().startswith(("{", "[", '"')) and (sql := sql_in_json(text)):
        yield sql, True
    if AT_LINE_START.match(COMMENTS.sub("", text)):
        yield text, False  # The answer begins with SQL: if the prompt opened a block, the answer closes it.
    parts = list(_marked_parts(text))
    yield from ((part, True) for part in parts if _is_query(part))
    commands = any(VERB.match(COMMENTS.sub("", part)) for part in parts)
    if commands and _begin(prose := BLOCK.sub("\n", text)):
        yield prose, False
    yield from ((part, True) for part in parts)
    if sql := sql_in_json(text):
        yield sql, True
    yield _without_quotes(text), False
    yield from ((code, True) for code in INLINE.findall(text) if VERB.match(code) and " " in code.strip())


def _marked_parts(text: str) -> Iterator[str]:
    """Yield the contents of tags and blocks, those marked as SQL first, in each group the last one first."""
    for tag in [*TAG.finditer(text)][: -MAX_TAGS - 1 : -1]:
        if inside := _inside_tag(text, tag):
            yield inside
    blocks = [(mark.lower(), body) for mark, body in BLOCK.findall(text)]
    yield from reversed([body for mark, body in blocks if SQL_MARK.fullmatch(mark)])
    plain = [body for mark, body in blocks if mark in ("", "json", "json5", "jsonc", "text", "plaintext")]
    yield from (sql_in_json(body) or body for body in reversed(plain))


def _inside_tag(text: str, tag: re.Match[str]) -> str:
    """Return the text between a tag and its end; SQLCoder's [SQL] may have no end tag."""
    closing = f"</{tag['name']}>" if tag["name"] else "[/SQL]"
    end = re.compile(re.escape(closing), re.IGNORECASE).search(text, tag.end())
    if end is None:
        return "" if tag["name"] else text[tag.end() :]
    return text[tag.end() : end.start()].removesuffix("]]>")


def _is_query(text: str) -> bool:
    """Whether a text is SQL that only reads: not a CREATE INDEX, EXPLAIN or INSERT that is shown as an example."""
    bare = COMMENTS.sub("", text)
    return QUERY.match(bare) is not None and CHANGES.search(bare) is None


def _without_quotes(text: str) -> str:
    """Return an answer without the quotes around the whole of it."""
    bare = text.strip()
    inside = bare[1:-1]
    quoted = len(bare) > 2 and (bare[0], bare[-1]) in {("'", "'"), ('"', '"'), ("“", "”")}
    return inside if quoted and VERB.match(inside) and parser_error(inside) is None else text


def _up_to_end(text: str) -> str:
    """Cut the text after a statement: from its semicolon, unless another statement follows, or from an end mark.

    Without either, keep the most lines that DuckDB's parser accepts, if the rest is prose.
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
        if count < len(lines) and CONTINUATION.match(lines[count]):
            break
        if parser_error(shorter) is None:
            return shorter
        if parser_error(sentence := shorter.rstrip(".。")) is None:
            return sentence
    return _trimmed(text[:end])


def _begins_statement(text: str) -> bool:
    """Whether another statement follows, not prose: 'With this query …' begins like one too."""
    next_one = COMMENTS.sub("", text).partition(";")[0]
    return VERB.match(next_one) is not None and parser_error(MARK.split(next_one, maxsplit=1)[0]) is None


def _trimmed(sql: str) -> str:
    return sql.strip().strip("`").rstrip("; \t\r\n；")
