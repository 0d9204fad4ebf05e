"""All checks, in the order in which a failure would make the later ones fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...workers import connect_fleet
from ...workers.deployments.spec import ModelSpec
from ...workers.errors import QuackLLMError, SetupError, cluster_option
from ...workers.home import home_folder
from ..models_file import read_models_file
from .check_models import TargetMachine, check_models, required_extras
from .cluster import check_cluster, check_replicas, check_token_mode
from .finding import Finding
from .home_folder import check_home
from .machine import list_gpus
from .packages import check_packages
from .probe_models import probe_models


def run_checks(default: str | None, cluster: str | None, ask: bool) -> Iterator[Finding]:
    """Yield the findings, the most basic check first.

    Args:
        default: the model that is to be the default.
        cluster: the Ray cluster that has the models; None: this process.
        ask: send each model a request of a few tokens.
    """
    home = list(check_home())
    yield from home
    if _broken([finding for finding in home if finding.subject == "QUACKLLM_HOME"]):
        return
    specs, invalid = ({}, []) if cluster else _read_saved_models()
    yield from check_packages({extra for spec in specs.values() for extra in required_extras(spec)})
    yield from check_token_mode()
    yield from invalid
    machine = TargetMachine(len(list_gpus()))
    if cluster:
        findings, gpu_count = check_cluster(cluster)
        yield from findings
        if _broken(findings):
            return
        specs, machine = dict(connect_fleet(cluster).deployed()), TargetMachine(gpu_count, cluster)
        yield from check_replicas(cluster, specs)
    findings = list(check_models(specs, machine, default))
    yield from findings
    if ask and (invalid or _broken(home)):
        message = "no model was called, because of the problems above"
        yield Finding("models", "broken", message, f"quackllm doctor --ask{cluster_option(cluster)}")
    elif ask:
        yield from probe_models([spec for name, spec in specs.items() if name not in _broken(findings)], cluster)


def _broken(findings: Sequence[Finding]) -> set[str]:
    """Return the subjects of what is broken."""
    return {finding.subject for finding in findings if finding.state == "broken"}


def _read_saved_models() -> tuple[dict[str, ModelSpec], list[Finding]]:
    """Return the models of `models.yaml`, and a finding for each invalid one."""
    path = home_folder() / "models.yaml"
    try:
        entries = read_models_file(path) if path.exists() else {}
    except SetupError as error:
        return {}, [Finding("models.yaml", "broken", error.message, error.hint)]
    invalid = [
        Finding("models.yaml", "broken", f"{name}: {error.message}", error.hint)
        for name, error in entries.items()
        if isinstance(error, QuackLLMError)
    ]
    return {name: spec for name, spec in entries.items() if isinstance(spec, ModelSpec)}, invalid
