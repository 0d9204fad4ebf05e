"""Reading a statement: its SELECT, the model calls in it, and what forbids to run it ahead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from sqlglot import exp, parse_one
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from .modes import MODEL_FUNCTIONS

OPENS = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
CLOSES = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
QUERY_KEYWORDS = {TokenType.SELECT, TokenType.WITH, TokenType.FROM}


@dataclass(frozen=True)
class ModelQuery:
    """The SELECT of a statement that asks models.

    Args:
        text: the SELECT as the user wrote it; of CREATE TABLE AS, INSERT and COPY the part that is one.
        tree: the same, parsed.
        whole: whether the statement is nothing but the SELECT.
        target: the table that CREATE TABLE makes; None for other statements.
        names: the models' names and those of our functions that ask.
    """

    text: str
    tree: exp.Query
    whole: bool
    target: str | None
    names: frozenset[str]

    def calls(self) -> list[exp.Expr]:
        """Return the model calls in the tree."""
        return [node for node in self.tree.walk() if self.is_call(node)]

    def has_single_call(self) -> bool:
        """Whether no request can hold what another one was answered."""
        recursive = any(clause.recursive for clause in self.tree.find_all(exp.With))
        return len(self.calls()) == 1 and not recursive

    def is_call(self, node: exp.Expr) -> bool:
        """Whether a node of the tree is a model call."""
        return isinstance(node, exp.Anonymous) and node.name.lower() in self.names


def parse_statement(sql: str, models: Iterable[str], *, rows_only: bool = True) -> ModelQuery | None:
    """Return the SELECT in a statement that asks models over rows; None where there is nothing to plan.

    Args:
        sql: one statement.
        models: the models' names, each a function.
        rows_only: a SELECT without FROM is none: with its one row there is nothing to plan.
    """
    names = MODEL_FUNCTIONS.union(models)
    try:
        tokens = DuckDB().tokenize(sql)
    except SqlglotError:
        return None
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    part = _query_part(tokens)
    if not part or _asking(tokens, names) != _asking(part, names):
        return None
    text = sql[part[0].start : part[-1].end + 1]
    try:
        tree = parse_one(text, dialect="duckdb")
    except (SqlglotError, RecursionError):
        return None
    if not isinstance(tree, exp.Query) or (rows_only and not tree.find(exp.From)):
        return None
    reading = ModelQuery(text, tree, len(part) == len(tokens), _target(tokens, part), names)
    return reading if reading.calls() else None


def _query_part(tokens: list[Token]) -> list[Token]:
    """Return the tokens of the SELECT; none where the statement is of another kind."""
    if not tokens:
        return []
    first = tokens[0].token_type
    if first in QUERY_KEYWORDS or first is TokenType.L_PAREN:
        return tokens
    if first is TokenType.COPY and tokens[1].token_type is TokenType.L_PAREN:
        return tokens[2 : _end(tokens, 1)]
    if first is TokenType.CREATE and any(token.token_type is TokenType.TABLE for token in tokens[:5]):
        start = next((place for place, token in _flat(tokens) if token.token_type is TokenType.ALIAS), -1)
        return (
            [] if start < 0 or any(token.text.upper() == "EXISTS" for token in tokens[:start]) else tokens[start + 1 :]
        )
    if first is TokenType.INSERT:
        start = next((place for place, token in _flat(tokens) if token.token_type in QUERY_KEYWORDS), len(tokens))
        return tokens[start:]
    return []


def _target(tokens: list[Token], part: list[Token]) -> str | None:
    if tokens[0].token_type is not TokenType.CREATE or any(token.text.upper() == "REPLACE" for token in tokens[:3]):
        return None
    return tokens[len(tokens) - len(part) - 2].text


def _flat(tokens: list[Token]) -> Iterator[tuple[int, Token]]:
    """Yield the tokens outside of brackets, with their places."""
    depth = 0
    for place, token in enumerate(tokens):
        depth -= token.token_type in CLOSES
        if depth == 0:
            yield place, token
        depth += token.token_type in OPENS


def _end(tokens: list[Token], start: int) -> int:
    """Return the place of the bracket that closes the one at `start`."""
    return start + next((place for place, token in _flat(tokens[start:]) if token.token_type in CLOSES), 0)


def _asking(tokens: list[Token], names: frozenset[str]) -> int:
    return sum(one.text.lower() in names and two.token_type is TokenType.L_PAREN for one, two in pairwise(tokens))
