"""Whether anything listens at an address, tried before a call that would wait for minutes or end the process."""

from __future__ import annotations

import socket

TIMEOUT_SECONDS = 3.0


def why_unreachable(host: str, port: int) -> str:
    """Return why a TCP connection to the address fails; '' if it does not."""
    try:
        socket.create_connection((host, port), TIMEOUT_SECONDS).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def parse_address(address: str) -> tuple[str, int] | None:
    """Return the host and port of `host:port` or `ray://host:port`; None for another text, e.g. 'auto'."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else None
