"""Where the command line's models are: in the process that asks, or on a Ray that outlives the command."""

from __future__ import annotations

import os

from ...workers.errors import RequestError

RAY_JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Ray sets it for the command of a `ray job submit`."""


def resolve_cluster(cluster: str | None) -> str | None:
    """Return the cluster that was meant; without a word, a command that runs as a Ray job means its own.

    Raises:
        RequestError: the cluster is 'local', which would end with this command.
    """
    if cluster == "local":
        raise RequestError(
            "--cluster local starts a Ray that ends with this command",
            hint="type: ray start --head   and then --cluster auto\nor, in Python: quackllm.deploy(…, cluster='local')",
        )
    return "auto" if cluster is None and RAY_JOB_VARIABLE in os.environ else cluster
