"""Cases: a random query in one of the many ways in which a user runs it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from support.sql_expressions import Column
from support.sql_queries import Queries, Query

FILE = Path(gettempdir()) / "quackllm-equivalence"


@dataclass(frozen=True)
class Step:
    """One thing done to a connection: `how` is a method of `two_sides.Side`."""

    sql: str
    how: str = "fetchall"
    parameters: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Case:
    """What one seed makes."""

    seed: int
    steps: tuple[Step, ...]
    store: str = "on"
    ordered: bool = False
    unlimited: str | None = None
    volatile: bool = False
    made: tuple[str, ...] = field(default=())
    """What to drop afterwards."""

    def __str__(self) -> str:
        lines = [f"  {step.how}: {step.sql} {step.parameters or ''}" for step in self.steps]
        return f"seed {self.seed} (store {self.store}):\n" + "\n".join(lines)


class Cases(Queries):
    """Writes cases."""

    def case(self, seed: int) -> Case:
        store = self.pick(("off", "on"))
        weights = {self._read: 50, **dict.fromkeys(self._others(), 3)}
        (write,) = self.random.choices(list(weights), list(weights.values()))
        return replace(write(), seed=seed, store=store, volatile=self.volatile)

    def _others(self) -> tuple[Any, ...]:
        return (
            self._relation, self._made_table, self._inserted, self._copied, self._viewed, self._prepared,
            self._bound, self._conversation, self._script, self._in_transaction, self._explained, self._pivoted,
            self._changed_rows, self._wrong, self._numbered, self._alike, self._sampled, self._fetched_bit_by_bit,
            self._executed_many,
        )  # fmt: skip

    def _steps(self, *steps: Step | str, **more: Any) -> Case:
        return Case(0, tuple(Step(step) if isinstance(step, str) else step for step in steps), **more)

    def _read(self) -> Case:
        query = self.top()
        return self._steps(query.sql, ordered=query.ordered, unlimited=query.unlimited)

    def _relation(self) -> Case:
        query = self.top()
        scope = [Column(name, kind) for name, kind in query.columns]
        how, argument = self.pick((
            ("relation", ""), ("filter", self.flag(scope, 1)), ("limit", "4"), ("project", self.text(scope, 1)),
            ("order", "1"), ("aggregate", f"count(*), max({self.text(scope, 1)})"),
        ))  # fmt: skip
        return self._steps(Step(query.sql, how, (argument,) if argument else ()))

    def _made_table(self) -> Case:
        query = self.top()
        kind = self.pick(("TABLE", "TEMP TABLE", "OR REPLACE TABLE"))
        return self._steps(f"CREATE {kind} made AS {query.sql}", "FROM made", made=("TABLE made",))

    def _inserted(self) -> Case:
        query = self.top(["text"])
        returning = self.pick(("", "", " RETURNING *"))
        return self._steps(
            *("BEGIN", f"INSERT INTO keyed (body) {query.sql}{returning}", "FROM keyed"),
            *(self.pick(("ROLLBACK", "FROM keyed")), "SELECT nextval('numbers') IS NOT NULL"),
        )

    def _copied(self) -> Case:
        query = self.top(["text", self.pick(("int", "text", "flag"))])
        kind = self.pick(("csv", "parquet", "json"))
        path = f"{FILE}.{kind}"
        return self._steps(f"COPY ({query.sql}) TO '{path}'", f"FROM '{path}'")

    def _viewed(self) -> Case:
        kind = self.pick(("VIEW", "TEMP VIEW", "MACRO"))
        query = self.top()
        made = f"CREATE {kind} shown{'() AS TABLE' if kind == 'MACRO' else ' AS'} {query.sql}"
        name, column = ("shown()" if kind == "MACRO" else "shown"), query.columns[0]
        where = self.flag([Column(*column)], 1)
        dropped = "MACRO TABLE shown" if kind == "MACRO" else "VIEW shown"
        return self._steps(made, f"SELECT * FROM {name} WHERE {where}", made=(dropped,))

    def _prepared(self) -> Case:
        flag = self.flag([Column("p.name", "text"), Column("p.city", "text"), Column("p.id", "int")], 2)
        body = f"SELECT p.id, llm_result(orc('say: ' || $1 || p.city)) FROM people p WHERE {flag} AND p.id > $2"
        run = self.pick(("EXECUTE kept('a', 30)", "EXECUTE kept('a', 10); EXECUTE kept('FAIL', 35)"))
        return self._steps(f"PREPARE kept AS {body}", run, "DEALLOCATE kept")

    def _bound(self) -> Case:
        scope = [Column("p.name", "text"), Column("p.city", "text"), Column("p.id", "int"), Column("?", "text")]
        marks = self.pick(("$1", "?"))
        select = f"SELECT p.name, llm_result(orc('cls: ' || {marks} || p.name)) FROM people p"
        number = "$2" if marks == "$1" else "?"
        where = f"WHERE p.id < {number} AND {self.flag(scope[:3], 2)}"
        values = (self.pick(("x", "北京", "FAIL", None)), self.pick((5, 20, None)))
        whole = f"{select} {where} ORDER BY p.id"
        limit = self.pick(("", f" LIMIT {'$3' if marks == '$1' else '?'}"))
        return self._steps(Step(f"{whole}{limit}", "fetchall", (*values, self.pick((1, 4))) if limit else values))

    def _conversation(self) -> Case:
        """A second turn over the answers of a CTE, and what follows from no answer."""
        first = f"SELECT p.id, p.name, orc('say: ' || {self.plain_text([Column('p.name', 'text')])}) AS r FROM people p"
        where = self.flag([Column("p.name", "text"), Column("p.id", "int")], 1)
        second = self.pick((
            "llm_result(orc(llm_stack(a.r, 'cls: and ' || a.id % 3)))",
            "coalesce(llm_result(a.r), llm_result(elf('cls: ' || a.name)))",
            "CASE WHEN llm_result(a.r) LIKE '%a' THEN 'a' ELSE llm_result(elf('cls: ' || a.name)) END",
            "llm_result(elf('cls: ' || len(concat('x', llm_result(a.r)))))",
        ))  # fmt: skip
        return self._steps(f"WITH a AS ({first} WHERE {where}) SELECT a.id, {second} FROM a")

    def _script(self) -> Case:
        one, two = self.top(), self.top()
        return self._steps(
            f"CREATE OR REPLACE TEMP TABLE made AS {one.sql}; SET VARIABLE seen = 3; {two.sql}; "
            f"SELECT count(*) FROM made WHERE liked('x')",
            made=("TABLE made",),
        )

    def _in_transaction(self) -> Case:
        end, how = self.pick(("commit", "rollback")), self.pick(("method", "fetchall"))
        rows = "SELECT 900 + i, i, 'new ' || i % 2, i, NULL FROM range(5) t(i)"
        return self._steps(
            *(Step("begin", how), f"INSERT INTO orders (id, person_id, item, amount, placed) {rows}"),
            *(self.top().sql, self.top().sql, Step(end, how)),
            *("SELECT count(*) FROM orders", "DELETE FROM orders WHERE id >= 900"),
        )

    def _explained(self) -> Case:
        word = self.pick(("EXPLAIN", "EXPLAIN ANALYZE", "SUMMARIZE", "DESCRIBE"))
        how = "count" if "EXPLAIN" in word else "fetchall"
        return self._steps(Step(f"{word} {self.top(['text', 'int']).sql}", how))

    def _pivoted(self) -> Case:
        flag = self.flag([Column("name", "text"), Column("team", "int")], 1)
        rows = f"SELECT team, llm_result(orc('cls: ' || name)) AS colour FROM people WHERE {flag}"
        pairs = f"SELECT id, llm_result(orc('cls: ' || name)) AS a, city AS b FROM people WHERE {flag}"
        pivot = f"PIVOT ({rows}) ON colour USING count(*) ORDER BY ALL"
        return self._steps(self.pick((pivot, f"UNPIVOT ({pairs}) ON a, b")))

    def _changed_rows(self) -> Case:
        scope = [Column("item", "text"), Column("amount", "int"), Column("id", "int")]
        flag, text = self.flag(scope, 2), self.text(scope, 2)
        change = self.pick((
            f"UPDATE orders SET item = {text} WHERE {flag}", f"DELETE FROM orders WHERE {flag}",
            f"DELETE FROM orders WHERE {flag} RETURNING id, {text}",
            f"MERGE INTO orders USING (FROM rooms WHERE {self.judged([Column('room', 'text')], 1)} AND team < 3) s "
            f"ON orders.id = s.team WHEN MATCHED THEN UPDATE SET item = s.room || llm_result(orc('cls: ' || s.room))",
        ))  # fmt: skip
        return self._steps("BEGIN", change, "FROM orders", "ROLLBACK")

    def _wrong(self) -> Case:
        query = self.top()
        flag = self.judged([Column("p.name", "text")], 1)
        return self._steps(self.pick((
            f"SELECT missing FROM ({query.sql})", f"SELECT CAST(p.name AS INTEGER) FROM people p WHERE {flag}",
            f"SELECT error('stop') FROM people p WHERE {flag} AND p.id = 3", f"SELECT * FROM nowhere WHERE {flag}",
            "SELECT CAST(llm_result(orc('cls: ' || p.name)) AS INTEGER) FROM people p", "SELECT FROM WHERE orc('x')",
            "SELECT orc(p.id) FROM people p", "SELECT orc(p.name, 'a', 'b') FROM people p",
            f"SELECT p.id FROM people p WHERE {flag} AND (SELECT room FROM rooms) = 'x'",
            f"SELECT llm_chat('nobody', p.name) FROM people p WHERE {self.native([Column('p.id', 'int')])}",
            f"INSERT INTO rooms SELECT 'no number', llm_result(orc('say: ' || p.name)) FROM people p WHERE {flag}",
            "SELECT llm_result(orc(llm_param({'instruction': p.name, 'temprature': 1}))) FROM people p",
        )), "SELECT 1")  # fmt: skip

    def _numbered(self) -> Case:
        """A sequence must not be drawn from more often than the statement itself does."""
        flag = self.flag([Column("p.name", "text"), Column("p.id", "int")], 2)
        return self._steps(
            f"SELECT nextval('numbers'), p.id, {self.judged([Column('p.name', 'text')], 1)} FROM people p WHERE {flag}",
            "SELECT nextval('numbers')",
        )

    def _alike(self) -> Case:
        """Two statements of which the second finds much of what it asks in the store."""
        scope = [Column("p.name", "text"), Column("p.city", "text"), Column("p.id", "int")]
        one, two = self.flag(scope, 2), self.flag(scope, 2)
        return self._steps(
            f"SELECT p.id FROM people p WHERE {one}", f"SELECT p.id FROM people p WHERE {one} AND {two} LIMIT 4"
        )

    def _sampled(self) -> Case:
        query = self.top()
        self.volatile = True
        sample = self.pick(("USING SAMPLE reservoir(5 ROWS) REPEATABLE (7)", "USING SAMPLE 50 PERCENT (bernoulli, 3)"))
        return self._steps(f"SELECT * FROM ({query.sql}) {sample}")

    def _fetched_bit_by_bit(self) -> Case:
        query = self.top()
        how = self.pick(("fetchone", "fetchmany", "arrow", "df", "half"))
        return self._steps(Step(query.sql, how), "SELECT count(*) FROM rooms")

    def _executed_many(self) -> Case:
        chosen = "SELECT $1, llm_result(orc('cls: ' || $2)) WHERE llm_result(orc('yn: ' || $2)) = 'yes'"
        rows = ((1, "a"), (2, "b"), (3, None), (4, "FAIL"), (5, "c"))
        return self._steps(
            *("CREATE TABLE made (i INTEGER, t VARCHAR)", Step(f"INSERT INTO made {chosen}", "executemany", rows)),
            *("FROM made",),
            made=("TABLE made",),
        )


def case_of(seed: int) -> Case:
    """Return the case that the seed makes."""
    return Cases(seed).case(seed)


__all__ = ["Case", "Cases", "Query", "Step", "case_of"]
