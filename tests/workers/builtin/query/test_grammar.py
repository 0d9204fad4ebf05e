from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quackllm.workers.builtin.query.grammar import (
    COLUMN,
    GRAMMAR,
    KEYWORD,
    KEYWORD_NUMBERS,
    KEYWORDS,
    START_STACK,
    TABLE,
    VALUE,
    WORD,
    Symbol,
    is_valid,
    keyword,
    push,
)
from quackllm.workers.builtin.query.linearize import Linearizer, NotExpressibleError, parse_symbols
from quackllm.workers.builtin.query.query_tree import LiteralValue, Query, Term
from quackllm.workers.builtin.text.tokens import read_words

pytest_plugins = ["support.builtin_shop"]

VALUES = [LiteralValue("1974", number=True), LiteralValue("Paris"), LiteralValue("3", number=True)]
KINDS = {"C": COLUMN, "T": TABLE, "V": VALUE, "W": WORD}
WORDS = read_words("old harbour street")


def walk(seed: int) -> list[Symbol]:
    """A random whole sequence of the grammar; it prefers to end once it is long."""
    chance = random.Random(seed)
    stack, symbols = START_STACK, []
    while stack:
        rules = GRAMMAR[stack[-1]]
        keys = sorted(key for key in rules if key != "DECLINE")
        short = [key for key in keys if not any(part.startswith("START") for part in rules[key])]
        choice = "END" if "END" in rules and len(symbols) > 12 else chance.choice(short if len(symbols) > 12 else keys)
        first = symbols[-1][1] if stack[-1] == "LAST_WORD" else 0
        symbol = (KINDS[choice], chance.randrange(first, 3)) if choice in KINDS else keyword(choice)
        symbols.append(symbol)
        stack = push(stack, symbol)
    return symbols


@given(st.integers(0, 10**9))
@settings(max_examples=300)
def test_every_whole_sequence_reads_as_a_query_and_is_written_back(seed: int) -> None:
    symbols = walk(seed)
    query = parse_symbols(symbols, VALUES, WORDS)
    written = Linearizer([(value.text,) for value in VALUES], WORDS).query(query)
    # LIMIT with the value 1 has a keyword of its own, so compare what they mean.
    assert parse_symbols(written, VALUES, WORDS) == query
    assert is_valid(written)


def test_every_keyword_is_used_and_every_state_reached() -> None:
    used = {key for rules in GRAMMAR.values() for key in rules}
    assert used == set(KEYWORDS) | set(KINDS)
    reached = {state for rules in GRAMMAR.values() for states in rules.values() for state in states}
    assert reached | {"ROOT"} == set(GRAMMAR)


def test_half_a_query_is_not_legal() -> None:
    assert not is_valid([keyword("COUNT")])
    assert not is_valid([keyword("COUNT"), (TABLE, 0), keyword("END"), keyword("END")])
    assert is_valid([keyword("COUNT"), (TABLE, 0), keyword("END")])
    assert is_valid([keyword("DECLINE")])


def test_a_value_that_is_no_candidate_cannot_be_said() -> None:
    query = Query((Term(0),), limit=LiteralValue("7", number=True))
    with pytest.raises(NotExpressibleError):
        Linearizer([("Paris",)]).query(query)


def test_keywords_have_stable_numbers() -> None:
    # Weights are trained for these numbers: a new keyword wants new weights.
    assert len(KEYWORDS) == len(KEYWORD_NUMBERS) == 51
    assert KEYWORDS[:3] == ("DECLINE", "DISTINCT", "STAR")
    assert KEYWORD == 0
