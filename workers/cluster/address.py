"""Connects this process to Ray: an address is found dead within seconds, where Ray itself tries for minutes."""

from __future__ import annotations

import logging
import os
import socket

import ray
from ray._private.services import canonicalize_bootstrap_address

from ..errors import SetupError

REACH_SECONDS = 10.0
SAME_VERSIONS_HINT = "install the same versions of Ray and Python on the head and on every client"
VERSION_MISMATCH = "Version mismatch:"  # How Ray's error begins; the versions follow, a line each.


def connect_to_ray(address: str | None, hint: str, namespace: str | None = None) -> None:
    """Connect this process to Ray.

    Args:
        address: a cluster's, 'auto', or None: the one that runs on this machine, else a new one.
        hint: what to type if none answers.
        namespace: of the actors.

    Raises:
        SetupError: no Ray answers there, or it has another version of Ray or Python.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # No usage statistics are sent unless the user enables them.
    try:
        at = resolve_address(address)
        ray.init(address=at, namespace=namespace, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError) as error:
        raise SetupError(f"no Ray cluster answers at {address!r}: {error}", hint=hint) from error
    except RuntimeError as error:
        if not (versions := version_mismatch(str(error))):
            raise
        message = f"the Ray cluster at {address!r} has another version: {versions}"
        raise SetupError(message, hint=SAME_VERSIONS_HINT) from None


def version_mismatch(text: str) -> str | None:
    """Return the versions that Ray's error names, in one line; None if it is another error."""
    _, found, versions = text.partition(VERSION_MISMATCH)
    return " ".join(versions.split("\n\n")[0].split()) if found else None


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
