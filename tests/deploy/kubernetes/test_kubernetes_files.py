from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from support.deploy_files import KUBERNETES, ROOT, inside, objects

SCHEMAS = json.loads((Path(__file__).parents[2] / "support" / "schemas" / "kuberay.json").read_text("utf-8"))
OBJECTS = list(objects())
OURS = [(name, found) for name, found in OBJECTS if found["apiVersion"] == "ray.io/v1"]
PODS = [pod for _, found in OBJECTS for pod in inside(found, "template")]


def complaints(found: dict[str, Any]) -> list[str]:
    validator = Draft202012Validator({"$ref": f"#/{found['kind']}", **SCHEMAS})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(found)]


def cluster() -> dict[str, Any]:
    return next(found for _, found in OURS if found["kind"] == "RayCluster")


@pytest.mark.parametrize(("name", "found"), OURS, ids=[name for name, _ in OURS])
def test_kuberay_takes_the_object(name: str, found: dict[str, Any]) -> None:
    assert not complaints(found)


def test_kuberay_would_refuse_a_field_that_it_does_not_know() -> None:
    wrong = copy.deepcopy(cluster())
    wrong["spec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["imagee"] = "quackllm"
    wrong["spec"]["workerGroupSpecs"][1]["replicas"] = "one"
    refused = complaints(wrong)
    assert len(refused) == 2
    assert "'imagee' was unexpected" in refused[0]


@pytest.mark.parametrize("kind", ["RayCluster", "RayJob", "RayService"])
def test_there_is_an_example_of_each_kind(kind: str) -> None:
    assert kind in {found["kind"] for _, found in OURS}


@pytest.mark.parametrize("pod", PODS, ids=range(len(PODS)))
def test_pods_are_valid_and_run_without_rights(pod: dict[str, Any]) -> None:
    head = copy.deepcopy(cluster())
    head["spec"]["headGroupSpec"]["template"] = pod  # Redis' pod too is checked by the schema of pods that KubeRay has.
    assert not complaints(head)
    assert pod["spec"]["securityContext"]["runAsNonRoot"]
    for container in pod["spec"]["containers"]:
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]


def test_volumes_are_there() -> None:
    for pod in PODS:
        volumes = {volume["name"] for volume in pod["spec"].get("volumes", ())}
        mounts = {mount["name"] for box in pod["spec"]["containers"] for mount in box.get("volumeMounts", ())}
        assert mounts == volumes
    claimed = {name for pod in PODS for name in inside(pod, "claimName")}
    assert claimed == {found["metadata"]["name"] for _, found in OBJECTS if found["kind"] == "PersistentVolumeClaim"}


def test_versions_are_those_that_the_tests_run_with() -> None:
    pinned = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    assert pinned
    assert set(inside([found for _, found in OURS], "rayVersion")) == {pinned[1]}


def test_jobs_find_their_cluster() -> None:
    named = {selector["ray.io/cluster"] for _, found in OURS for selector in inside(found, "clusterSelector")}
    assert named == {cluster()["metadata"]["name"]}


def test_the_ray_cluster_finds_its_redis() -> None:
    parts = {found["kind"]: found for name, found in OBJECTS if name == "redis.yaml"}
    service, pod = parts["Service"], parts["Deployment"]["spec"]["template"]
    address = f"{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    assert cluster()["spec"]["gcsFaultToleranceOptions"]["redisAddress"] == address
    assert service["spec"]["selector"] == pod["metadata"]["labels"]
    assert parts["Deployment"]["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
    secrets = [*inside(pod, "secretKeyRef"), *inside(cluster()["spec"]["gcsFaultToleranceOptions"], "secretKeyRef")]
    assert len({str(secret) for secret in secrets}) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray Serve's own, when it is loaded
def test_the_service_is_an_application_of_ours() -> None:
    from quackllm.deploy.gateway.serving import ray_service
    from ray._common.utils import import_attr
    from ray.serve.schema import ServeDeploySchema

    (config,) = [yaml.safe_load(text) for _, found in OURS for text in inside(found, "serveConfigV2")]
    ServeDeploySchema.model_validate(config)
    (application,) = config["applications"]
    assert import_attr(application["import_path"]) is ray_service.application
    settings = ray_service.ServiceSettings.model_validate(application["args"])
    mounts = {
        mount["mountPath"] for pod in PODS for box in pod["spec"]["containers"] for mount in box.get("volumeMounts", ())
    }
    assert {str(path.parent) for path in (settings.models, settings.keys)} <= mounts


def test_ray_lets_in_only_who_has_the_token() -> None:
    modes = [options["mode"] for _, found in OURS for options in inside(found, "authOptions")]
    made = [found for _, found in OURS if [*inside(found, "headGroupSpec")]]
    assert modes == ["token"] * len(made)


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_what_the_comments_name_is_there(path: Path) -> None:
    named = re.findall(r"(?:-f |=)(deploy/\S+)", path.read_text("utf-8"))
    assert not [name for name in named if not (ROOT / name).exists()]
