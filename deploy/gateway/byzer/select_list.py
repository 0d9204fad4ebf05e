"""Rewrites the select list of Byzer's `/model/predict` to our SQL, and finds the model functions that it calls."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import ParseError, SqlglotError

from ....udf.text2sql.checks.guard import check_sql, checked_statement
from ....udf.text2sql.checks.sql_tree import nodes
from ....workers.errors import RequestError
from ..error_replies import GatewayError

DATA = "data"  # The table that holds the request's `data`.
# The macro that reads an element of Byzer's `array(…)`: a JSON object of `llm_param`'s keys, or a plain text.
REQUEST = "quackllm_byzer_request"
REQUEST_MACRO = f"""
    CREATE TEMP MACRO {REQUEST}(given) AS CASE
        WHEN coalesce(json_type(CASE WHEN json_valid(given::VARCHAR) THEN given::VARCHAR END) = 'OBJECT', false)
        THEN llm_param(given::VARCHAR::JSON::MAP(VARCHAR, VARCHAR))
        ELSE llm_param(MAP {{'instruction': given::VARCHAR}})
    END
"""
MAKE_REQUESTS = ("llm_param", "llm_stack")
BY_NAME = ("llm_chat", "llm_embed")  # Functions whose first argument names the model.
PLAIN = (*MAKE_REQUESTS, "llm_result")
ALIASES = {"llm_response_predict": "llm_result"}
CONTAINERS = ("list_value", "struct_pack", "map", "row")
FEW_COLUMNS, FEW_NODES = 16, 500  # A select list of 20,000 constants takes minutes to plan.
HINT = "write e.g. select qianwen_chat(array(feature)) as value"


@dataclass(frozen=True)
class Rewriting:
    """What a select list may call.

    Args:
        models: the names of the models that may be called; each is also a function.
        others: the names of the models that may not be called.
    """

    models: Collection[str]
    others: Collection[str]

    def rewritten(self, text: str) -> str:
        """Return the SELECT over the table `data` for a select list.

        `model(array(a, b))` becomes a list with one answer for each element; Byzer calls both and returns the first.

        Raises:
            RequestError: it is no select list.
            GatewayError: it calls a model that may not be called.
            GuardError: it uses more than the data and the models.
        """
        tree = _select(text)
        calls = list(tree.find_all(exp.Anonymous))
        for call in reversed(calls):  # Inner calls first.
            self._check(call)
            if call.name in self.models and not _is_item(call, tree):
                call.set("expressions", [_request(_only(call))])
        tree.set("expressions", [self._item(item) for item in tree.expressions])
        sql = tree.from_(DATA).sql(dialect="duckdb", comments=False, normalize_functions=False)
        return check_sql(sql, functions={*self.models, *PLAIN, *BY_NAME, REQUEST})

    def _check(self, call: exp.Anonymous) -> None:
        name = ALIASES.get(call.name.lower(), call.name.lower())
        call.set("this", name)
        if name in BY_NAME:
            named = call.expressions[0] if len(call.expressions) == 2 else None
            if not (isinstance(named, exp.Literal) and named.is_string) or isinstance(call.parent, exp.Dot):
                raise RequestError(f"{name} takes a model's name and a request here", hint=f"write {name}('model', …)")
            self._refuse_others(named.name, named.name not in self.models)
        elif (name.startswith("llm_") and name not in PLAIN) or name.startswith("quackllm"):
            raise RequestError(f"{name} cannot be called here", hint=HINT)
        self._refuse_others(name, name in self.others)

    def _refuse_others(self, name: str, refused: bool) -> None:
        if refused:
            message = f"the model {name} is not deployed, or this key may not call it"
            raise GatewayError(403, message, code="model_not_allowed")

    def _item(self, item: exp.Expr) -> exp.Expr:
        """Return a column: a model's call as the list of its requests with their answers."""
        call = item.unalias()
        if not (isinstance(call, exp.Anonymous) and call.name in self.models):
            return item
        answers = [
            exp.Struct(
                expressions=[
                    exp.PropertyEQ(this=exp.to_identifier("request"), expression=_request(given)),
                    exp.PropertyEQ(
                        this=exp.to_identifier("response"),
                        expression=exp.Anonymous(this=call.name, expressions=[_request(given)]),
                    ),
                ]
            )
            for given in _argument(call)
        ]
        return exp.alias_(exp.Array(expressions=answers), item.alias_or_name or "value", quoted=True)


def computes_little(sql: str, models: Collection[str]) -> bool:
    """Whether a rewritten SELECT only calls models and shows columns, each a few times at most."""
    _, tree = checked_statement(sql, functions={*models, *PLAIN, *BY_NAME, REQUEST})
    found = [node for node, _ in nodes(tree)]
    calls = {node["function_name"].lower() for node in found if node.get("function_name")}
    columns = sum(node.get("class") == "COLUMN_REF" for node in found)
    return (
        len(found) <= FEW_NODES
        and columns <= FEW_COLUMNS
        and calls <= {*models, *PLAIN, *BY_NAME, REQUEST, *CONTAINERS}
    )


def models_called(sql: str, models: Collection[str]) -> list[str]:
    """Return the model of each call that a rewritten SELECT makes per row.

    Args:
        sql: what `Rewriting.rewritten` returned.
        models: the names of the models that it may call.

    Raises:
        RequestError: it cannot be read.
    """
    try:
        calls = sqlglot.parse_one(sql, read="duckdb").find_all(exp.Anonymous)
    except SqlglotError as error:
        raise RequestError(f"`sql` cannot be read: {error}", hint=HINT) from error
    named = [call.expressions[0].name if call.name in BY_NAME else call.name for call in calls]
    return [name for name in named if name in models]


def _is_item(call: exp.Anonymous, tree: exp.Select) -> bool:
    return any(call is item.unalias() for item in tree.expressions)


def _select(text: str) -> exp.Select:
    text = text.strip().rstrip("; \n")
    if not text.lower().startswith(("select", "with")):
        text = f"select {text}"
    complaint = ""
    for dialect in ("spark", "duckdb"):  # The seeds' SQL is Spark's: "text" in double quotes, map("k", "v").
        try:
            tree = sqlglot.parse_one(text, read=dialect)
        except (SqlglotError, RecursionError) as error:
            message = error.errors[0]["description"] if isinstance(error, ParseError) and error.errors else str(error)
            complaint = complaint or str(message)
            continue
        if not isinstance(tree, exp.Select) or tree.args.get("from_") or not tree.expressions:
            raise RequestError("`sql` is a select list over `data`, without FROM", hint=HINT)
        return tree
    raise RequestError(f"`sql` cannot be read: {complaint}", hint=HINT)


def _argument(call: exp.Anonymous) -> list[exp.Expr]:
    """Return the prompts of a call, one by one."""
    arguments = call.expressions
    if len(arguments) == 1 and isinstance(arguments[0], exp.Array):
        return list(arguments[0].expressions)
    if len(arguments) != 1:
        raise RequestError(f"{call.name} takes one argument", hint=HINT)
    return [arguments[0]]


def _only(call: exp.Anonymous) -> exp.Expr:
    given = _argument(call)
    if len(given) != 1:
        raise RequestError(f"{call.name} takes one element where its answer is used further", hint=HINT)
    return given[0]


def _request(given: exp.Expr) -> exp.Expr:
    """Return an argument as a request; an expression that already returns a request is not changed."""
    if isinstance(given, exp.Anonymous) and given.name in (*MAKE_REQUESTS, REQUEST):
        return given.copy()
    return exp.Anonymous(this=REQUEST, expressions=[given.copy()])
