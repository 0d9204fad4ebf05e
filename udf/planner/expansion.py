"""Expansion: the user's own views and macros that call models, put into the tree of a statement that names them.

DuckDB does the same when it binds the statement, so the two plans must be equal; if they are not, the statement is
planned as it was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import duckdb
from sqlglot import TokenType

from ..session.definitions import Definitions, Macro
from .parse_statement import ModelQuery
from .row_query import flat, statement_text, tokenize
from .runner import Runner
from .statement_tree import Node, copy_tree, is_function, nodes_named, parse_tree, tree_sql, walk


def expand(reading: ModelQuery, runner: Runner, definitions: Definitions) -> ModelQuery:
    """Return the statement with its views and macros put in; the one given if it names none, or DuckDB reads another.

    Args:
        reading: the statement.
        runner: where it runs.
        definitions: the connection's.
    """
    if not reading.named_definitions():
        return reading
    expanded = replace(reading, tree=_Expansion(runner.binder, definitions, reading.defined).of(reading.tree))
    if expanded.tree == reading.tree:
        return reading
    plan = runner.plan(tree_sql(runner.binder, expanded.tree))
    if plan is None or plan != runner.plan(reading.text):
        return reading
    for source in [node for node in walk(expanded.tree) if node.get("type") == "SUBQUERY" and "class" not in node]:
        _name_columns(source)
    return replace(expanded, text=tree_sql(runner.binder, expanded.tree))


class _Expansion:
    """Puts the views and macros that call models into trees."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, definitions: Definitions, calling: frozenset[str]
    ) -> None:
        self._connection, self._definitions, self._calling = connection, definitions, calling

    def of(self, tree: Node) -> Node:
        """Return a tree in which none of them is named any more, as far as they can be put in."""
        expanded = self._once(tree)
        return tree if expanded == tree else self.of(expanded)

    def _once(self, tree: Node) -> Node:
        tree = copy_tree(tree)
        named = {id(node) for node in nodes_named(tree, self._calling)}
        for node in walk(tree):
            if node.get("type") == "TABLE_FUNCTION" and id(node["function"]) in named:
                call = node["function"]
                self._put(node, self._macro(call, is_table=True), call["function_name"])
            elif id(node) in named and not is_function(node):
                self._put(node, *self._view(node["table_name"]))
            elif id(node) in named and (body := self._macro(node, is_table=False)):
                body["alias"] = node["alias"]
                node.clear()
                node.update(body)
        return tree

    def _put(self, source: Node, query: Node | None, name: str, columns: Sequence[str] = ()) -> None:
        """Put a query in the place of a table, under the names by which the rest of the statement knows its columns."""
        if query is not None and not source["sample"]:
            named = source["column_name_alias"]
            names = {"alias": source["alias"] or name, "column_name_alias": [*named, *columns[len(named) :]]}
            source.clear()
            source.update({**names, "type": "SUBQUERY", "sample": None})
            source["subquery"] = {"node": query, "named_param_map": []}

    def _view(self, name: str) -> tuple[Node | None, str, list[str]]:
        """Return the query of a view, its name, and the columns that CREATE VIEW names."""
        sql = self._definitions.views.get(name.lower(), "")
        tokens = tokenize(sql)
        start = next((index for index, token in flat(tokens) if token.token_type is TokenType.ALIAS), len(tokens))
        query = parse_tree(self._connection, statement_text(sql, tokens[start + 1 :]) or "")
        return query, name, _names_in_brackets(tokens[:start])

    def _macro(self, call: Node, *, is_table: bool) -> Node | None:
        """Return what a call of a macro stands for; None if it is none, or leaves out what has a default."""
        name = call["function_name"].lower()
        if name not in self._calling or call["filter"] or call["distinct"] or call["order_bys"]["orders"]:
            return None
        for macro in self._definitions.macros.get(name, ()):
            given = _given(macro, call["arguments"])
            if macro.is_table == is_table and given is not None:
                tree = parse_tree(self._connection, macro.sql if is_table else f"SELECT {macro.sql}")
                body = tree if tree is None or is_table else tree["select_list"][0]
                return None if body is None else _substituted(body, given)
        return None


def _name_columns(source: Node) -> None:
    """Let a subquery itself give its columns the names of `(SELECT …) AS t(a, b)`: then predicates can go into it."""
    query, names = source["subquery"]["node"], source["column_name_alias"]
    shown = query["select_list"] if query["type"] == "SELECT_NODE" else []
    if names and len(shown) == len(names) and not any(item["class"] == "STAR" for item in shown):
        for item, name in zip(shown, names, strict=True):
            item["alias"] = name
        source["column_name_alias"] = []


def _names_in_brackets(tokens: Any) -> list[str]:
    """Return the columns that CREATE VIEW names."""
    start = next((index for index, token in enumerate(tokens) if token.token_type is TokenType.L_PAREN), len(tokens))
    inside = (TokenType.COMMA, TokenType.R_PAREN)
    return [token.text for token in tokens[start + 1 :] if token.token_type not in inside]


def _given(macro: Macro, arguments: list[Node]) -> dict[str, Node] | None:
    """Return the arguments by the macro's parameters; None if they are not all given."""
    plain = [each["expression"] for each in arguments if not each["name"]]
    named = {each["name"].lower(): each["expression"] for each in arguments if each["name"]}
    given = dict(zip(macro.parameters, plain, strict=False)) | named
    is_whole = len(plain) + len(named) == len(macro.parameters) and given.keys() == set(macro.parameters)
    return given if is_whole else None


def _substituted(part: Any, given: dict[str, Node]) -> Any:
    """Return a copy of a macro's body with arguments in place of parameters."""
    if isinstance(part, list):
        return [_substituted(each, given) for each in part]
    if not isinstance(part, dict):
        return part
    if part.get("class") == "COLUMN_REF" and len(part["column_names"]) == 1:
        argument = given.get(part["column_names"][0].lower())
        return copy_tree({**argument, "alias": part["alias"]}) if argument else copy_tree(part)
    return {key: _substituted(value, given) for key, value in part.items()}
