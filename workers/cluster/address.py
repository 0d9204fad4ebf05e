"""Finds Ray's address within seconds; Ray itself tries a dead one for minutes."""

from __future__ import annotations

import os
import socket

from ray._private.services import canonicalize_bootstrap_address

REACH_SECONDS = 10.0


def resolve_address(address: str | None) -> str | None:
    """Return the address for `ray.init`: one that answers, or None or 'local' to start Ray.

    Args:
        address: a cluster's, 'auto', or None: the one that runs on this machine, else a new one.

    Raises:
        ConnectionError: the address does not answer, or there is none.
        ValueError: it is no address.
    """
    named = os.environ.get("RAY_ADDRESS") if address in (None, "auto") else None
    given = named or address
    if given is not None and given.startswith("ray://"):
        return given
    found: str | None = canonicalize_bootstrap_address(given)
    if found is None:
        return given
    host, _, port = found.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_SECONDS).close()
    except OSError as error:
        if given is None:
            return "local"  # A head that was killed leaves its address in a file, which Ray reads.
        raise ConnectionError(f"{found}: {error}") from error
    return found
