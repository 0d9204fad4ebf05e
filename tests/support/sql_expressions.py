"""Random expressions over the columns in scope, native and with model calls in them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Choice = TypeVar("Choice")
WORDS = ("red", "", "O''Brien", "北京", "42", "x y", "FAIL now", "CUT it", "%a_", "yes")


@dataclass(frozen=True)
class Column:
    """A column as an expression may name it; kind is int, text, date, answer, flag or vector."""

    sql: str
    kind: str


Scope = Sequence[Column]


class Expressions:
    """Writes expressions; the same seed writes the same ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._numbers = itertools.count(1)
        self.volatile = False

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def pick(self, choices: Sequence[Choice]) -> Choice:
        return self.random.choice(choices)

    def name(self, letter: str) -> str:
        return f"{letter}{next(self._numbers)}"

    def draw(self, *weighted: tuple[float, Callable[[], str]]) -> str:
        """Write with one of the functions, chosen by weight."""
        weights = [weight for weight, _ in weighted]
        return self.random.choices([write for _, write in weighted], weights)[0]()

    def expression(self, kind: str, scope: Scope, depth: int) -> str:
        writers = {"int": self.integer, "text": self.text, "flag": self.flag, "answer": self.answer}
        if kind == "vector":
            return f"llm_embed('orc', {self.text(scope, depth - 1)})"
        if kind == "date":
            return self.column("date", scope) or "DATE '2020-02-29'"
        return writers[kind](scope, depth)

    def column(self, kind: str, scope: Scope) -> str | None:
        names = [column.sql for column in scope if column.kind == kind]
        return self.pick(names) if names else None

    def literal(self) -> str:
        return "NULL::VARCHAR" if self.chance(0.08) else f"'{self.pick(WORDS)}'"

    # Texts

    def plain_text(self, scope: Scope) -> str:
        return (self.chance(0.85) and self.column("text", scope)) or self.literal()

    def text(self, scope: Scope, depth: int) -> str:
        if depth <= 0:
            return self.plain_text(scope)
        inner = depth - 1
        return self.draw(
            (4, lambda: self.plain_text(scope)),
            (4, lambda: self.said(self.pick(("cls", "say", "yn", "num")), scope, inner)),
            (1, lambda: self._changed(scope, inner)),
            (1, lambda: f"coalesce({self.text(scope, inner)}, {self.text(scope, inner)})"),
            (1, lambda: f"CASE WHEN {self.flag(scope, inner)} THEN {self.text(scope, inner)} ELSE "
                        f"{self.text(scope, inner)} END"),
            (0.7, lambda: f"CAST({self.integer(scope, inner)} AS VARCHAR)"),
            (0.5, lambda: f"if({self.flag(scope, inner)}, {self.text(scope, inner)}, {self.text(scope, inner)})"),
            (0.5, lambda: f"(SELECT max({self.text([Column('r.room', 'text')], inner)}) FROM rooms r "
                          f"WHERE r.team = {self.integer(scope, 0)})"),
            (0.5, lambda: f"({self.answer(scope, inner)}).{self.pick(('output', 'finish_reason', 'error.code'))}"),
            (0.3, lambda: f"list_transform([{self.text(scope, 0)}, 'z'], lambda x: {self._of_element()})[1]"),
            (0.3, lambda: f"array_to_string([{self._of_element()} FOR x IN ['a', {self.text(scope, 0)}]], '+')"),
            (0.2, lambda: f"text2sql({self.text(scope, 0)}, schema := 'CREATE TABLE singer (id INT)', model := 'orc')"),
        )  # fmt: skip

    def _of_element(self) -> str:
        return "llm_result(orc('cls: ' || x))" if self.chance(0.7) else "x || '!'"

    def _changed(self, scope: Scope, depth: int) -> str:
        text = self.text(scope, depth)
        return self.pick((f"upper({text})", f"substr({text}, 1, 2)", f"({text} || '-')", f"trim({text})",
                          f"nullif({text}, 'red')", f"clean({text})", f"replace({text}, 'e', '')",
                          f"string_split({text}, ' ')[1]", f"len({text})::VARCHAR", f"{text}::TEXT"))  # fmt: skip

    # Model calls

    def said(self, kind: str, scope: Scope, depth: int) -> str:
        """Write what a model says to a prompt of that kind."""
        return f"llm_result({self.answer(scope, depth, kind)})"

    def answer(self, scope: Scope, depth: int, kind: str | None = None) -> str:
        known = self.column("answer", scope) if kind is None and self.chance(0.5) else None
        return known or self.pick(("orc({})", "elf({})", "llm_chat('orc', {})", "llm_chat({})", "orc({})")).format(
            self.request(kind or self.pick(("say", "yn", "num", "cls")), scope, depth)
        )

    def request(self, kind: str, scope: Scope, depth: int) -> str:
        prompt = self.prompt(kind, scope, depth)
        if self.chance(0.8):
            return prompt
        return self.draw(
            (3, lambda: f"llm_param({{'instruction': {prompt}, 'temperature': {self.pick((0, 0.5))}}})"),
            (1, lambda: f"llm_param(MAP{{'instruction': {prompt}, 'max_tokens': '5'}})"),
            (1, lambda: f"llm_param({{'instruction': {prompt}, 'system_msg': {self.literal()}, 'draw': 2}})"),
            (2, lambda: f"llm_stack({self.answer(scope, depth - 1)}, {prompt})"),
        )

    def prompt(self, kind: str, scope: Scope, depth: int) -> str:
        text = self.text(scope, depth - 1)
        return self.pick((f"'{kind}: ' || {text}", f"concat('{kind}: ', {text})", f"'{kind}: ' || {text}"))

    # Numbers

    def integer(self, scope: Scope, depth: int) -> str:
        column = self.column("int", scope) or "3"
        if depth <= 0:
            return column if self.chance(0.8) else str(self.pick((0, 1, 2, 5, 40)))
        inner = depth - 1
        return self.draw(
            (4, lambda: column),
            (2, lambda: f"TRY_CAST({self.said('num', scope, inner)} AS INTEGER)"),
            (0.3, lambda: f"CAST({self.said(self.pick(('num', 'num', 'cls')), scope, inner)} AS INTEGER)"),
            (1, lambda: f"length({self.text(scope, inner)})"),
            (1, lambda: f"({self.integer(scope, inner)} {self.pick('+-%')} {self.integer(scope, inner)})"),
            (0.2, lambda: f"CAST({self.plain_text(scope)} AS INTEGER)"),
            (0.5, lambda: f"CASE WHEN {self.flag(scope, inner)} THEN {self.integer(scope, inner)} END"),
            (0.5, lambda: f"(SELECT count(*) FROM rooms r WHERE {self.flag([Column('r.room', 'text')], inner)} "
                          f"AND r.team <= {self.integer(scope, 0)})"),
        )  # fmt: skip

    # Predicates

    def flag(self, scope: Scope, depth: int) -> str:
        if depth <= 0:
            return self.native(scope)
        inner = depth - 1
        return self.draw(
            (3, lambda: self.native(scope)),
            (5, lambda: self.judged(scope, inner)),
            (3, lambda: f"({self.flag(scope, inner)} AND {self.flag(scope, inner)})"),
            (2, lambda: f"({self.flag(scope, inner)} OR {self.flag(scope, inner)})"),
            (1, lambda: f"NOT ({self.flag(scope, inner)})"),
            (0.5, lambda: f"coalesce({self.flag(scope, inner)}, {self.pick(('true', 'false'))})"),
            (0.5, lambda: f"({self.flag(scope, inner)}) IS {self.pick(('NULL', 'NOT NULL', 'TRUE', 'NOT TRUE'))}"),
            (0.4, lambda: f"CASE WHEN {self.flag(scope, inner)} THEN {self.flag(scope, inner)} "
                          f"ELSE {self.flag(scope, inner)} END"),
            (0.8, lambda: self.subquery_flag(scope, inner)),
        )  # fmt: skip

    def native(self, scope: Scope) -> str:
        number, text = self.integer(scope, 0), self.plain_text(scope)
        if self.chance(0.02):
            self.volatile = True
            return "random() >= 0"
        return self.pick((
            f"{number} {self.pick(('<', '>', '=', '<>', '<='))} {self.pick((1, 2, 3, 12, 30))}",
            f"{number} BETWEEN 1 AND {self.pick((2, 10, 25))}", f"{text} IS NOT NULL", f"{text} IS NULL",
            f"{text} LIKE '%e%'", f"{text} NOT IN ('red', 'blue')", f"{text} IN ('Ann', '北京', '42')",
            f"{text} IS DISTINCT FROM 'Ann'", f"{number} % 2 = 0", f"length({text}) > 2",
            f"{self.column('date', scope) or 'current_date'} < DATE '2001-01-01'", f"{text} < 'm'",
            f"{number}::VARCHAR <> '7'", f"len({text}) > 2", f"instr({text}, 'e') > 0", f"{text} ^@ 'A'",
            f"{self.column('date', scope) or 'today()'} > DATE '1995-01-01' - INTERVAL 3 DAY",
            f"date_trunc('year', {self.column('date', scope) or 'now()'}) < TIMESTAMP '2005-01-01'",
            f"list_contains([1, 2, 3, 12], {number})", f"{number} ** 2 < 1_000", f"position('o' IN {text}) > 0",
        ))  # fmt: skip

    def judged(self, scope: Scope, depth: int) -> str:
        """Write a predicate that asks a model."""
        return self.draw(
            (5, lambda: f"{self.said('yn', scope, depth)} = 'yes'"),
            (1, lambda: f"{self.said('yn', scope, depth)} <> 'yes'"),
            (1, lambda: f"{self.said('cls', scope, depth)} IN ('red', {self.text(scope, 0)})"),
            (1, lambda: f"{self.said('cls', scope, depth)} = {self.said('cls', scope, depth)}"),
            (1, lambda: f"TRY_CAST({self.said('num', scope, depth)} AS INTEGER) BETWEEN 2 AND 7"),
            (1, lambda: f"{self.said('say', scope, depth)} LIKE '%a%'"),
            (1, lambda: f"({self.answer(scope, depth)}).error IS NULL"),
            (0.5, lambda: f"({self.answer(scope, depth)}).finish_reason <> 'stop'"),
            (1, lambda: f"liked({self.text(scope, depth - 1)})"),
            (0.5, lambda: f"{self.said('cls', scope, depth)} IS NULL"),
            (0.3, lambda: f"llm_embed('orc', {self.text(scope, 0)})[1] > 12"),
        )

    def subquery_flag(self, scope: Scope, depth: int) -> str:
        inside = [Column("r.room", "text"), Column("r.team", "int")]
        where = f"{self.flag([*inside, *scope] if self.chance(0.4) else inside, depth)}"
        return self.draw(
            (2, lambda: f"EXISTS (FROM rooms r WHERE r.team = {self.integer(scope, 0)} AND {where})"),
            (1, lambda: f"NOT EXISTS (SELECT 1 FROM rooms r WHERE r.team = {self.integer(scope, 0)} AND {where})"),
            (2, lambda: f"{self.integer(scope, 0)} IN (SELECT r.team FROM rooms r WHERE {where})"),
            (1, lambda: f"{self.text(scope, depth)} IN (SELECT {self.text(inside, depth)} FROM rooms r)"),
            (0.5, lambda: f"{self.text(scope, 0)} NOT IN (SELECT r.room FROM rooms r WHERE {where})"),
            (0.5, lambda: f"{self.integer(scope, 0)} > ALL (SELECT r.team FROM rooms r WHERE {where})"),
        )
