"""The call store where nothing can be written, nothing may be opened, or the process forks: no row is lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from quackllm.udf.calls.call_store import CallStore

import quackllm
from standin.fixtures import StandIn

SELECT = "SELECT llm_result(chat('row ' || i)) FROM range({rows}) t(i)"
PROGRAM = """
import os, resource, sys
{before}
import quackllm
print(len([a for (a,) in quackllm.connect().execute({statement!r}).fetchall() if a.startswith('answer to')]))
"""


@pytest.fixture
def connection(service: StandIn) -> quackllm.Connection:
    quackllm.deploy("chat", "openai", infer_params=service.openai_params())
    return quackllm.connect()


FORKING = """
import concurrent.futures, multiprocessing, quackllm

def ask(start):
    rows = quackllm.connect().execute(f"SELECT llm_result(chat('row ' || i)) FROM range({start}, {start} + 10) t(i)")
    return rows.fetchall()

connection = quackllm.connect()
connection.execute("SELECT chat('row ' || i) FROM range(10) t(i)").fetchall()
with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
    answers = [answer for part in pool.map(ask, range(0, 40, 10), timeout=60) for (answer,) in part]
assert answers == [f"answer to: row {i}" for i in range(40)], answers
assert len(connection.execute("SELECT chat('row ' || i) FROM range(50) t(i)").fetchall()) == 50, "the parent goes on"
"""
FORKING_TWICE = """
import gc, multiprocessing, quackllm

def ask(generations):
    quackllm.connect().execute(f"SELECT chat('{generations}')").fetchall()
    gc.collect()
    if generations:
        child = multiprocessing.get_context("fork").Process(target=ask, args=[generations - 1])
        child.start()
        child.join(60)
        assert child.exitcode == 0

ask(2)
"""


def run(program: str, *prefix: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*prefix, sys.executable, "-c", program], capture_output=True, text=True, timeout=100)


def in_another_process(rows: int, *prefix: str, before: str = "") -> subprocess.CompletedProcess[str]:
    return run(PROGRAM.format(before=before, statement=SELECT.format(rows=rows)), *prefix)


@pytest.mark.parametrize("room", [0, 40_000, 120_000])
def test_what_was_paid_for_is_handed_on_when_the_disk_is_full(connection, service: StandIn, home: Path, room: int):
    """The system itself refuses to let a file grow; a process whose files may grow has the answers that had room."""
    CallStore(home / "calls.sqlite").close()
    limit = f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))"
    ran = in_another_process(300, before=limit)
    assert ran.stdout.strip() == "300", ran.stderr
    assert service.count() == 300
    assert 1 <= ran.stderr.count("call store") <= 2, "said, and not for every row"
    assert in_another_process(300).stdout.strip() == "300"
    assert service.count() <= 600


def test_a_disk_without_room_for_a_store_loses_no_row(connection, service: StandIn, home: Path):
    ran = in_another_process(20, before="resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))")
    assert ran.stdout.strip() == "20", ran.stderr
    assert in_another_process(20).stdout.strip() == "20"
    assert service.count() == 40


def without_the_right_to_write(home: Path) -> list[str]:
    """Take the right to write there from everybody; return what takes it from the superuser as well, who has it all."""
    for path in [*home.glob("*"), home]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return ["setpriv", "--bounding-set", "-dac_override"] if os.getuid() == 0 else []


@pytest.mark.parametrize("layout", ["closed", "killed"])
def test_a_home_that_cannot_be_written_is_read(connection, service: StandIn, home: Path, layout: str):
    in_another_process(20)
    if layout == "closed":  # What the last one that had it open leaves behind: one file, nothing beside it.
        CallStore(home / "calls.sqlite").close()
        assert not (home / "calls.sqlite-wal").exists()
    try:
        ran = in_another_process(25, *without_the_right_to_write(home))
    finally:
        home.chmod(0o755)
    assert ran.stdout.strip() == "25", ran.stderr
    assert service.count() == 25, "20 were known"
    assert ran.stderr.count("call store") in (1, 2), "said, and not for every row"


def test_off_is_off(connection, service: StandIn, home: Path):
    """Not opened, and so never waited for, whoever has it locked."""
    CallStore(home / "calls.sqlite").close()
    locked = sqlite3.connect(home / "calls.sqlite", isolation_level=None)
    locked.execute("BEGIN EXCLUSIVE")
    connection.execute("SET VARIABLE llm_store = 'off'")
    try:
        assert len(connection.execute(SELECT.format(rows=50)).fetchall()) == 50
        opened = [os.readlink(link) for link in Path("/proc/self/fd").glob("*") if link.exists()]
        assert sum(name == str(home / "calls.sqlite") for name in opened) == 1, "only this test has it open"
    finally:
        locked.close()
    assert service.count() == 50


def test_off_makes_no_file(connection, home: Path):
    connection.execute("SET VARIABLE llm_store = 'off'")
    connection.execute(SELECT.format(rows=5)).fetchall()
    connection.execute("FROM llm_estimate($sql)", {"sql": SELECT.format(rows=5)}).fetchall()
    assert not (home / "calls.sqlite").exists()


def test_children_that_fork_off_after_the_first_call_ask_too(connection, service: StandIn):
    ran = run(FORKING)
    assert ran.returncode == 0, ran.stderr
    assert service.count() == 50


def test_a_child_of_a_child_asks_too_and_reports_nothing(connection, service: StandIn):
    ran = run(FORKING_TWICE)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert service.count() == 3


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_connection_of_the_parents_works_in_the_child(connection, service: StandIn):
    connection.execute(SELECT.format(rows=10)).fetchall()
    child = os.fork()
    if not child:
        rows = connection.execute(SELECT.format(rows=20)).fetchall()
        os._exit(0 if len(rows) == 20 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert service.count() == 20


def test_a_file_with_damaged_pages_says_what_to_do(connection, home: Path):
    connection.execute(SELECT.format(rows=2000)).fetchall()
    connection.close()
    path = home / "calls.sqlite"
    CallStore(path).close()
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file.close()
    content = bytearray(path.read_bytes())
    for start in range(4096 * 3, len(content), 4096):
        content[start : start + 64] = b"\xff" * 64
    path.write_bytes(content)
    ran = in_another_process(2000)
    assert "StoreError" in ran.stderr
    assert "to begin a new one" in ran.stderr
