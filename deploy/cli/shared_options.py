"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer


def deployed_names(incomplete: str) -> list[str]:
    """Return the names in `models.yaml` with this prefix, for the shell's Tab completion."""
    from ...workers.deployments.models_yaml import read_models

    return [name for name in read_models() if name.startswith(incomplete)]


Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        "--ray-address",
        help="Ray's address, or 'auto' for this machine's. Left out: models run in this process.",
    ),
]
DefaultModel = Annotated[str | None, typer.Option(help="The default model.", autocompletion=deployed_names)]
Name = Annotated[str, typer.Argument(help="The model's name.", autocompletion=deployed_names)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DatabaseFile = Annotated[
    str | None,
    typer.Option("--database", "-d", metavar="FILE|:sample", help="A DuckDB file, or a sample database: see --help."),
]
