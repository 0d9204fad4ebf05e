"""The flags that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer


def deployed_names(incomplete: str) -> list[str]:
    """Return the names in `models.yaml` that begin like this: what the shell offers after Tab."""
    from ...workers.deployments.models_yaml import read_models

    return [name for name in read_models() if name.startswith(incomplete)]


Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        "--ray-address",
        help="Ray's address, or 'auto' for this machine's. Left out: models answer in the process that asks.",
    ),
]
DefaultModel = Annotated[str | None, typer.Option(help="The model where none is named.", autocompletion=deployed_names)]
Name = Annotated[str, typer.Argument(help="The model's name.", autocompletion=deployed_names)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DatabaseFile = Annotated[
    str | None,
    typer.Option("--database", "-d", metavar="FILE|:sample", help="A DuckDB file, or a sample database: see --help."),
]
