"""`quackllm scale`: more replicas of a model on a cluster, or fewer."""

from __future__ import annotations

from typing import Annotated

import typer

from .... import workers
from ...terminal_output import print_line, show_json
from ..cluster_option import resolve_cluster
from ..shared_options import Cluster, Json, Name


def scale(
    name: Name,
    num_workers: Annotated[int, typer.Argument(min=1, help="The number of replicas.")],
    cluster: Cluster = None,
    json: Json = False,
) -> None:
    """Give a model on a cluster more replicas, or fewer.

    On the Ray cluster of this machine:

        quackllm scale qianwen_chat 4 --cluster auto

    New replicas answer as soon as they have started; surplus ones finish the requests that they have, then end.
    Running statements use the new number within seconds.
    """
    outcome = workers.scale(name, num_workers, cluster=resolve_cluster(cluster) or "auto")
    if json:
        show_json({"name": name, "outcome": outcome})
    else:
        print_line(f"{name}: {outcome}")
