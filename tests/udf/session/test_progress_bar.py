"""What is seen while a statement asks: on a real terminal, read by an emulator of one, and in a real notebook."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import logging
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable

import duckdb
import pyte
import pytest
from quackllm.udf.calls.budget import StatementUsage
from quackllm.udf.session.progress_bar import ProgressBar

import quackllm
from standin.fixtures import StandIn

COLUMNS, LINES = 110, 200
SLOW = [{"fault": "slow", "seconds": 0.15}]
STATEMENT = "SELECT llm_result(chat('row ' || i)) FROM range(60) t(i)"


class Terminal:
    """A pty, and what a person saw on it: every state of its screen, oldest first."""

    def __init__(self) -> None:
        self._master, self.fd = pty.openpty()
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.screen = pyte.Screen(COLUMNS, LINES)
        self.seen: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        stream = pyte.ByteStream(self.screen)
        with contextlib.suppress(OSError):  # Linux's word for the end: the other side was closed.
            while part := os.read(self._master, 1 << 16):
                stream.feed(part)
                self.seen.append("\n".join(self.lines))
        os.close(self._master)

    def close(self) -> None:
        """Close this process's end and read what is left."""
        with contextlib.suppress(OSError):
            os.close(self.fd)
        self._thread.join(10)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display if line.strip()]


@pytest.fixture
def connection(service: StandIn) -> quackllm.Connection:
    service.script(SLOW)
    quackllm.deploy("chat", "openai", worker_concurrency=8, infer_params=service.openai_params())
    return quackllm.connect()


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], Terminal]:
    """Return what runs a function with a terminal as standard error."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    monkeypatch.delenv("NO_COLOR", raising=False)

    def run(work: Callable[[], object]) -> Terminal:
        terminal = Terminal()
        with monkeypatch.context() as patch, os.fdopen(os.dup(terminal.fd), "w", encoding="utf-8") as stderr:
            patch.setattr(sys, "stderr", stderr)
            work()
        terminal.close()
        return terminal

    return run


def test_a_terminal_shows_how_far_it_is_and_keeps_one_line(connection, on_terminal, home, capsys):
    (home / "prices.yaml").write_text("chat: {input: 1000, output: 2000}")
    terminal = on_terminal(lambda: connection.execute(STATEMENT).fetchall())
    bars = [state for state in terminal.seen if "calling models ━" in state]
    assert len(bars) >= 2
    for word in (" calls", "/s", "tokens in", " out", "cost "):
        assert word in bars[-1]
    assert all(len(state.splitlines()) == 1 for state in bars), "one line, however often it is drawn"
    (line,) = terminal.lines
    assert line.startswith("made 60 calls in ")
    assert "cost 0.7" in line, "60 times 2 tokens read and 5 written"
    assert not terminal.screen.cursor.hidden
    assert capsys.readouterr().out == ""


def test_where_the_total_is_known_it_says_what_is_left(on_terminal):
    def work() -> None:
        spent, began = StatementUsage(), time.monotonic()
        bar = ProgressBar(spent, "auto")
        for _ in range(5):
            spent.sent += 10
            spent.answered += 10
            bar.draw(time.monotonic() - began, 100)
            time.sleep(0.3)
        bar.finish(time.monotonic() - began)

    bars = [state for state in on_terminal(work).seen if "calling models" in state]
    assert "10/100 calls" in bars[0]
    assert "50/100 calls" in bars[-1]
    assert "0:00:0" in bars[-1]
    assert " left" in bars[-1]


@pytest.mark.parametrize(
    "ask",
    [
        lambda connection: connection.execute(f"CREATE TABLE kept AS {STATEMENT}"),
        lambda connection: connection.sql(STATEMENT).fetchall(),
        lambda connection: connection.sql(STATEMENT).to_arrow_table(),
    ],
    ids=["CREATE TABLE AS", "a relation", "an Arrow table"],
)
def test_every_way_of_asking_leaves_its_line_when_it_is_done(connection, on_terminal, ask: Callable[..., object]):
    assert [line[:13] for line in on_terminal(lambda: ask(connection)).lines] == ["made 60 calls"]


@pytest.mark.parametrize("wish", ["auto", "off"])
def test_nothing_is_shown_of_what_is_quick_or_known_or_unwanted(connection, service: StandIn, on_terminal, wish: str):
    connection.execute(f"SET VARIABLE llm_progress = '{wish}'")

    def work() -> None:
        connection.execute("SELECT 42").fetchall()
        connection.execute("SELECT chat('quick')").fetchall()
        if wish == "auto":
            connection.execute("SET VARIABLE llm_progress = 'off'; " + STATEMENT).fetchall()
            connection.execute("SET VARIABLE llm_progress = 'auto'")
        connection.execute(STATEMENT).fetchall()

    assert on_terminal(work).seen == []


def test_a_file_gets_nothing_unless_it_is_wished_and_then_one_line(connection, monkeypatch):
    for wish, lines in (("auto", 0), ("on", 1)):
        file = io.StringIO()
        connection.execute(f"SET VARIABLE llm_progress = '{wish}'; SET VARIABLE llm_store = 'refresh'")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", file)
            connection.execute(STATEMENT).fetchall()
        assert file.getvalue().count("\n") == lines
        assert file.getvalue().count("made 60 calls") == lines
        assert "\x1b" not in file.getvalue()


@pytest.mark.parametrize("mode", ["on", "log"])
@pytest.mark.parametrize("prefetch", ["on", "off"])
def test_a_statement_that_the_call_store_answers_says_so(connection, monkeypatch, mode: str, prefetch: str):
    connection.execute(f"SET VARIABLE llm_progress = '{mode}'; SET VARIABLE llm_prefetch = '{prefetch}'")
    seen = []
    for rows in (2, 2, 3):
        monkeypatch.setattr(sys, "stderr", file := io.StringIO())
        connection.execute(f"SELECT llm_result(chat('row ' || i)) FROM range({rows}) t(i)").fetchall()
        connection.execute("SELECT 1").fetchall()
        seen.append([line[line.index("made") :] for line in file.getvalue().splitlines() if "not planned" not in line])
    assert [len(lines) for lines in seen] == [1, 1, 1]
    assert seen[0][0].startswith("made 2 calls in ")
    assert "call store" not in seen[0][0]
    assert re.fullmatch(r"made 0 calls in [\d.]+ s  2 answers from the call store", seen[1][0])
    assert seen[2][0].startswith("made 1 call in ")
    assert "  2 answers from the call store  " in seen[2][0]


@pytest.mark.parametrize("read", ["to the end", "in part"])
def test_rows_that_are_read_in_parts_leave_their_line(connection, monkeypatch, read: str):
    monkeypatch.setattr(sys, "stderr", file := io.StringIO())
    with connection:
        connection.execute("SET VARIABLE llm_progress = 'on'")
        connection.execute("SELECT llm_result(chat('part ' || i)) FROM range(2) t(i)")
        assert len(connection.fetchmany(2)) == 2
        assert "made" not in file.getvalue()
        if read == "to the end":
            assert connection.fetchmany(2) == []
            assert file.getvalue().count("made 2 calls") == 1
    assert file.getvalue().count("made 2 calls") == 1


@pytest.mark.parametrize("when", ["before", "while it is drawn"])
def test_a_standard_error_that_is_closed_breaks_nothing(connection, monkeypatch, when: str):
    monkeypatch.setenv("TERM", "xterm-256color")
    connection.execute("SET VARIABLE llm_progress = 'on'")
    terminal = Terminal()
    stderr = os.fdopen(os.dup(terminal.fd), "w", encoding="utf-8")
    closing = threading.Timer(0.8 if when == "while it is drawn" else 0, stderr.close)
    closing.start()
    if when == "before":
        closing.join()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        assert len(connection.execute(STATEMENT).fetchall()) == 60
    terminal.close()
    assert len(connection.execute("SELECT 1").fetchall()) == 1


def test_a_reader_that_is_gone_breaks_nothing(connection, monkeypatch):
    connection.execute("SET VARIABLE llm_progress = 'on'")
    reading, writing = os.pipe()
    os.close(reading)
    stderr = os.fdopen(writing, "w")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        assert len(connection.execute(STATEMENT).fetchall()) == 60
    with contextlib.suppress(BrokenPipeError):
        stderr.close()


def test_of_two_statements_at_once_one_has_the_bar_and_both_their_lines(connection, on_terminal):
    other = connection.cursor()

    def work() -> None:
        threads = [
            threading.Thread(target=lambda c=c, w=w: c.execute(STATEMENT.replace("row", w)).fetchall())
            for c, w in ((connection, "one"), (other, "two"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    terminal = on_terminal(work)
    assert max(state.count("calling models") for state in terminal.seen) == 1
    assert [line[:13] for line in terminal.lines] == ["made 60 calls"] * 2


def singers() -> quackllm.Connection:
    connection = quackllm.connect()
    connection.execute("CREATE TABLE singer (name VARCHAR); INSERT INTO singer VALUES ('Ada')")
    return connection


@pytest.mark.parametrize("run", ["execute", "sql"])
def test_the_sql_of_ask_is_shown_once_before_its_rows_and_logged(on_terminal, caplog, run: str):
    connection, ask = singers(), "FROM ask('How many singers are there?')"
    with caplog.at_level(logging.INFO, "quackllm"):
        terminal = on_terminal(lambda: getattr(connection, run)(ask).fetchall())
    shown = [line for line in terminal.lines if "singer" in line]
    assert [line.upper() for line in shown] == ["SELECT COUNT(*) FROM SINGER"]
    assert any(shown[0] in record.message for record in caplog.records)
    assert connection.execute(ask).fetchall() == [(1,)]


def test_the_sql_of_ask_is_only_logged_where_no_one_looks(capsys, caplog):
    with caplog.at_level(logging.INFO, "quackllm"):
        singers().execute("FROM ask('How many singers are there?')").fetchall()
    assert capsys.readouterr().err == ""
    assert "singer" in caplog.text


def test_duckdbs_own_bar_does_not_draw_over_ours_and_comes_back(connection):
    plain = duckdb.connect()
    plain.execute("SET enable_progress_bar = true")
    own = quackllm.register(plain)

    def drawn() -> bool:
        unhooked = duckdb.DuckDBPyConnection.execute(own, "SELECT current_setting('enable_progress_bar_print')")
        return bool(duckdb.DuckDBPyConnection.fetchall(unhooked)[0][0])

    own.execute("SELECT 42").fetchall()
    assert drawn()
    own.execute("SELECT chat('x')").fetchall()
    assert not drawn()
    own.execute("SELECT 42").fetchall()
    assert drawn()


@pytest.fixture
def interrupted(service: StandIn) -> tuple[Terminal, dict[str, float]]:
    """Ctrl-C in a terminal that shows a bar, with 300,000 rows and slow answers."""
    quackllm.deploy("chat", "openai", worker_concurrency=16, infer_params=service.openai_params())
    service.script([{"fault": "slow", "seconds": 0.3}])
    program = """
import json, quackllm, signal, time
connection = quackllm.connect()
connection.execute("CREATE TABLE t AS SELECT 'row ' || i AS p FROM range(300000) t(i)")
try:
    connection.execute("SELECT llm_result(chat(p)) FROM t").fetchall()
except KeyboardInterrupt:
    stopped = time.time()
time.sleep(1)
print(json.dumps({"stopped": stopped, "kept": connection.execute("SELECT sum(calls) FROM llm_usage()").fetchone()[0]}))
"""
    terminal = Terminal()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal.fd, text=True, env=environment) as process:
        while service.count() < 50 or not any("calling models" in state for state in terminal.seen):
            time.sleep(0.05)
        pressed = time.time()
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        said = process.stdout.read()
    terminal.close()
    assert said, terminal.lines
    told = json.loads(said.splitlines()[-1])
    return terminal, told | {"pressed": pressed}


def test_ctrl_c_leaves_within_a_second_with_nothing_lost_and_no_half_drawn_bar(interrupted, service: StandIn):
    terminal, told = interrupted
    assert told["kept"] == service.count() >= 50
    assert told["stopped"] - told["pressed"] < 1.0
    assert not [line for line in terminal.lines if "calling models" in line]
    assert [line for line in terminal.lines if line.startswith("made ")]
    assert not terminal.screen.cursor.hidden


@pytest.mark.filterwarnings("ignore")  # The kernel's own, of its sockets and loops.
def test_a_notebook_shows_one_line_that_changes_in_place(connection, service: StandIn):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = [
        "import quackllm; connection = quackllm.connect()",
        f"rows = connection.execute({STATEMENT!r}).fetchall()",
        "connection.execute('CREATE TABLE singer (name VARCHAR)')\n"
        "ask = \"FROM ask('How many singers are there?', model := 'builtin_text2sql')\"\n"
        "rows = connection.execute(ask).fetchall()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    _, asking, question = notebook.cells
    assert [output["data"]["text/plain"][:13] for output in asking.outputs] == ["made 60 calls"]
    assert "<pre" in asking.outputs[0]["data"]["text/html"]
    (shown,) = [output["data"] for output in question.outputs if "singer" in output["data"]["text/plain"]]
    assert "color" not in shown["text/html"], "no color suits both themes"
