"""Which process sends which request: the leases in the call store's file, written only if another process is alive."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence

from .request_key import Key

LEASE_SECONDS = 6.0  # An owner that has not renewed its leases for this long has lost them.


class LeaseTable:
    """The leases of one open file. Every method runs in a transaction that its caller opened.

    An owner is a process that uses the store. While it is the only one, its leases are in memory, and its row in the
    table says so (`unwritten`). A second owner waits until the first has written its leases. The first does this the
    next time it accesses the store: within milliseconds if it is busy, otherwise at its next heartbeat.

    The clock is the machine's monotonic clock: nobody can set it back, and all processes share it. It starts again when
    the machine restarts, so a row with a time in the future was written before the restart.

    Args:
        connection: the open file.
        clock: monotonic seconds, the same for all processes of the machine.
        written_always: True if owners on other machines share this object, so that leases cannot stay in memory.
    """

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float], written_always: bool) -> None:
        self._connection = connection
        self._clock = clock
        self._written_always = written_always
        self._unwritten: set[Key] = set()
        self._wrote = written_always

    def claim(self, keys: Sequence[Key], owner: str) -> set[Key]:
        """Take a lease on each key that no other living owner holds; return the keys that were taken."""
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
        """Whether the table has an owner that has not renewed its leases for `LEASE_SECONDS`."""
        now = self._clock()
        dead = "SELECT 1 FROM owners WHERE seen NOT BETWEEN ? AND ?"
        return bool(self._connection.execute(dead, (now - LEASE_SECONDS, now)).fetchone())

    def forget_owners(self, names: Iterable[str]) -> None:
        """Delete the rows of killed owners, so that nobody waits for them.

        Args:
            names: the owners without the host, `process:number`.
        """
        self._connection.executemany("DELETE FROM owners WHERE owner LIKE '%:' || ?", [(name,) for name in names])

    def see(self, owner: str) -> dict[str, bool]:
        """Renew the owner's leases; write them if there are other owners.

        Returns:
            the other living owners, each with whether it has unwritten leases.
        """
        others = self._others(owner)
        if others and self._unwritten:
            self._write(self._unwritten, owner)
            self._unwritten.clear()
        self._note(owner)
        return others

    def see_all(self) -> None:
        """Give every owner its whole time again: while nobody served the file, nobody could renew a lease."""
        self._connection.execute("UPDATE owners SET seen = ?", (self._clock(),))

    def take_over(self, leases: Sequence[tuple[Key, str]]) -> None:
        """Write leases that another file had, each with its owner."""
        for owner in {owner for _, owner in leases}:
            self._note(owner)
        self._connection.executemany("INSERT OR REPLACE INTO leases VALUES (?, ?)", leases)

    def release(self, keys: Iterable[Key], owner: str) -> None:
        """Return leases and renew the others; an owner without leases is removed, so that nobody waits for it."""
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
