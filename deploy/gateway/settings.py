"""The gateway's settings: each field is an option of `quackllm serve`."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ...workers.errors import SetupError
from ...workers.home import home_folder
from ...workers.sandbox import SandboxLimits
from .auth.api_keys import read_keys


class GatewaySettings(BaseModel):
    """The settings of one gateway; they are sent unchanged to the replicas of Ray Serve."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="the address to listen on; only this machine unless there are keys")
    port: int = Field(8000, ge=0, le=65535, description="the port to listen on; 0: any free port")
    host_names: tuple[str, ...] = Field((), description="further names of the host, if it is behind a proxy")
    cluster: str | None = Field(None, description="Ray's address, or 'auto'; left out: models answer in this process")
    keys: Path | None = Field(None, description="the file of API keys; left out: `keys.yaml` in QUACKLLM_HOME")
    databases: Path | None = Field(None, description="names and URLs; left out: `databases.yaml` in QUACKLLM_HOME")
    database_urls: dict[str, SecretStr] = Field({}, description="names and URLs, in place of the file")
    replicas: int = Field(2, ge=1, description="gateways on a cluster")
    most_body_bytes: int = Field(
        8 << 20, ge=1024, description="maximum size of a request's body; a larger one gets 413"
    )
    most_held_bytes: int = Field(
        256 << 20, ge=1024, description="maximum size of all bodies of requests in flight; more get 503"
    )
    most_at_once: int = Field(
        2000, ge=1, description="maximum number of requests in flight in one process; more get 503"
    )
    most_connections: int = Field(
        5000, ge=1, description="maximum number of open connections of one process; more get 503"
    )
    request_seconds: float = Field(600.0, gt=0, description="time limit of an answer")
    statement_seconds: float = Field(30.0, gt=0, le=30, description="time limit of a query or a select list")
    statement_megabytes: int = Field(512, ge=64, description="memory limit of a query or a select list")
    body_seconds: float = Field(30.0, gt=0, description="time limit for a client to send its request")

    @property
    def keys_path(self) -> Path:
        """The file of API keys."""
        return self.keys or home_folder() / "keys.yaml"

    @property
    def databases_path(self) -> Path | None:
        """The file of the databases that can be queried; None: only those of `database_urls`."""
        return self.databases or (None if self.database_urls else home_folder() / "databases.yaml")

    @property
    def statement_limits(self) -> SandboxLimits:
        """Memory and time limits of one database query, or of one select list."""
        return SandboxLimits(self.statement_megabytes, self.statement_seconds)

    @property
    def open_to_network(self) -> bool:
        """Whether other machines can reach the address."""
        if self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True

    def check(self) -> None:
        """Check that a gateway that is open to the network has an API key.

        Raises:
            SetupError: it has no key, or the keys' file cannot be read.
        """
        if self.open_to_network and not read_keys(self.keys_path):
            raise SetupError(
                f"the gateway would answer whoever reaches {self.host}, and there is no API key",
                hint="type: quackllm keys add NAME   or leave --host out: it then listens on 127.0.0.1",
            )
