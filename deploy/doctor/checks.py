"""The order in which the doctor looks at things: what would make the later ones fail comes first."""

from __future__ import annotations

from collections.abc import Iterator

from ...workers import connect_fleet
from ...workers.deployments.spec import ModelSpec
from ...workers.errors import QuackLLMError, SetupError
from ...workers.home import home_folder
from ..models_file import read_models_file
from .ask_models import ask_models
from .cluster import check_cluster, check_replicas, check_token_mode
from .finding import Finding
from .home_folder import check_home
from .machine import check_machine, gpus
from .models import TargetMachine, check_models, extras_of
from .packages import check_packages


def run_checks(default: str | None, cluster: str | None, ask: bool) -> Iterator[Finding]:
    """Yield what is found, the most basic first.

    Args:
        default: the model that is to be the default.
        cluster: where the models answer; None: in this process.
        ask: whether to ask each model for a few tokens.
    """
    folder = list(check_home())
    yield from folder
    if any(finding.subject == "QUACKLLM_HOME" and finding.state == "broken" for finding in folder):
        return
    specs, faults = ({}, []) if cluster else _kept_models()
    yield from check_packages({extra for spec in specs.values() for extra in extras_of(spec)})
    yield from check_machine()
    yield from check_token_mode()
    yield from faults
    place = TargetMachine(len(gpus()))
    if cluster:
        found, count = check_cluster(cluster)
        yield from found
        if any(finding.state == "broken" for finding in found):
            return
        specs, place = dict(connect_fleet(cluster).deployed()), TargetMachine(count, cluster)
        yield from check_replicas(cluster, specs)
    looked_at = list(check_models(specs, place, default))
    yield from looked_at
    broken = {finding.subject for finding in looked_at if finding.state == "broken"}
    if ask and (faults or any(finding.state == "broken" for finding in folder)):
        yield Finding("models", "broken", "none was asked, because of the above", "quackllm doctor --ask")
    elif ask:
        yield from ask_models([spec for name, spec in specs.items() if name not in broken], cluster)


def _kept_models() -> tuple[dict[str, ModelSpec], list[Finding]]:
    """Return the models of `models.yaml`, and what is wrong with those that cannot be deployed."""
    path = home_folder() / "models.yaml"
    try:
        read = read_models_file(path) if path.exists() else {}
    except SetupError as error:
        return {}, [Finding("models.yaml", "broken", error.message, error.hint)]
    faults = [
        Finding("models.yaml", "broken", f"{name}: {error.message}", error.hint)
        for name, error in read.items()
        if isinstance(error, QuackLLMError)
    ]
    return {name: spec for name, spec in read.items() if isinstance(spec, ModelSpec)}, faults
