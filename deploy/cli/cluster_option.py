"""The option --cluster: models in this process, or on a Ray cluster that outlives the command."""

from __future__ import annotations

import os

from ...workers.errors import RequestError

# Ray sets it for the command of a `ray job submit`.
RAY_JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"


def resolve_cluster(cluster: str | None) -> str | None:
    """Return the cluster's address; None in a Ray job: the job's own cluster.

    Raises:
        RequestError: the cluster is 'local', a Ray that would end with this command.
    """
    if cluster == "local":
        raise RequestError(
            "--cluster local starts a Ray that ends with this command",
            hint="type: ray start --head   and then --cluster auto\nor, in Python: quackllm.deploy(…, cluster='local')",
        )
    return "auto" if cluster is None and RAY_JOB_VARIABLE in os.environ else cluster
