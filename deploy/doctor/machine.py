"""What this machine has: GPUs, and the proxy that its environment names."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from urllib.request import getproxies, proxy_bypass


@cache
def list_gpus() -> tuple[str, ...]:
    """Return the names of the NVIDIA GPUs that the driver lists."""
    if shutil.which("nvidia-smi") is None:
        return ()
    listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=False)
    return tuple(line for line in listing.stdout.splitlines() if line.startswith("GPU"))


def proxy_for(host: str) -> str:
    """Return the proxy that the environment names for a host, without its password; '' for none."""
    proxies = getproxies()
    proxy = next((proxies[scheme] for scheme in ("http", "https", "all") if scheme in proxies), "")
    return "" if proxy_bypass(host) else proxy.rpartition("@")[2]
