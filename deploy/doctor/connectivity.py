"""Whether anything listens at an address, tried before a call that would wait for minutes or end the process."""

from __future__ import annotations

import socket
from threading import Thread

TIMEOUT_SECONDS = 3.0


def why_unreachable(host: str, port: int) -> str:
    """Return why a TCP connection to the address fails; '' if it does not."""
    reasons = [f"no answer within {TIMEOUT_SECONDS:g} s"]

    def connect() -> None:
        try:
            socket.create_connection((host, port), TIMEOUT_SECONDS).close()
            reasons.append("")
        except OSError as error:
            reasons.append(error.strerror or str(error))

    # The time limit of a connection is none for the name: without a network, looking it up may take half a minute.
    thread = Thread(target=connect, daemon=True)
    thread.start()
    thread.join(TIMEOUT_SECONDS)
    return reasons[-1]


def parse_address(address: str) -> tuple[str, int] | None:
    """Return the host and port of `host:port` or `ray://host:port`; None for another text, e.g. 'auto'."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else None
