"""The grammar of a query as a sequence of symbols: which symbol may follow which, for training and for decoding.

A symbol is (kind, number): a keyword, or a pointer to a column, table, value or word. A value is one of the candidates,
or the run of the question's words between two pointers. The automaton has
a stack of states; the state on top says which keywords and kinds are legal, and each symbol replaces
it by the states of one rule (an LL(1) grammar).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

KEYWORD, COLUMN, TABLE, VALUE, WORD = range(5)  # The types of symbols.

Symbol: TypeAlias = tuple[int, int]

AGGREGATES = ("COUNT", "SUM", "AVG", "MIN", "MAX")
SET_OPERATORS = ("INTERSECT", "UNION", "EXCEPT")
COMPARISONS = ("=", "!=", "<", ">", "<=", ">=")
PATTERNS = ("CONTAINS", "STARTS", "ENDS", "LACKS")
ARITHMETIC = {"PLUS": "+", "MINUS": "-", "TIMES": "*", "OVER": "/", "PERCENT_OF": "%"}
SHARES = ("SHARE", "PERCENT")
KEYWORDS: tuple[str, ...] = (
    "DECLINE",
    "DISTINCT",
    "STAR",
    *AGGREGATES,
    *SET_OPERATORS,
    *COMPARISONS,
    *PATTERNS,
    "USING",
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "LIMIT_ONE",
    "END",
    "BETWEEN",
    "IN",
    "NOT_IN",
    "IS_NULL",
    "NOT_NULL",
    "QUERY",
    "AND",
    "OR",
    "ASC",
    "DESC",
    "ZERO",
    "ONE",
    *ARITHMETIC,
    *SHARES,
    "ONE_OF",
    "CLOSE",
    "PER",
)
KEYWORD_NUMBERS = {name: number for number, name in enumerate(KEYWORDS)}

Rules: TypeAlias = dict[str, tuple[str, ...]]


def _items(after: str) -> Rules:
    """Return the rules that begin a selected item, with the state that follows it."""
    combined = dict.fromkeys(ARITHMETIC, ("LEFT_SIDE", after)) | dict.fromkeys(SHARES, ("SHARED", after))
    return {"C": (after,), "STAR": ("STAR_TABLE", after), **_aggregated(after), **combined}


def _aggregated(*after: str, argument: str = "AMOUNT") -> Rules:
    return {"COUNT": ("COUNT_ARGUMENT", *after)} | dict.fromkeys(AGGREGATES[1:], (argument, *after))


END: Rules = {"END": ()}
SETS: Rules = dict.fromkeys(SET_OPERATORS, ("START",)) | END
ORDER_PART: Rules = {"ORDER": ("ORDER_ITEM",)} | SETS
GROUP_PART: Rules = {"GROUP": ("GROUP_FIRST",)} | ORDER_PART
WHERE_PART: Rules = {"WHERE": ("PREDICATE", "AFTER_WHERE")} | GROUP_PART
USING_PART: Rules = {"USING": ("USING",)} | WHERE_PART
ORDER_RULES: Rules = {"C": ("DIRECTION", "AFTER_ORDER")} | {
    name: (argument, "DIRECTION", *rest) for name, (argument, *rest) in _aggregated("AFTER_ORDER").items()
}
USING_RULES: Rules = {"T": ("AFTER_USING",), "C": ("AFTER_USING",)}

GRAMMAR: dict[str, Rules] = {
    "ROOT": {"DECLINE": (), "DISTINCT": ("FIRST_ITEM",)} | _items("AFTER_ITEM"),
    "START": {"DISTINCT": ("FIRST_ITEM",)} | _items("AFTER_ITEM"),
    "FIRST_ITEM": _items("AFTER_ITEM"),
    "AFTER_ITEM": _items("AFTER_ITEM") | USING_PART,
    "START_ONE": {"DISTINCT": ("ONLY_ITEM",)} | _items("AFTER_ONE"),
    "ONLY_ITEM": _items("AFTER_ONE"),
    "AFTER_ONE": USING_PART,
    "COUNT_ARGUMENT": {"T": (), "C": (), "DISTINCT": ("ARGUMENT",)},
    "ARGUMENT": {"C": ()},
    "STAR_TABLE": {"T": ()},
    "USING": USING_RULES,
    "AFTER_USING": USING_RULES | WHERE_PART,
    "PREDICATE": {"C": ("OPERATOR",)},
    "AFTER_WHERE": dict.fromkeys(("AND", "OR"), ("PREDICATE", "AFTER_WHERE")) | GROUP_PART,
    "OPERATOR": dict.fromkeys(COMPARISONS, ("OPERAND",))
    | dict.fromkeys(PATTERNS, ("VALUE",))
    | {"BETWEEN": ("VALUE", "VALUE"), "IN": ("START_ONE",), "NOT_IN": ("START_ONE",), "IS_NULL": (), "NOT_NULL": ()}
    | {"ONE_OF": ("VALUE", "MORE_VALUES")},
    "OPERAND": {"V": (), "W": ("LAST_WORD",), "ZERO": (), "ONE": (), "C": (), "QUERY": ("START_ONE",)},
    "VALUE": {"V": (), "W": ("LAST_WORD",)},
    "GROUP_FIRST": {"C": ("AFTER_GROUP",)},
    "AFTER_GROUP": {"C": ("AFTER_GROUP",), "HAVING": ("HAVING_PREDICATE", "AFTER_HAVING")} | ORDER_PART,
    "HAVING_PREDICATE": _aggregated("OPERATOR"),
    "AFTER_HAVING": dict.fromkeys(("AND", "OR"), ("HAVING_PREDICATE", "AFTER_HAVING")) | ORDER_PART,
    "ORDER_ITEM": ORDER_RULES,
    "DIRECTION": {"ASC": (), "DESC": ()},
    "AFTER_ORDER": ORDER_RULES | {"LIMIT": ("VALUE", "AFTER_LIMIT"), "LIMIT_ONE": ("AFTER_LIMIT",)} | SETS,
    "AFTER_LIMIT": {"PER": ("PER_COLUMN",)} | SETS,
    "LAST_WORD": {"W": ()},
    "AMOUNT": {"C": ()} | dict.fromkeys(ARITHMETIC, ("FACTOR", "FACTOR")),
    "FACTOR": {"C": ()},
    "LEFT_SIDE": {"C": ("FACTOR",)} | _aggregated("RIGHT_SIDE", argument="ARGUMENT"),
    "RIGHT_SIDE": _aggregated(argument="ARGUMENT"),
    "SHARED": _aggregated(),
    "MORE_VALUES": {"V": ("MORE_VALUES",), "W": ("LAST_WORD", "MORE_VALUES"), "CLOSE": ()},
    "PER_COLUMN": {"C": ("AFTER_PER",)},
    "AFTER_PER": SETS,
}
STATES = tuple(GRAMMAR)
STATE_NUMBERS = {name: number for number, name in enumerate(STATES)}
KIND_LETTERS = {COLUMN: "C", TABLE: "T", VALUE: "V", WORD: "W"}

Stack: TypeAlias = tuple[str, ...]
START_STACK: Stack = ("ROOT",)


def keyword(name: str) -> Symbol:
    """Return the symbol of a keyword."""
    return (KEYWORD, KEYWORD_NUMBERS[name])


def is_keyword(symbol: Symbol, *names: str) -> bool:
    """Whether a symbol is one of these keywords."""
    return symbol[0] == KEYWORD and KEYWORDS[symbol[1]] in names


def push(stack: Stack, symbol: Symbol) -> Stack:
    """Return the stack after a symbol; empty when the sequence is complete.

    Raises:
        KeyError: the symbol is not legal here.
    """
    key = KEYWORDS[symbol[1]] if symbol[0] == KEYWORD else KIND_LETTERS[symbol[0]]
    return stack[:-1] + GRAMMAR[stack[-1]][key][::-1]


def is_valid(symbols: Sequence[Symbol]) -> bool:
    """Whether a sequence is a complete query, or a decline."""
    stack = START_STACK
    try:
        for symbol in symbols:
            stack = push(stack, symbol)
    except (KeyError, IndexError):
        return False
    return not stack


def state_index(stack: Stack) -> int:
    """Return the number of the state on top of a stack that is not empty."""
    return STATE_NUMBERS[stack[-1]]


def legal_table() -> list[list[bool]]:
    """Return for each state which keywords, then which of column, table, value and word are legal."""
    keys = [*KEYWORDS, *KIND_LETTERS.values()]
    return [[key in GRAMMAR[state] for key in keys] for state in STATES]
