"""Real PostgreSQL and MariaDB servers, started for a test in a temporary folder, reached through a socket in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

START_SECONDS = 120.0


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a PostgreSQL server; yield the URL of its superuser and its database `postgres`."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    found = str(programs[-1]) if programs else os.path.dirname(shutil.which("postgres") or "")
    if not found:
        pytest.fail("PostgreSQL is not installed: apt install postgresql")
    with _folder_of("postgres") as (folder, as_user):
        data = folder / "data"
        initdb = [f"{found}/initdb", "-D", str(data), "-U", "owner", "--auth=trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([*as_user, *initdb], check=True, capture_output=True)
        socket = ["-c", f"unix_socket_directories={folder}", "-c", "listen_addresses=", "-c", "fsync=off"]
        url = f"postgresql+psycopg://owner@/postgres?host={folder}"
        # SIGINT: without waiting for whoever is still connected.
        with _running([*as_user, f"{found}/postgres", "-D", str(data), *socket], url, signal.SIGINT):
            yield url


@contextmanager
def running_mariadb() -> Iterator[str]:
    """Run a MariaDB server; yield the URL of its superuser and its database `mysql`."""
    if shutil.which("mariadbd") is None:
        pytest.fail("MariaDB is not installed: apt install mariadb-server")
    with _folder_of("mysql") as (folder, as_user):
        place = ["--no-defaults", f"--datadir={folder / 'data'}"]
        install = ["mariadb-install-db", *place, "--skip-test-db", "--auth-root-authentication-method=normal"]
        subprocess.run([*as_user, *install], check=True, capture_output=True)
        options = [f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}", "--skip-networking"]
        options += ["--character-set-server=utf8mb4"]
        url = f"mysql+pymysql://root@localhost/mysql?unix_socket={folder / 'socket'}&charset=utf8mb4"
        with _running([*as_user, "mariadbd", *place, *options], url, signal.SIGTERM):
            yield url


@contextmanager
def _folder_of(user: str) -> Iterator[tuple[Path, Sequence[str]]]:
    """Yield a folder and what runs a command as its owner: root may not run these servers."""
    folder = Path(tempfile.mkdtemp(prefix=f"quackllm_{user}_"))
    as_user: Sequence[str] = ()
    if os.geteuid() == 0:
        shutil.chown(folder, user, user)
        as_user = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")
    try:
        yield folder, as_user
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(command: Sequence[str], url: str, ended_by: signal.Signals) -> Iterator[None]:
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
        try:
            _wait_until_up(process, url)
            yield
        except BaseException:
            said.seek(0)
            print(said.read().decode(errors="replace")[-3000:])
            raise
        finally:
            process.send_signal(ended_by)
            process.wait(START_SECONDS)


def _wait_until_up(process: subprocess.Popen[bytes], url: str) -> None:
    engine, deadline = create_engine(url), monotonic() + START_SECONDS
    try:
        while process.poll() is None and monotonic() < deadline:
            try:
                with engine.connect() as connection:
                    connection.execute(text("SELECT 1"))
                return
            except SQLAlchemyError:
                sleep(0.1)
    finally:
        engine.dispose()
    raise AssertionError("the server did not start; its words are below")


@contextmanager
def database_on(url: str, name: str) -> Iterator[str]:
    """Make a database on a server; yield its URL for the server's superuser."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    made = engine.url.set(database=name).render_as_string(hide_password=False)
    engine.dispose()
    yield made
