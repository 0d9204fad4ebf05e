"""Who is asking what: the leases in the call store's file, written only where another process is alive."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence

from .request_key import Key

LEASE_SECONDS = 6.0
"""An owner that has not said for so long that it lives has lost its leases."""


class LeaseTable:
    """The leases of one open file. Every method runs in a transaction of its caller's.

    While an owner is the only one, its leases are in memory alone, and its row says so (`unwritten`). A second owner
    that comes waits until the first has written them, which it does the next time that it touches the store: within
    milliseconds when it is busy, else at its next heartbeat.

    The clock is the machine's monotonic one, which nobody sets back and which all its processes share. After a restart
    of the machine it begins anew, and a row that seems to be from the future is one of before.

    Args:
        connection: the open file.
        clock: seconds that only go forward, the same for all processes of the machine.
        written_always: owners on other machines use this object, so what it has in memory is not one owner's.
    """

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float], written_always: bool) -> None:
        self._connection = connection
        self._clock = clock
        self._written_always = written_always
        self._unwritten: set[Key] = set()
        self._wrote = written_always

    def claim(self, keys: Sequence[Key], owner: str) -> set[Key]:
        """Take a lease on each key that no living owner has; return those that were taken."""
        now = self._clock()
        self._connection.execute("DELETE FROM owners WHERE seen NOT BETWEEN ? AND ?", (now - LEASE_SECONDS, now))
        others = self.see(owner)
        if not (others or self._written_always):
            self._unwritten.update(keys)
            self._note(owner)
            return set(keys)
        if any(others.values()):
            return set()
        alive = [owner, *others]
        marks = ", ".join("?" * len(alive))
        self._connection.execute(f"DELETE FROM leases WHERE owner NOT IN ({marks})", alive)
        self._write(keys, owner)
        find = "SELECT 1 FROM leases WHERE key = ? AND owner = ?"
        return {key for key in keys if self._connection.execute(find, (key, owner)).fetchone()}

    def has_dead_owners(self) -> bool:
        """Whether an owner has fallen silent since somebody last claimed anything."""
        now = self._clock()
        dead = "SELECT 1 FROM owners WHERE seen NOT BETWEEN ? AND ?"
        return bool(self._connection.execute(dead, (now - LEASE_SECONDS, now)).fetchone())

    def forget_owners(self, names: Iterable[str]) -> None:
        """Let go of owners that were killed, known by their names without the host: nobody waits for them."""
        self._connection.executemany("DELETE FROM owners WHERE owner LIKE '%:' || ?", [(name,) for name in names])

    def see(self, owner: str) -> dict[str, bool]:
        """Note that the owner lives, write its leases if others do too, and return these: who has unwritten ones."""
        others = self._others(owner)
        if others and self._unwritten:
            self._write(self._unwritten, owner)
            self._unwritten.clear()
        self._note(owner)
        return others

    def release(self, keys: Iterable[Key], owner: str) -> None:
        """Give leases back, and note that the owner lives; one without any holds nobody up."""
        keys = list(keys)
        self._unwritten.difference_update(keys)
        if self._wrote:
            self._connection.executemany("DELETE FROM leases WHERE key = ?", [(key,) for key in keys])
        if self._unwritten or self._wrote:
            self.see(owner)
        else:
            self._connection.execute("DELETE FROM owners WHERE owner = ?", (owner,))

    def _others(self, owner: str) -> dict[str, bool]:
        now = self._clock()
        rows = self._connection.execute(
            "SELECT owner, unwritten FROM owners WHERE owner <> ? AND seen BETWEEN ? AND ?",
            (owner, now - LEASE_SECONDS, now),
        )
        return {other: bool(unwritten) for other, unwritten in rows}

    def _note(self, owner: str) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO owners VALUES (?, ?, ?)", (owner, self._clock(), bool(self._unwritten))
        )

    def _write(self, keys: Iterable[Key], owner: str) -> None:
        self._wrote = True
        self._connection.executemany("INSERT OR IGNORE INTO leases VALUES (?, ?)", [(key, owner) for key in keys])
