"""The write-ahead log of what arrived: a kill before the commit loses no answer that was paid for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from quackllm.udf.calls.call_record import CallRecord
from quackllm.udf.calls.call_store import CallStore
from quackllm.udf.calls.write_ahead_log import PREFIX, WriteAheadLog, abandoned_calls
from quackllm.workers.messages import Response, Usage

import quackllm
from standin.fixtures import StandIn

WRITE = """
import os, signal, sys
from pathlib import Path
from quackllm.udf.calls.write_ahead_log import WriteAheadLog
from quackllm.udf.calls.call_record import CallRecord
from quackllm.workers.messages import Response
log = WriteAheadLog(Path(sys.argv[1]), "host:1:abc")
for number in range(5):
    response = Response(f"answer {number}", seconds=0.5)
    log.append(CallRecord(b"%020d" % number, "chat", "openai", "a prompt", response))
    if number == 2:
        committed = log.rotate()
os.kill(os.getpid(), signal.SIGKILL)
"""


def arrived(number: int, seconds: float = 0.5, **fields: object) -> CallRecord:
    response = Response(f"answer {number}", usage=Usage(3, 4), seconds=seconds, **fields)  # type: ignore[arg-type]
    return CallRecord(b"%020d" % number, "chat", "openai", "a prompt", response)


def files(store: Path) -> list[Path]:
    return [path for path in store.parent.glob(f"*{PREFIX}*") if path.stat().st_size]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.sqlite"


def test_what_a_killed_process_had_received_is_in_the_store_when_it_is_opened(path: Path):
    assert subprocess.run([sys.executable, "-c", WRITE, str(path)]).returncode == -signal.SIGKILL
    assert len(files(path)) == 2
    store = CallStore(path)
    found = store.get_many([b"%020d" % number for number in range(6)])
    assert sorted(answer.output or "" for answer in found.values()) == [f"answer {number}" for number in range(5)]
    assert len(store.calls(10)) == 5, "and recorded, once"
    assert not list(path.parent.glob(f"*{PREFIX}*"))
    assert len(CallStore(path).calls(10)) == 5


def test_what_was_committed_is_not_recorded_again(path: Path):
    subprocess.run([sys.executable, "-c", WRITE, str(path)])
    copies = {file: file.read_bytes() for file in files(path)}
    CallStore(path).close()
    for file, content in copies.items():
        file.write_bytes(content)
    assert len(CallStore(path).calls(10)) == 5


@pytest.mark.parametrize("cut", [1, 3, 10, 60])
def test_a_write_that_was_cut_off_loses_that_answer_only(path: Path, cut: int):
    subprocess.run([sys.executable, "-c", WRITE, str(path)])
    for file in files(path):
        os.truncate(file, file.stat().st_size - cut)
    assert len(CallStore(path).get_many([b"%020d" % number for number in range(5)])) == 3


def test_the_files_of_a_living_process_are_left_alone(path: Path):
    log = WriteAheadLog(path, "host:1:abc")
    log.append(arrived(1))
    with abandoned_calls(path) as (calls, _):
        assert calls == []
    assert len(files(path)) == 1


def test_a_file_is_emptied_when_what_it_held_is_committed(path: Path):
    log = WriteAheadLog(path, "host:1:abc")
    log.append(arrived(1))
    first = log.rotate()
    log.append(arrived(2))
    log.clear(first)
    (left,) = files(path)
    assert b"answer 2" in left.read_bytes()
    assert b"answer 1" not in left.read_bytes()


def test_only_what_is_worth_it_is_written(path: Path):
    log = WriteAheadLog(path, "host:1:abc")
    log.append(arrived(1, seconds=0.0))
    log.append(arrived(2, finish_reason="length"))
    log.append(arrived(3, embedding=("x",)))
    assert not files(path)
    WriteAheadLog(None, "host:1:abc").append(arrived(4))


def test_nobody_waits_for_the_leases_of_a_process_that_was_killed(path: Path):
    CallStore(path).claim([b"x" * 20], "host:1:abc")
    assert CallStore(path).claim([b"x" * 20], "me") == set(), "as far as anybody knows it lives"
    subprocess.run([sys.executable, "-c", WRITE, str(path)])
    assert CallStore(path).claim([b"x" * 20], "me") == {b"x" * 20}


def test_a_process_that_goes_on_stores_what_a_killed_one_had_received(path: Path):
    now = [1000.0]
    alive = CallStore(path, clock=lambda: now[0])
    CallStore(path, clock=lambda: now[0]).claim([b"%020d" % number for number in range(8)], "killed")
    subprocess.run([sys.executable, "-c", WRITE, str(path)])
    wanted = [b"%020d" % number for number in (1, 2, 7)]
    assert alive.claim(wanted, "alive") == set()
    now[0] += 60
    assert alive.claim(wanted, "alive") == {wanted[-1]}, "the others are there"
    assert set(alive.get_many(wanted)) == {*wanted[:-1]}


def test_a_kill_pays_no_more_than_what_was_under_way_twice(service: StandIn, home: Path):
    """What the process had read is stored; 32 at most were under way, and one more may just have taken the place."""
    quackllm.deploy("chat", "openai", worker_concurrency=32, infer_params=service.openai_params())
    service.script([{"fault": "slow", "seconds": 0.02}])
    statement = "SELECT llm_result(chat('row ' || i)) FROM range(600) t(i)"
    program = [sys.executable, "-c", f"import quackllm; quackllm.connect().execute({statement!r}).fetchall()"]
    process = subprocess.Popen(program)
    while service.count() < 250:
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.wait()
    subprocess.run(program, check=True)
    assert 600 <= service.count() <= 600 + 32 + 2
