"""Presets for the services that are deployed as `saas/NAME`: base URL, default model, where the key is looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import SetupError, near_names


@dataclass(frozen=True, slots=True)
class Service:
    """A service that answers over HTTP."""

    engine: str
    model: str
    base_url: str | None = None
    key_variable: str | None = None

    def settings(self) -> dict[str, Any]:
        """The engine settings that the preset stands for; a deployment's own come after them."""
        key = {"api_key": f"env:{self.key_variable}"} if self.key_variable else {}
        url = {"base_url": self.base_url} if self.base_url else {}
        return {"model": self.model, **url, **key}


SERVICES: dict[str, Service] = {}


def find_service(name: str) -> Service:
    """Return the preset of that name.

    Raises:
        SetupError: no service has that name.
    """
    if name not in SERVICES:
        raise SetupError(f"no service is called saas/{name}", hint=near_names(name, SERVICES))
    return SERVICES[name]
