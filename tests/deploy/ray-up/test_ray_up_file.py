from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError
from ray.autoscaler import sdk

from support.deploy_files import RAY_UP, ROOT, load


def loaded(cluster: dict[str, Any]) -> dict[str, Any]:
    """Return the cluster as `ray up` reads it before it reaches for a machine."""
    read: dict[str, Any] = sdk.bootstrap_config(cluster, no_config_cache=True)
    return read


def test_ray_takes_the_file() -> None:
    cluster = load(RAY_UP)
    read = loaded(cluster)
    (kind,) = read["available_node_types"].values()
    assert kind["min_workers"] == kind["max_workers"] == len(cluster["provider"]["worker_ips"])


def test_ray_would_refuse_a_field_that_it_does_not_know() -> None:
    with pytest.raises(ValidationError, match="'dockerr' was unexpected"):
        loaded({**load(RAY_UP), "dockerr": {}})


def test_what_it_copies_to_the_machines_is_there() -> None:
    mine = [local for local in load(RAY_UP)["file_mounts"].values() if not local.startswith("~")]
    assert mine
    assert all((ROOT / local).is_file() for local in mine)


def test_the_image_has_what_ray_up_expects_of_one() -> None:
    dockerfile = Path(ROOT / "deploy/docker/Dockerfile").read_text("utf-8")
    assert "HOME=/home/quackllm " in dockerfile, "ray up reads the home folder out of the image's environment"
    assert "rsync" in dockerfile
    assert "ENTRYPOINT" not in dockerfile, "ray up starts bash in it"
    assert all(remote.startswith("/home/quackllm/") for remote in load(RAY_UP)["file_mounts"])
