"""Whether anything listens at an address: asked before what would wait for minutes, or end the process."""

from __future__ import annotations

import socket

SECONDS = 3.0


def why_unreachable(host: str, port: int, seconds: float = SECONDS) -> str:
    """Return why no connection to the address can be made; '' where one can."""
    try:
        socket.create_connection((host, port), seconds).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def host_and_port(address: str) -> tuple[str, int] | None:
    """Return the host and port of `host:port` or `ray://host:port`; None of what is no such address, e.g. 'auto'."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else None
