"""What the machine gives: GPUs, ports that are free, proxies that let this machine's own addresses alone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from urllib.request import getproxies, proxy_bypass

import psutil

from .connectivity import why_unreachable
from .finding import Finding

PORTS = {
    6379: ("Ray's head", "gcs_server", "ray start --head --port=6380"),
    8265: ("Ray's dashboard", "dashboard", "ray start --head --dashboard-port=8266"),
    8000: ("quackllm serve", "quackllm", "quackllm serve --port 8001"),
}
"""Who would listen there, what its command line holds where it does already, and how to choose another port."""
THIS_MACHINE = "127.0.0.1"


@cache
def gpus() -> tuple[str, ...]:
    """Return the names of the NVIDIA GPUs that the driver shows."""
    if shutil.which("nvidia-smi") is None:
        return ()
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=False)
    return tuple(line for line in listed.stdout.splitlines() if line.startswith("GPU"))


def check_machine() -> Iterator[Finding]:
    """Look at ports and proxies."""
    yield from _ports()
    yield from _proxies()


def _ports() -> Iterator[Finding]:
    for port, (what, own, other) in PORTS.items():
        if why_unreachable(THIS_MACHINE, port, 0.5):
            continue
        pid, command = _listener(port)
        if own not in command:
            by = f"the process {pid}" if pid else "another program"
            yield Finding("ports", "warning", f"port {port}, which {what} would use, is taken by {by}", other)


def _listener(port: int) -> tuple[int | None, str]:
    """Return the process that listens on a port, and its command line, as far as the system tells."""
    try:
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.pid:
                return each.pid, " ".join(psutil.Process(each.pid).cmdline())
    except psutil.Error:  # Another user's process, on some systems.
        pass
    return None, ""


def proxy_for(host: str) -> str:
    """Return the proxy that the environment names for this host, without its password; '' where it names none."""
    proxies = getproxies()
    proxy = next((proxies[scheme] for scheme in ("http", "https", "all") if scheme in proxies), "")
    return "" if proxy_bypass(host) else proxy.rpartition("@")[2]


def _proxies() -> Iterator[Finding]:
    if proxy := proxy_for(THIS_MACHINE):
        text = f"the proxy {proxy} would be asked for this machine's own addresses"
        yield Finding("proxy", "warning", text, "export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost")
