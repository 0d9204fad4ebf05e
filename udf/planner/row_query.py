"""The SELECT that reads the rows for which a statement calls models, whatever kind of statement it is.

A SELECT is its own. CREATE TABLE AS, INSERT and COPY contain one. UPDATE, DELETE and MERGE are told as one:

    UPDATE t SET a = f(x) FROM s WHERE t.i = s.i    →    SELECT f(x) FROM t, s WHERE t.i = s.i
    DELETE FROM t USING s WHERE f(t.x) = s.y        →    SELECT 1 FROM t, s WHERE f(t.x) = s.y
    MERGE INTO t USING s ON c WHEN MATCHED THEN …   →    SELECT <which WHEN>, CASE WHEN 1 THEN … FROM s LEFT JOIN t ON c
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from sqlglot import Token, TokenType
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import SqlglotError

OPENS = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
CLOSES = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
EXPLAIN_ANALYZE = re.compile(r"\s*EXPLAIN\s+ANALYZE\s+", re.IGNORECASE)
CHOSEN_ACTION = "quackllm_action"
"""The column that says which WHEN of a MERGE a row takes."""
QUERY_KEYWORDS = {TokenType.SELECT, TokenType.WITH, TokenType.FROM}


def tokenize(sql: str) -> list[Token]:
    """Return the tokens of one statement without its semicolons; none where they cannot be read."""
    try:
        tokens = DuckDB().tokenize(sql)
    except SqlglotError:
        return []
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    return tokens


def executed_statement(sql: str) -> str:
    """Return the statement that EXPLAIN ANALYZE runs, or the statement itself."""
    return sql[match.end() :] if (match := EXPLAIN_ANALYZE.match(sql)) else sql


def row_query(sql: str, tokens: Sequence[Token]) -> str | None:
    """Return the SELECT; None for a kind of statement that is not read as one.

    Args:
        sql: the statement.
        tokens: its tokens.
    """
    first = tokens[0].token_type
    if first in QUERY_KEYWORDS or first is TokenType.L_PAREN:
        return statement_text(sql, tokens)
    if first is TokenType.COPY and tokens[1].token_type is TokenType.L_PAREN:
        return statement_text(sql, tokens[2 : _closing(tokens, 1)])
    if first is TokenType.CREATE:
        return statement_text(sql, _created(tokens))
    if first is TokenType.INSERT:
        return statement_text(sql, _inserted(tokens))
    if first is TokenType.UPDATE:
        return _updated(sql, tokens)
    if first is TokenType.DELETE and len(tokens) > 2:
        return _deleted(sql, tokens)
    if first is TokenType.MERGE:
        return _merged(sql, tokens)
    return None


def flat(tokens: Sequence[Token]) -> Iterator[tuple[int, Token]]:
    """Yield the tokens outside of brackets, with their places."""
    depth = 0
    for index, token in enumerate(tokens):
        depth -= token.token_type in CLOSES
        if depth == 0:
            yield index, token
        depth += token.token_type in OPENS


def statement_text(sql: str, tokens: Sequence[Token]) -> str | None:
    """Return the text of some tokens of a statement; None where there are none."""
    return sql[tokens[0].start : tokens[-1].end + 1] if tokens else None


def _closing(tokens: Sequence[Token], start: int) -> int:
    """Return the place of the bracket that closes the one at `start`."""
    return start + next((index for index, token in flat(tokens[start:]) if token.token_type in CLOSES), 0)


def _created(tokens: Sequence[Token]) -> Sequence[Token]:
    if not any(token.token_type is TokenType.TABLE for token in tokens[:5]):
        return ()
    start = next((index for index, token in flat(tokens) if token.token_type is TokenType.ALIAS), len(tokens))
    return tokens[start + 1 :]


def _inserted(tokens: Sequence[Token]) -> Sequence[Token]:
    start = next((index for index, token in flat(tokens) if token.token_type in QUERY_KEYWORDS), len(tokens))
    for (place, token), (_, following) in pairwise([*flat(tokens), (len(tokens), tokens[-1])]):
        is_conflict = token.token_type is TokenType.ON and following.text.upper() == "CONFLICT"
        if place > start and (is_conflict or token.token_type is TokenType.RETURNING):
            return tokens[start:place]
    return tokens[start:]


def _updated(sql: str, tokens: Sequence[Token]) -> str | None:
    clauses = _clauses(tokens, (TokenType.SET, TokenType.FROM, TokenType.WHERE, TokenType.RETURNING))
    values = [_value(assignment) for assignment in _split(clauses.get(TokenType.SET, ()))]
    if not values or not all(values) or any(value[0].token_type is TokenType.DEFAULT for value in values):
        return None
    written = ", ".join(statement_text(sql, value) or "" for value in values)
    return _select(sql, written, clauses[TokenType.UPDATE], clauses.get(TokenType.FROM), clauses)


def _deleted(sql: str, tokens: Sequence[Token]) -> str | None:
    clauses = _clauses(tokens[1:], (TokenType.USING, TokenType.WHERE, TokenType.RETURNING))
    return _select(sql, "1", clauses[TokenType.FROM], clauses.get(TokenType.USING), clauses)


def _merged(sql: str, tokens: Sequence[Token]) -> str | None:
    """Return the rows of the source with those of the target that they match, and what is computed for each."""
    clauses = _clauses(tokens[1:], (TokenType.USING, TokenType.ON, TokenType.WHEN, TokenType.RETURNING))
    whens = list(_whens(tokens))
    if TokenType.USING not in clauses or TokenType.ON not in clauses or not whens:
        return None
    target, source = clauses[TokenType.INTO], clauses[TokenType.USING]
    condition = statement_text(sql, clauses[TokenType.ON])
    found, chosen, values = f'"{target[-1].text}".rowid IS NOT NULL', [], []
    for number, when in enumerate(whens, 1):
        then = next((index for index, token in _outside_case(when) if token.token_type is TokenType.THEN), len(when))
        is_missing = when[1].token_type is TokenType.NOT
        head, action = when[2 + is_missing : then], when[then + 1 :]
        if not action or (head and head[0].token_type is not TokenType.AND):  # BY SOURCE, BY TARGET
            return None
        also = f" AND ({statement_text(sql, head[1:])})" if head else ""
        chosen.append(f"WHEN {'NOT ' * is_missing}({found}){also} THEN {number}")
        computed = [statement_text(sql, value) for value in _action_values(action)]
        values += [f"CASE WHEN {CHOSEN_ACTION} = {number} THEN {value} END" for value in computed]
    items = ", ".join([f"CASE {' '.join(chosen)} END AS {CHOSEN_ACTION}", *values])
    joined = f"{statement_text(sql, source)} LEFT JOIN {statement_text(sql, target)} ON {condition}"
    return f"SELECT {items} FROM {joined}"


def _whens(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Yield the WHEN clauses of MERGE, without those of CASE."""
    ends = (TokenType.WHEN, TokenType.RETURNING)
    places = [index for index, token in _outside_case(tokens) if token.token_type in ends]
    for start, end in pairwise([*places, len(tokens)]):
        if tokens[start].token_type is TokenType.WHEN:
            yield tokens[start:end]


def _outside_case(tokens: Sequence[Token]) -> Iterator[tuple[int, Token]]:
    depth = 0
    for index, token in flat(tokens):
        depth += token.token_type is TokenType.CASE
        if not depth:
            yield index, token
        depth -= token.token_type is TokenType.END


def _action_values(action: Sequence[Token]) -> list[Sequence[Token]]:
    """Return what UPDATE SET and INSERT VALUES compute."""
    clauses = _clauses(action, (TokenType.SET, TokenType.VALUES))
    if given := clauses.get(TokenType.VALUES):
        return list(_split(given[1:-1]))
    return [value for assignment in _split(clauses.get(TokenType.SET, ())) if (value := _value(assignment))]


def _select(
    sql: str,
    values: str,
    table: Sequence[Token],
    others: Sequence[Token] | None,
    clauses: dict[TokenType, Sequence[Token]],
) -> str | None:
    """Return the SELECT of an UPDATE or DELETE.

    Args:
        sql: the statement.
        values: the select list.
        table: the table that is changed, with its alias.
        others: the tables that it is joined with.
        clauses: all clauses; WHERE is read.
    """
    sources = ", ".join(text for part in (table, others or ()) if (text := statement_text(sql, part)))
    where = statement_text(sql, clauses.get(TokenType.WHERE, ()))
    return f"SELECT {values} FROM {sources}" + (f" WHERE {where}" if where else "") if sources else None


def _clauses(tokens: Sequence[Token], keywords: Sequence[TokenType]) -> dict[TokenType, Sequence[Token]]:
    """Return what follows the first token and each of the keywords, up to the next one."""
    starts = [0, *(index for index, token in flat(tokens) if index and token.token_type in keywords)]
    return {
        tokens[start].token_type: tokens[start + 1 : end]
        for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True)
    }


def _split(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Yield the parts between commas."""
    commas = [index for index, token in flat(tokens) if token.token_type is TokenType.COMMA]
    for start, end in zip([-1, *commas], [*commas, len(tokens)], strict=True):
        yield tokens[start + 1 : end]


def _value(assignment: Sequence[Token]) -> Sequence[Token]:
    """Return the expression of `column = expression`."""
    is_single = len(assignment) > 2 and assignment[0].token_type is not TokenType.L_PAREN
    start = next((index for index, token in flat(assignment) if token.token_type is TokenType.EQ), len(assignment))
    return assignment[start + 1 :] if is_single else ()
