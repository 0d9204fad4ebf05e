"""How often a prompt holds what the reference SQL needs: its tables, its columns, and its text constants.

    QUACKLLM_DATA=FOLDER python benchmarks/prompt_coverage.py [--suite spider] [--limit 200] [--split dev]

Three settings: the database as it is; with 900 tables around it; with each needed cell behind 1,000,000 other rows.
A constant counts if the prompt shows it as a value of its column, as an example or as a match; constants that no row of
the database has are left out. No model is asked.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import duckdb
import sqlglot
from quackllm.udf.text2sql.evaluation.datasets import (
    Question,
    list_databases,
    list_suites,
    load_schema,
    open_database,
)
from quackllm.udf.text2sql.evaluation.suites import load_suite
from quackllm.udf.text2sql.pipeline import Effort, prepare
from quackllm.udf.text2sql.prompts.cell_index import IndexedCells
from quackllm.udf.text2sql.prompts.formats import FORMS
from quackllm.udf.text2sql.schema.catalog import read_catalog
from quackllm.udf.text2sql.schema.resolve import ResolvedSchema
from quackllm.workers.database_schema import Schema, Table, split_name
from quackllm.workers.messages import Request
from quackllm.workers.mschema import parse_mschema
from sqlglot import expressions as exp
from sqlglot.optimizer.qualify import qualify

TABLES_AROUND, ROWS_BEFORE = 900, 1_000_000
SETTINGS = ("as it is", "900 tables around", "row 1,000,000")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", action="append", help="left out: all suites whose databases have rows")
    parser.add_argument("--limit", type=int, help="questions of each suite, drawn by the seed 17")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--setting", action="append", choices=SETTINGS)
    parser.add_argument("--show", action="store_true", help="print each question that misses something")
    given = parser.parse_args()
    print(f"{'suite':18}{'setting':20}{'questions':>9}{'covered':>9}{'schema':>8}{'constants':>10}"
          f"{'characters':>11}{'seconds':>9}")  # fmt: skip
    for suite in given.suite or [name for name in list_suites(given.split) if name not in ("wikisql", "chase_zh")]:
        questions = load_suite(suite, split=given.split, limit=given.limit, seed=17).questions
        for setting in given.setting or SETTINGS:
            _measure(suite, setting, questions, given.show)


def _measure(suite: str, setting: str, questions: list[Question], show: bool) -> None:
    by_database = defaultdict(list)
    for question in questions:
        if question.db and not question.columns:
            by_database[question.db].append(question)
    found, sizes, seconds = [], [], []
    for name, asked in by_database.items():
        folder = tempfile.TemporaryDirectory()
        file = Path(folder.name) / f"{name}.duckdb"
        with folder, duckdb.connect(file) as connection:
            open_database(connection, name)
            own = read_catalog(connection)
            absent = {
                need
                for q in asked
                for need in _needs(q.sql, own)
                if need[0] == "text" and not _is_cell(connection, need)
            }
            if setting == SETTINGS[1]:
                _add_tables(connection)
            if setting == SETTINGS[2]:
                needed = {place[0] for q in asked for kind, *place in _needs(q.sql, own) if kind == "text"}
                _push_down(connection, [table for table in own.tables if table.name.lower() in needed])
            schema = ResolvedSchema(read_catalog(connection), from_catalog=True)
            connection.execute("CHECKPOINT")
            cells = IndexedCells(connection.cursor, file)
            effort = Effort(find_cells=cells)
            if setting == SETTINGS[2]:
                prepare(Request.of("Is it there?"), schema, effort)
                if cells.build:
                    cells.build.join()
            for question in asked:
                began = time.perf_counter()
                prompt = _prompt(question, schema, effort)
                seconds.append(time.perf_counter() - began)
                sizes.append(len(prompt))
                result = _covers(prompt, [need for need in _needs(question.sql, own) if need not in absent])
                found.append(result)
                if show and not all(result[:2]):
                    print(f"  {name}: {question.question}\n    {question.sql}\n    misses {result[2]}")
    both = [float(names and texts) for names, texts, _ in found]
    share = [100 * statistics.mean(part) for part in (both, [float(f[0]) for f in found], [float(f[1]) for f in found])]
    print(f"{suite:18}{setting:20}{len(found):9}{share[0]:8.1f}%{share[1]:7.1f}%{share[2]:9.1f}%"
          f"{statistics.median(sizes):11.0f}{statistics.median(seconds):9.3f}", flush=True)  # fmt: skip


def _prompt(question: Question, schema: ResolvedSchema, effort: Effort) -> str:
    prepared = prepare(Request.of(question.question), schema, effort)
    form = FORMS["chat"]
    messages = form.build_messages(prepared.turns, prepared.shown, (*prepared.values, *prepared.near))
    return messages[0].content


def _add_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables of other databases around this one, under names that are free."""
    taken = {name.lower() for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    statements, count = [], 0
    for round_number in range(9):
        for database in list_databases():
            for table in load_schema(database).tables:
                name = f"{table.name}{round_number or ''}"
                if name.lower() in taken or count >= TABLES_AROUND:
                    continue
                taken.add(name.lower())
                columns = ", ".join(f'"{c.name}" {c.type}' for c in table.columns)
                statements.append(f'CREATE TABLE "{name}" ({columns})')
                count += 1
    for statement in statements:
        connection.execute(statement)


def _push_down(connection: duckdb.DuckDBPyConnection, tables: list[Table]) -> None:
    """Put 1,000,000 other rows before the rows of these tables."""
    for table in tables:
        items = ", ".join(
            f"'other ' || (i % 99991) AS \"{c.name}\"" if c.type == "VARCHAR" else f'NULL::{c.type} AS "{c.name}"'
            for c in table.columns
        )
        quoted = '"' + table.name + '"'
        comment = connection.execute(
            "SELECT comment FROM duckdb_tables() WHERE table_name = $1", [table.name]
        ).fetchall()
        connection.execute(f"CREATE TABLE pushed AS SELECT {items} FROM range({ROWS_BEFORE}) r(i)")
        connection.execute(f"INSERT INTO pushed SELECT * FROM {quoted}; DROP TABLE {quoted}")
        connection.execute(f"ALTER TABLE pushed RENAME TO {quoted}")
        if comment and comment[0][0]:
            text = comment[0][0].replace("'", "''")
            connection.execute(f"COMMENT ON TABLE {quoted} IS '{text}'")


def _is_cell(connection: duckdb.DuckDBPyConnection, need: tuple[str, ...]) -> bool:
    query = f'SELECT 1 FROM "{need[1]}" WHERE "{need[2]}"::VARCHAR = $1 LIMIT 1'
    return bool(connection.execute(query, [need[3]]).fetchall())


def _covers(prompt: str, needs: list[tuple[str, ...]]) -> tuple[bool, bool, list[str]]:
    """Return whether a prompt has the tables and columns, and the constants, of the SQL; and what is missing."""
    shown = parse_mschema(prompt[prompt.rindex("<schema>") : prompt.rindex("</schema>")])
    names = {(split_name(t.name)[-1].lower(), c.name.lower()) for t in shown.tables for c in t.columns}
    tables = {split_name(t.name)[-1].lower() for t in shown.tables}
    values = defaultdict(set)
    for table in shown.tables:
        for column in table.columns:
            values[split_name(table.name)[-1].lower(), column.name.lower()] |= set(column.examples)
    for line in prompt.split("【Values】")[1].splitlines() if "【Values】" in prompt else ():
        place, _, text = line.partition(" = '")
        if text:
            table, _, column = place.rpartition(".")
            values[split_name(table)[-1].lower(), column.lower()].add(text.removesuffix("'").replace("''", "'"))
    missing_names, missing_texts = [], []
    for kind, *place in needs:
        if kind == "table" and place[0] not in tables:
            missing_names.append(place[0])
        if kind == "column" and tuple(place) not in names:
            missing_names.append(".".join(place))
        if kind == "text" and place[2] not in values[place[0], place[1]]:
            missing_texts.append(f"{place[0]}.{place[1]} = {place[2]!r}")
    return not missing_names, not missing_texts, missing_names + missing_texts


def _needs(sql: str, schema: Schema) -> Iterator[tuple[str, ...]]:
    """Yield the tables, the columns, and the texts compared with a column for equality, in lower case but the texts."""
    columns = {t.name: {c.name: c.type for c in t.columns} for t in schema.tables}
    try:
        tree = qualify(sqlglot.parse_one(sql, read="duckdb"), schema=columns, dialect="duckdb")
    except sqlglot.errors.SqlglotError:
        return
    aliases = {table.alias_or_name.lower(): table.name.lower() for table in tree.find_all(exp.Table)}
    for name in set(aliases.values()):
        yield "table", name
    for column in tree.find_all(exp.Column):
        if (table := aliases.get(column.table.lower())) in {name.lower() for name in columns}:
            yield "column", str(table), column.name.lower()
    for node in tree.find_all(exp.EQ, exp.In):
        sides = [node.this, *([node.expression] if isinstance(node, exp.EQ) else node.expressions)]
        owner = next((side for side in sides if isinstance(side, exp.Column)), None)
        for side in sides if owner is not None and owner.table.lower() in aliases else ():
            if isinstance(side, exp.Literal) and side.is_string:
                yield "text", aliases[owner.table.lower()], owner.name.lower(), side.name


if __name__ == "__main__":
    main()
