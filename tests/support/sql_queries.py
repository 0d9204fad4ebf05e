"""Random queries: joins, subqueries, groups, windows, set operations and CTEs around the random expressions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from support.sql_expressions import Column, Expressions, Scope

Columns = list[tuple[str, str]]
"""The names and kinds of what a relation gives."""

BASES: dict[str, Columns] = {
    "people": [("id", "int"), ("name", "text"), ("city", "text"), ("born", "date"), ("team", "int"), ("code", "text")],
    "orders": [("id", "int"), ("person_id", "int"), ("item", "text"), ("amount", "int"), ("placed", "date")],
    "rooms": [("team", "int"), ("room", "text")],
    "drafts": [("id", "int"), ("body", "text")],
    "adults": [("id", "int"), ("name", "text"), ("born", "date")],
    "judged": [("id", "int"), ("name", "text"), ("ok", "text")],
    "asked": [("id", "int"), ("item", "text"), ("reply", "answer")],
    "events": [("id", "int"), ("kind", "text"), ("body", "text")],
    "of_team(2)": [("id", "int"), ("name", "text"), ("city", "text")],
}
WEIGHTS = {"people": 6, "orders": 4, "rooms": 2, "drafts": 1, "adults": 1, "judged": 1.5, "asked": 1, "events": 0.25}
KINDS = ("text", "text", "text", "int", "int", "flag", "answer")
PLAIN = ("text", "text", "int", "flag")
SETS = ("UNION ALL", "UNION", "INTERSECT", "EXCEPT", "UNION ALL BY NAME", "EXCEPT ALL")


@dataclass(frozen=True)
class Query:
    """A query, what it gives, the same one without its outermost LIMIT, and whether its order is total."""

    sql: str
    columns: Columns
    unlimited: str | None = None
    ordered: bool = False


class Queries(Expressions):
    """Writes queries."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._shared: list[tuple[str, Columns]] = []

    def top(self, kinds: Sequence[str] | None = None) -> Query:
        """Write a query that names a model call somewhere, with or without an order and a limit."""
        while True:
            self.volatile = False
            body = self.query(self.pick((1, 2, 2, 3)), kinds=kinds)
            if any(word in body.sql for word in ("orc", "elf", "llm_", "liked", "judged", "asked", "of_team")):
                return self._ended(body)

    def _ended(self, body: Query) -> Query:
        if self.chance(0.45):
            return body
        order, ordered = self.pick(
            (("", False), (" ORDER BY ALL", True), (" ORDER BY 1", False), (" ORDER BY 1 DESC NULLS LAST", False))
        )
        limit = self.pick(("", " LIMIT 3", " LIMIT 7", " LIMIT 5 OFFSET 2", " LIMIT 20", " LIMIT 20%", " OFFSET 3"))
        if limit.endswith("%"):
            order, ordered = " ORDER BY ALL", True
        return Query(body.sql + order + limit, body.columns, body.sql if limit else None, ordered)

    def query(self, depth: int, outer: Scope = (), kinds: Sequence[str] | None = None) -> Query:
        if depth <= 0:
            return self.select(0, outer, kinds)
        writers: list[tuple[float, Callable[[], Query]]] = [
            (7, lambda: self.select(depth, outer, kinds)),
            (1, lambda: self.set_operation(depth - 1, outer, kinds)),
            (1.5, lambda: self.with_shared(depth, outer, kinds)),
        ]
        if kinds is None and not outer:
            writers.append((0.9, lambda: self.starred(depth)))
        weights = [weight for weight, _ in writers]
        return self.random.choices([write for _, write in writers], weights)[0]()

    def set_operation(self, depth: int, outer: Scope, kinds: Sequence[str] | None) -> Query:
        kinds = kinds or [self.pick(PLAIN) for _ in range(self.pick((1, 2)))]
        left, right = self.query(depth, outer, kinds), self.query(depth, outer, kinds)
        word = self.pick(SETS)
        if "BY NAME" in word:  # The same names on both sides.
            names = ", ".join(name for name, _ in left.columns)
            right = Query(f"SELECT * FROM ({right.sql}) renamed({names})", left.columns)
        return Query(f"({left.sql}) {word} ({right.sql})", left.columns)

    def with_shared(self, depth: int, outer: Scope, kinds: Sequence[str] | None) -> Query:
        """Write a query over a CTE, which may be named twice, or recurse."""
        name, known = self.name("w"), list(self._shared)
        if self.chance(0.2):
            step = f"llm_result(orc('say: ' || b)), a + 1 FROM {name} WHERE a < 3"
            where = f"{self.judged([Column('b', 'text')], 0)}" if self.chance(0.5) else "true"
            rows = f"SELECT {self.literal()} AS b, 0 AS a UNION ALL SELECT {step} AND {where}"
            body = Query(rows, [("b", "text"), ("a", "int")])
            head = f"WITH RECURSIVE {name}(b, a) AS ({rows})"
        else:
            body = self.query(depth - 1)
            head = f"WITH {name} AS {self.pick(('', '', 'MATERIALIZED ', 'NOT MATERIALIZED '))}({body.sql})"
        self._shared = [*known, (name, body.columns), (name, body.columns), (name, body.columns)]
        rest = self.select(depth - 1, outer, kinds)
        self._shared = known
        return Query(f"{head} {rest.sql}", rest.columns)

    # Where rows come from

    def relation(self, depth: int, outer: Scope) -> tuple[str, list[Column]]:
        """Write something that can stand in FROM, under a name of its own."""
        alias = self.name("t")
        if depth > 0 and self.chance(0.3):
            query = self._inner(depth - 1, outer)
            return f"({query.sql}) AS {alias}", _named(alias, query.columns)
        if self._shared and self.chance(0.6):
            name, columns = self.pick(self._shared)
            return f"{name} AS {alias}", _named(alias, columns)
        if self.chance(0.12):
            return self._made_up(alias)
        (base,) = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))
        return f"{base} AS {alias}", _named(alias, BASES[base])

    def _inner(self, depth: int, outer: Scope) -> Query:
        query = self.query(depth, outer)
        if self.chance(0.2):
            order = self.pick((" ORDER BY ALL", " ORDER BY ALL", ""))
            return Query(f"{query.sql}{order} LIMIT {self.pick((2, 6, 15))}", query.columns)
        return query

    def _made_up(self, alias: str) -> tuple[str, list[Column]]:
        return self.pick((
            (f"(VALUES (1, 'red'), (2, NULL), (3, '北京')) AS {alias}(a, b)",
             _named(alias, [("a", "int"), ("b", "text")])),
            (f"range(6) AS {alias}(a)", _named(alias, [("a", "int")])),
            (f"unnest(['x', 'y', NULL, 'red']) AS {alias}(b)", _named(alias, [("b", "text")])),
            (f"of_team(2) AS {alias}", _named(alias, BASES["of_team(2)"])),
        ))  # fmt: skip

    def sources(self, depth: int, outer: Scope) -> tuple[str, list[Column]]:
        """Write a FROM clause of one relation or several joined."""
        sql, scope = self.relation(depth, outer)
        for _ in range(self.pick((0, 0, 0, 1, 1, 2) if depth > 0 else (0, 0, 0, 1))):
            sql, scope = self.joined(sql, scope, depth, outer)
        return sql, scope

    def joined(self, left: str, scope: list[Column], depth: int, outer: Scope) -> tuple[str, list[Column]]:
        right, more = self.relation(depth - 1, outer)
        both = [*scope, *more]
        keys = [(a.sql, b.sql) for a in scope for b in more if a.kind == b.kind == "int"]
        if not keys or self.chance(0.15):
            return self._loosely_joined(left, right, scope, more, depth)
        on = "{} = {}".format(*self.pick(keys))
        if self.chance(0.4):
            on += f" AND {self.flag(both, depth)}"
        kind = self.pick(
            ("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN")
        )
        shown = scope if kind in ("SEMI JOIN", "ANTI JOIN") else both
        return f"{left} {kind} {right} ON {on}", shown

    def _loosely_joined(
        self, left: str, right: str, scope: list[Column], more: list[Column], depth: int
    ) -> tuple[str, list[Column]]:
        both, alias = [*scope, *more], self.name("t")
        shape = self.pick(("comma", "cross", "lateral", "asof", "using", "natural"))
        if shape == "lateral":
            query = self.select(max(depth - 1, 0), scope, correlated=True)
            return f"{left}, LATERAL ({query.sql}) AS {alias}", [*scope, *_named(alias, query.columns)]
        if shape == "asof":
            one = self.name("t")
            on = f"{one}.team = {alias}.person_id AND {one}.born >= {alias}.placed"
            joined = f"people AS {one} ASOF LEFT JOIN orders AS {alias} ON {on}"
            return joined, [*_named(one, BASES["people"]), *_named(alias, BASES["orders"])]
        if shape in ("using", "natural"):
            one, word = self.name("t"), "JOIN" if shape == "using" else "NATURAL JOIN"
            using = " USING (team)" if shape == "using" else ""
            shown = [*_named(one, BASES["people"]), Column(f"{alias}.room", "text"), Column("team", "int")]
            return f"people AS {one} {word} rooms AS {alias}{using}", shown
        limited = f"(FROM {right} LIMIT 5)" if right.split()[0] in BASES else right
        limited += f" AS {right.split()[-1].split('(')[0]}" if limited != right else ""
        return f"{left}{', ' if shape == 'comma' else ' CROSS JOIN '}{limited}", both

    # SELECT

    def select(
        self, depth: int, outer: Scope = (), kinds: Sequence[str] | None = None, correlated: bool = False
    ) -> Query:
        free, kinds = kinds is None, kinds or [self.pick(KINDS) for _ in range(self.pick((1, 2, 2, 3)))]
        source, inside = self.sources(depth, outer)
        scope = [*inside, *(outer if correlated or self.chance(0.3) else ())]
        where = f" WHERE {self.flag(scope, depth + 1)}" if self.chance(0.7) else ""
        shape = self.pick(("plain", "plain", "plain", "plain", "grouped", "distinct", "window"))
        if shape == "grouped" and "answer" not in kinds:
            return self.grouped(kinds, scope, source, where, depth)
        columns = [(self.name("c"), kind) for kind in kinds]
        items = [f"{self.expression(kind, scope, depth)} AS {name}" for name, kind in columns]
        if shape == "window" and free:
            return self.windowed(columns, items, inside, source, where, depth)
        distinct = ""
        if shape == "distinct" and "answer" not in kinds:
            on = self.column("text", inside) or "length('')"
            asked = self.said("cls", inside, depth)
            distinct = self.pick(("DISTINCT ", f"DISTINCT ON ({on}) ", f"DISTINCT ON ({asked}) "))
        if not distinct and self.chance(0.1):
            return Query(f"FROM {source} SELECT {', '.join(items)}{where}", columns)
        return Query(f"SELECT {distinct}{', '.join(items)} FROM {source}{where}", columns)

    def grouped(self, kinds: Sequence[str], scope: Scope, source: str, where: str, depth: int) -> Query:
        """Write a query whose first columns are keys and the others aggregates."""
        keys = max(1, len(kinds) - 1)
        columns = [(self.name("c"), kind) for kind in kinds]
        values = [self.expression(kind, scope, depth) for kind in kinds[:keys]]
        values += [self.aggregate(kind, scope, depth) for kind in kinds[keys:]]
        items = ", ".join(f"{value} AS {name}" for value, (name, _) in zip(values, columns, strict=True))
        numbers = ", ".join(str(place + 1) for place in range(keys))
        group = self.pick((numbers, numbers, "ALL", f"ROLLUP ({', '.join(values[:keys])})"))
        having = f" HAVING {self._having(scope, depth, values[0], kinds[0])}" if self.chance(0.4) else ""
        return Query(f"SELECT {items} FROM {source}{where} GROUP BY {group}{having}", columns)

    def _having(self, scope: Scope, depth: int, key: str, kind: str) -> str:
        native = f"count(*) > {self.pick((0, 1, 3))}"
        group = Column(key if kind == "text" else f"max({self.text(scope, 0)})", "text")
        asked = self.judged([group], 0)
        return self.pick((native, asked, f"{native} AND {asked}", f"{native} OR {asked}"))

    def aggregate(self, kind: str, scope: Scope, depth: int) -> str:
        kept = f" FILTER (WHERE {self.flag(scope, depth)})" if self.chance(0.25) else ""
        text, number = self.text(scope, depth), self.integer(scope, depth)
        if kind == "text":
            asked = f"llm_result(orc('say: ' || string_agg({text}, ',' ORDER BY {text})))"
            return self.pick((f"max({text}){kept}", f"string_agg({text}, ',' ORDER BY {text}){kept}", asked))
        if kind == "flag":
            return f"bool_or({self.flag(scope, depth)}){kept}"
        counted = self.pick(("count(*)", f"sum({number})", f"count(DISTINCT {text})", f"max({number})"))
        return f"CAST({counted}{kept} AS BIGINT)"

    def windowed(self, columns: Columns, items: list[str], scope: Scope, source: str, where: str, depth: int) -> Query:
        """Add a window, over which the rows may be chosen, or a model asked."""
        part = f"PARTITION BY {self.text(scope, depth)} " if self.chance(0.6) else ""
        over = f"OVER ({part}ORDER BY {self.integer(scope, 0)}, {self.plain_text(scope)})"
        lag = f"lag({self.plain_text(scope)}) {over}"
        name = self.name("c")
        extra = self.pick((
            (f"count(*) {over}", "int"), (lag, "text"), (f"llm_result(orc('cls: ' || {lag}))", "text"),
            (f"rank() {over}", "int"),
        ))  # fmt: skip
        qualify = self.pick(("", f" QUALIFY rank() {over} <= 2", f" QUALIFY {name} IS NOT NULL"))
        if self.chance(0.2):
            qualify = f" QUALIFY rank() {over} <= 3 AND {self.judged(scope, 0)}"
        columns, items = [*columns, (name, extra[1])], [*items, f"{extra[0]} AS {name}"]
        return Query(f"SELECT {', '.join(items)} FROM {source}{where}{qualify}", columns)

    def starred(self, depth: int) -> Query:
        """Write a query whose columns are a star's."""
        base = self.pick(("people", "orders", "judged", "drafts"))
        columns = BASES[base]
        scope = [Column(name, kind) for name, kind in columns]
        text = self.pick([name for name, kind in columns if kind == "text"])
        changed = self.text(scope, depth)
        shape = self.pick(("*", f"* EXCLUDE ({text})", f"* REPLACE ({changed} AS {text})", f"*, {changed} AS more"))
        if "EXCLUDE" in shape:
            columns = [column for column in columns if column[0] != text]
        if "more" in shape:
            columns = [*columns, ("more", "text")]
        where = f" WHERE {self.flag(scope, depth + 1)}"
        start = f"SELECT {shape} FROM {base}" if self.chance(0.7) else f"FROM {base} SELECT {shape}"
        return Query(start + where, columns)


def _named(alias: str, columns: Columns) -> list[Column]:
    return [Column(f"{alias}.{name}", kind) for name, kind in columns]
