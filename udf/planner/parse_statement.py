"""Reading a statement: its SELECT as DuckDB's own tree, and the model calls in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import duckdb
from sqlglot import Token, TokenType

from .builtin_functions import builtin_functions
from .modes import MODEL_FUNCTIONS
from .read_definitions import OUR_PREFIXES
from .row_query import CHOSEN_ACTION, executed_statement, flat, row_query, tokenize
from .statement_tree import Node, is_function, is_recursive, nodes_named, parse_tree, selects, walk


class UnplannedError(Exception):
    """Why a statement that calls a model is not planned."""


@dataclass(frozen=True)
class ModelQuery:
    """The SELECT of a statement that calls models.

    Args:
        text: the SELECT as the user wrote it, or the one that reads the rows of another statement (`row_query.py`).
        tree: the same, as DuckDB read it.
        is_whole_statement: whether the statement is nothing but the SELECT.
        target: the table that CREATE TABLE makes; None for other statements.
        names: the models' names and those of our functions that call one.
        scalars: the functions of which each row's value needs no other row.
        defined: the user's own views and macros that call a model.
    """

    text: str
    tree: Node
    is_whole_statement: bool
    target: str | None
    names: frozenset[str]
    scalars: frozenset[str]
    defined: frozenset[str] = frozenset()

    def calls(self) -> list[Node]:
        """Return the model calls in the tree."""
        return [node for node in walk(self.tree) if self.is_call(node)]

    @property
    def is_merge(self) -> bool:
        """Whether it is a MERGE, which DuckDB evaluates for other rows too than those that it changes."""
        return any(item["alias"] == CHOSEN_ACTION for item in self.tree.get("select_list", ()))

    def named_definitions(self) -> list[str]:
        """Return the views and macros in the tree whose calls are not seen in it."""
        named = nodes_named(self.tree, self.defined)
        return [str(node["function_name" if is_function(node) else "table_name"]) for node in named]

    def has_single_call(self) -> bool:
        """Whether no request can hold what another one was answered."""
        folds = any(is_function(node) and "reduce" in node["function_name"].lower() for node in walk(self.tree))
        return len(self.calls()) == 1 and not self.named_definitions() and not folds and not is_recursive(self.tree)

    def is_call(self, node: Node) -> bool:
        """Whether a node of the tree is a model call."""
        return is_function(node) and node["function_name"].lower() in self.names

    def is_row_by_row(self, items: Any) -> bool:
        """Whether the items of a SELECT give one row for each, and need no other row for it."""
        for node in walk(items):
            if node.get("class") == "WINDOW" or (node.get("class") == "STAR" and node["columns"]):
                return False
            if is_function(node) and not (self.is_call(node) or self._is_scalar(node["function_name"].lower())):
                return False
        return True

    def _is_scalar(self, name: str) -> bool:
        return name in self.scalars or name.startswith(OUR_PREFIXES)


def parse_statement(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    models: Iterable[str],
    defined: frozenset[str] = frozenset(),
    *,
    rows_only: bool = True,
) -> ModelQuery | None:
    """Return the SELECT in a statement that calls models over rows; None where there is nothing to plan.

    Args:
        connection: whose DuckDB reads it.
        sql: one statement.
        models: the models' names, each a function.
        defined: the views and macros that call one.
        rows_only: a SELECT without FROM is none: with its one row there is nothing to plan.

    Raises:
        UnplannedError: it calls a model, and it is of a form that cannot be planned.
    """
    names = MODEL_FUNCTIONS.union(models)
    statement = executed_statement(sql)
    tokens = tokenize(statement)
    calls = _count_calls(tokens, names, defined)
    if not calls or _defines(tokens):
        return None
    text = row_query(statement, tokens)
    if text is None or calls != _count_calls(tokenize(text), names, defined):
        raise UnplannedError(f"{tokens[0].text.upper()} statements of this form are not planned")
    tree = parse_tree(connection, text)
    if tree is None:
        raise UnplannedError("DuckDB does not give the tree of this SELECT (it holds PIVOT, or an error)")
    sources = any(node["from_table"]["type"] != "EMPTY" for node in selects(tree))
    if rows_only and not sources:
        return None
    is_whole = statement is sql and text == sql[tokens[0].start : tokens[-1].end + 1]
    reading = ModelQuery(text, tree, is_whole, _target(tokens), names, builtin_functions(connection).scalars, defined)
    return reading if reading.calls() or reading.named_definitions() else None


def _defines(tokens: Sequence[Token]) -> bool:
    """Whether the statement makes something that calls a model when it is used: a view, a macro, a prepared one."""
    if tokens[0].text.upper() == "PREPARE":
        return True
    makes = {token.token_type for token in tokens[:5]}
    return tokens[0].token_type is TokenType.CREATE and TokenType.TABLE not in makes


def _target(tokens: Sequence[Token]) -> str | None:
    """Return the table that CREATE TABLE AS makes; the name stands before its columns and AS."""
    if tokens[0].token_type is not TokenType.CREATE or any(token.text.upper() == "REPLACE" for token in tokens[:3]):
        return None
    behind = (TokenType.ALIAS, TokenType.L_PAREN)
    start = next((index for index, token in flat(tokens) if token.token_type in behind), 1)
    return tokens[start - 1].text


def _count_calls(tokens: list[Token], names: frozenset[str], defined: frozenset[str]) -> int:
    """Return how many words call a model, or may name a view or a macro that calls one."""
    called = sum(one.text.lower() in names and two.token_type is TokenType.L_PAREN for one, two in pairwise(tokens))
    return called + sum(token.text.lower() in defined for token in tokens)
