"""The gateway on a cluster: the same application as several replicas of a Ray Serve deployment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

from ray import serve
from ray.serve.config import HTTPOptions
from ray.serve.context import _get_global_client
from ray.serve.schema import LoggingConfig

from ....workers import connect_fleet
from ....workers.errors import SetupError
from ....workers.home import home_folder
from ..app import create_app
from ..auth.async_ledger import open_shared_ledger
from ..settings import GatewaySettings

APP = "quackllm"


@serve.deployment(name="gateway")
@serve.ingress()
class GatewayReplica:
    """One replica; Ray Serve starts another when it dies."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings

    def __serve_build_asgi_app__(self) -> Any:
        """Return the application, created in the replica."""
        return create_app(self.settings)


def serve_on_ray(settings: GatewaySettings, print_line: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; if this process is killed, the replicas keep running.

    Raises:
        SetupError: no cluster answers.
    """
    settings = settings.model_copy(update={"keys": settings.keys_path.absolute()})
    deploy_application(settings)
    print_line(f"http://{settings.host}:{settings.port}")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    while not ended.wait(1.0):
        pass
    serve.delete(APP)
    if not serve.status().applications:
        serve.shutdown()  # The next gateway may listen elsewhere.


def deploy_application(settings: GatewaySettings) -> None:
    """Start the replicas, and return when they answer.

    Raises:
        SetupError: no cluster answers, or Ray Serve already listens at another address there.
    """
    options = HTTPOptions(host=settings.host, port=settings.port, request_timeout_s=settings.request_seconds)
    application = make_application(settings)
    serve.start(http_options=options, logging_config=LoggingConfig(log_level="WARNING", enable_access_log=False))
    listens = _get_global_client().http_config
    if (listens.host, listens.port) != (settings.host, settings.port):
        # Also because it might be open to the network, against the user's settings.
        hint = f"type: quackllm serve --host {listens.host} --port {listens.port}, or end it: serve shutdown"
        raise SetupError(f"Ray Serve listens on {listens.host} port {listens.port} of this cluster already", hint=hint)
    serve.run(application, name=APP, route_prefix="/")


def make_application(settings: GatewaySettings) -> serve.Application:
    """Return the Ray Serve application.

    Raises:
        SetupError: no cluster answers.
    """
    connect_fleet(settings.cluster)
    # The keys' file is on this machine, so the ledger is created here.
    open_shared_ledger(settings.keys_path, settings.cluster)
    deployment: Any = GatewayReplica  # The class after Ray Serve's decorators.
    replicas = deployment.options(
        num_replicas=settings.replicas,
        max_ongoing_requests=settings.most_at_once,
        ray_actor_options={"num_cpus": 0.01, "runtime_env": {"env_vars": {"QUACKLLM_HOME": str(home_folder())}}},
    )
    return replicas.bind(settings)
