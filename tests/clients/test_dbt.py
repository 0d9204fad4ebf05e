"""A real `dbt build` of the example project: the second run asks nothing, and a new row costs one call."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest

import quackllm
from standin.fixtures import StandIn

pytestmark = pytest.mark.clients
ROOT = Path(__file__).parents[2]
DBT = ROOT / ".venv-clients" / "dbt" / "bin" / "dbt"
EXAMPLE = ROOT / "deploy" / "examples" / "dbt"


def build(project: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(DBT), "build", "--profiles-dir", ".", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "DO_NOT_TRACK": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def project(tmp_path: Path, service: StandIn) -> Path:
    quackllm.deploy("qianwen_chat", "saas/openai", infer_params=service.openai_params())
    service.script([{"fault": "reply", "text": "praise"}])
    return Path(shutil.copytree(EXAMPLE, tmp_path / "reviews"))


def kinds(project: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(project / "reviews.duckdb", read_only=True) as connection:
        return connection.execute("SELECT id, kind FROM review ORDER BY id").fetchall()


def test_only_new_rows_are_paid_for(project: Path, service: StandIn) -> None:
    assert "PASS=7 WARN=0 ERROR=0" in build(project)
    assert service.count() == 3  # The fourth row has no body.
    assert kinds(project) == [(1, "praise"), (2, "praise"), (3, "praise"), (4, None)]
    build(project)
    assert service.count() == 3
    with (project / "seeds" / "raw_review.csv").open("a") as seed:
        seed.write("5,The bread was fresh.\n")
    build(project)
    assert service.count() == 4
    assert len(kinds(project)) == 5
    build(project, "--full-refresh")
    assert service.count() == 4  # All five are in the call store.


def test_the_plugins_options_hold_for_each_statement(project: Path, service: StandIn) -> None:
    profile = project / "profiles.yml"
    profile.write_text(profile.read_text().replace("1000", "2"))
    with pytest.raises(AssertionError, match="llm_max_calls"):
        build(project)
    assert service.count() <= 2
    profile.write_text(profile.read_text().replace("llm_max_calls", "llm_max_cals"))
    with pytest.raises(AssertionError, match=r"quackllm\.dbt has no option llm_max_cals"):
        build(project)
