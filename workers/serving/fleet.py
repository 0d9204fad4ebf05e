"""A fleet: all the models that can be called from here, in this process or on a Ray cluster."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..deployments.spec import ModelSpec
from ..errors import UnknownModelError, cluster_option, did_you_mean
from .router import Router

# Deployed in every process, for text2sql: it needs no key and no download.
BUILTIN_TEXT2SQL = ModelSpec(name="builtin_text2sql", type="builtin/text2sql")
# Deployed in every process, for trying things out: it answers where no other model is deployed, and says so.
ECHO = ModelSpec(name="echo", type="echo")
# Deployed in every process, for ai_embed: it needs no key and no download either.
BUILTIN_ENCODER = ModelSpec(name="builtin_encoder", type="encoder")
BUILTIN_MODELS = {spec.name: spec for spec in (BUILTIN_TEXT2SQL, ECHO, BUILTIN_ENCODER)}


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """One replica of a model, as it is now.

    `starts` counts how often it was started: more than 1 means that it died and was restarted. `paused_seconds` is for
    how long its service still asks for a pause (Retry-After).
    """

    name: str
    alive: bool
    starts: int = 1
    pid: int = 0
    node: str = ""
    answered: int = 0
    failed: int = 0
    retries: int = 0
    under_way: int = 0
    paused_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A deployed model and its replicas."""

    spec: ModelSpec
    replicas: tuple[ReplicaStatus, ...] = field(default_factory=tuple)


class Fleet(ABC):
    """Where a connection's models run: this process, or a cluster."""

    description: str  # Where the models run, for messages: 'this process' or a cluster's address.
    address: str | None  # The cluster's address; None: the models run in this process alone.

    @abstractmethod
    def deployed(self) -> Mapping[str, ModelSpec]:
        """Return what was deployed, by name."""

    @abstractmethod
    def router(self, spec: ModelSpec) -> Router:
        """Return the router of a deployed model. Called in the event loop."""

    @abstractmethod
    def deploy(self, spec: ModelSpec) -> str:
        """Deploy, and return what happened: 'deployed', 'rolled out' or 'unchanged'.

        Raises:
            DeployError: the engine did not start; nothing was changed.
        """

    @abstractmethod
    def undeploy(self, name: str) -> None:
        """Undeploy the model.

        Raises:
            UnknownModelError: no model has that name.
        """

    @abstractmethod
    def scale(self, name: str, num_workers: int) -> str:
        """Give the model so many replicas, and return what happened.

        Raises:
            UnknownModelError: no model has that name.
            DeployError: a new replica did not start; nothing was changed.
        """

    @abstractmethod
    def status(self, name: str) -> ModelStatus:
        """Return the model's replicas as they are now.

        Raises:
            UnknownModelError: no model has that name.
        """


def find_model(fleet: Fleet, name: str) -> ModelSpec:
    """Return the spec of the model of that name.

    Raises:
        UnknownModelError: it is not deployed; the hint names the near ones.
    """
    deployed = {**BUILTIN_MODELS, **fleet.deployed()}
    if name not in deployed:
        raise unknown_model(name, deployed, fleet.address)
    return deployed[name]


def unknown_model(name: str, deployed: Mapping[str, ModelSpec], cluster: str | None = None) -> UnknownModelError:
    """Return the error that a name which is not deployed, here or on that cluster, deserves.

    Args:
        name: as it was typed.
        deployed: all models, by name.
        cluster: its address, for the hint.
    """
    hint = f"type: quackllm list{cluster_option(cluster)}   to see what is deployed"
    if difflib.get_close_matches(name, deployed):
        hint = did_you_mean(name, deployed)
    return UnknownModelError(f"no model is called {name!r}", hint=hint)
