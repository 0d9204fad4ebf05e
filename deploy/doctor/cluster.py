"""Whether a Ray cluster answers, accepts us, and has live replicas; and whether Ray's token mode is set."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ...workers import connect_fleet
from ...workers.deployments.spec import ModelSpec
from .connectivity import parse_address, why_unreachable
from .finding import Finding

MODE, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"
TOKENS = ("RAY_AUTH_TOKEN", TOKEN_PATH)
TIMEOUT_SECONDS = 60.0
PROBE = """
import json, logging, sys, ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.ERROR)
resources = ray.cluster_resources()
print(json.dumps({"gpus": resources.get("GPU", 0), "cpus": resources.get("CPU", 0), "nodes": len(ray.nodes())}))
"""
AUTH_ERRORS = ("Unauthenticated", "InvalidAuthToken", "AuthenticationError")
SAME_MODE_HINT = (
    "the same on the head and on every client: export RAY_AUTH_MODE=disabled   (or =token), and start the head again"
)


def token_file() -> Path:
    """Return the path of Ray's token."""
    path = os.environ.get(TOKEN_PATH)
    return Path(path).expanduser() if path else Path.home() / ".ray" / "auth_token"


def check_token_mode() -> Iterator[Finding]:
    """Check Ray's authentication, which a token file turns on (`docs/deploying.md`, On Ray)."""
    mode = os.environ.get(MODE)
    has_token = token_file().is_file() or any(os.environ.get(name) for name in TOKENS)
    if mode is None and has_token:
        text = f"{MODE} is not set, and {token_file()} holds a token: a head demands it from every client"
        yield Finding("Ray", "warning", text, SAME_MODE_HINT)
    elif mode is not None and mode.lower() not in ("token", "disabled"):
        yield Finding("Ray", "broken", f"{MODE} is {mode!r}, which Ray does not know", SAME_MODE_HINT)
    elif mode is not None and mode.lower() == "token" and not has_token:
        yield Finding("Ray", "broken", f"{MODE} is 'token', and there is no token", "ray get-auth-token --generate")


def check_cluster(address: str) -> tuple[list[Finding], float]:
    """Connect to the cluster in another process; return the finding, and the number of its GPUs."""
    from ...workers.cluster.address import SAME_VERSIONS_HINT, version_mismatch

    host_and_port = parse_address(address)
    if host_and_port and (why := why_unreachable(*host_and_port)):
        return [_unreachable(address, why)], 0
    try:
        command = [sys.executable, "-c", PROBE, address]
        probe = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
        stdout, stderr = probe.stdout, probe.stderr
    except subprocess.TimeoutExpired as timeout:
        stdout, stderr = "", (timeout.stderr or b"").decode("utf-8", "replace")
    if stdout.strip():
        size = json.loads(stdout.splitlines()[-1])
        text = f"the cluster at {address} has {size['nodes']} node(s), {size['cpus']:g} CPUs, {size['gpus']:g} GPUs"
        return [Finding("Ray", "ok", text)], size["gpus"]
    if any(error in stderr for error in AUTH_ERRORS):
        mode = os.environ.get(MODE, "not set")
        text = f"the cluster at {address} demands a token, and {MODE} is {mode} here"
        return [Finding("Ray", "broken", text, SAME_MODE_HINT)], 0
    if versions := version_mismatch(stderr):
        text = f"the cluster at {address} has another version: {versions}"
        return [Finding("Ray", "broken", text, SAME_VERSIONS_HINT)], 0
    if address == "auto":
        return [_unreachable(address, "none runs on this machine")], 0
    last = stderr.strip().splitlines()[-1:] or ["no reply"]
    return [_unreachable(address, f"{last[0]} (does Ray listen there, in the same version?)")], 0


def _unreachable(address: str, why: str) -> Finding:
    fix = "ray start --head   or leave --cluster out, to answer in this process"
    return Finding("Ray", "broken", f"no Ray cluster answers at {address}: {why}", fix)


def check_replicas(cluster: str, specs: Mapping[str, ModelSpec]) -> Iterator[Finding]:
    """Check that each model's replicas are alive."""
    fleet = connect_fleet(cluster)
    for name in specs:
        replicas = fleet.status(name).replicas
        dead = sum(not replica.alive for replica in replicas)
        if dead:
            text = f"{dead} of {len(replicas)} replicas are not alive"
            yield Finding(name, "warning", text, f"quackllm status {name} --cluster {cluster}")
