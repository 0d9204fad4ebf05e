"""Whether a Ray cluster answers, lets us in, and has its replicas; and whether Ray's token mode is settled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ...workers import connect_fleet
from ...workers.deployments.spec import ModelSpec
from .connectivity import host_and_port, why_unreachable
from .finding import Finding

MODE, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"
TOKENS = ("RAY_AUTH_TOKEN", TOKEN_PATH)
SECONDS = 60.0
"""How long a cluster may take to let us in."""
PROBE = """
import json, logging, sys, ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.ERROR)
resources = ray.cluster_resources()
print(json.dumps({"gpus": resources.get("GPU", 0), "cpus": resources.get("CPU", 0), "nodes": len(ray.nodes())}))
"""
REFUSED = ("Unauthenticated", "InvalidAuthToken", "AuthenticationError")
SAME_MODE_HINT = (
    "the same on the head and on every client: export RAY_AUTH_MODE=disabled   (or =token), and start the head again"
)


def token_file() -> Path:
    """Return where Ray keeps its token."""
    named = os.environ.get(TOKEN_PATH)
    return Path(named).expanduser() if named else Path.home() / ".ray" / "auth_token"


def check_token_mode() -> Iterator[Finding]:
    """Look at Ray's authentication, which turns itself on (`docs/deploying.md`, On Ray)."""
    mode = os.environ.get(MODE)
    has_token = token_file().is_file() or any(os.environ.get(name) for name in TOKENS)
    if mode is None and has_token:
        text = f"{MODE} is not set, and {token_file()} holds a token: a head asks for it, and refuses others"
        yield Finding("Ray", "warning", text, SAME_MODE_HINT)
    elif mode is not None and mode.lower() not in ("token", "disabled"):
        yield Finding("Ray", "broken", f"{MODE} is {mode!r}, which Ray does not know", SAME_MODE_HINT)
    elif mode is not None and mode.lower() == "token" and not has_token:
        yield Finding("Ray", "broken", f"{MODE} is 'token', and there is no token", "ray get-auth-token --generate")


def check_cluster(address: str) -> tuple[list[Finding], float]:
    """Look at whether the cluster lets us in; return that, and how many GPUs it has."""
    place = host_and_port(address)
    if place and (why := why_unreachable(*place)):
        return [_unreachable(address, why)], 0
    try:
        command = [sys.executable, "-c", PROBE, address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        said, told = done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        said, told = "", (late.stderr or b"").decode("utf-8", "replace")
    if said.strip():
        found = json.loads(said.splitlines()[-1])
        text = f"the cluster at {address} has {found['nodes']} node(s), {found['cpus']:g} CPUs, {found['gpus']:g} GPUs"
        return [Finding("Ray", "ok", text)], found["gpus"]
    if any(word in told for word in REFUSED):
        mode = os.environ.get(MODE, "not set")
        text = f"the cluster at {address} asks for a token, and {MODE} is {mode} here"
        return [Finding("Ray", "broken", text, SAME_MODE_HINT)], 0
    if address == "auto":
        return [_unreachable(address, "none runs on this machine")], 0
    last = told.strip().splitlines()[-1:] or ["it gave no answer"]
    return [_unreachable(address, f"{last[0]} (is it Ray that listens there, of the same version?)")], 0


def _unreachable(address: str, why: str) -> Finding:
    how = "ray start --head   or leave --cluster out, to answer in this process"
    return Finding("Ray", "broken", f"no Ray cluster answers at {address}: {why}", how)


def check_replicas(cluster: str, specs: Mapping[str, ModelSpec]) -> Iterator[Finding]:
    """Look at whether each model's replicas live."""
    fleet = connect_fleet(cluster)
    for name in specs:
        replicas = fleet.status(name).replicas
        dead = sum(not replica.alive for replica in replicas)
        if dead:
            text = f"{dead} of {len(replicas)} replicas are not alive"
            yield Finding(name, "warning", text, f"quackllm status {name} --cluster {cluster}")
