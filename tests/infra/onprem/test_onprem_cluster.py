"""infra/onprem/cluster.yaml: against Ray's schema, and which files rsync copies to the nodes."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ONPREM = Path(__file__).parents[3] / "infra" / "onprem" / "cluster.yaml"


@pytest.fixture
def onprem() -> dict[str, Any]:
    return dict(yaml.safe_load(ONPREM.read_text()))


def test_cluster_file_passes_rays_schema(onprem: dict[str, Any]) -> None:
    prepared = prepare_config(onprem)
    validate_config(prepared)
    assert prepared["available_node_types"]["local.cluster.node"]["min_workers"] == 2


def test_head_runs_no_trials_and_uses_the_first_autoscaler(onprem: dict[str, Any]) -> None:
    start = onprem["head_start_ray_commands"][-1]
    assert "--num-cpus=0" in start and "--num-gpus=0" in start
    # `ray up` sets the variable to 1 before the command, so the command has to set it before `ray start`.
    assert "RAY_enable_autoscaler_v2=0" in start[: start.index("ray start")]


def test_rsync_copies_all_code_and_no_data(onprem: dict[str, Any], tmp_path: Path) -> None:
    excluded = [f"--exclude={pattern}" for pattern in onprem["rsync_exclude"]]
    if not shutil.which("rsync"):
        pytest.skip("not installed: rsync")
    for name in ("facegan/data/clip.py", "data/big", "studies/big", ".venv/bin/python", "jobs/ablate.py"):
        (tmp_path / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "clone" / name).touch()
    subprocess.run(["rsync", "-a", *excluded, f"{tmp_path}/clone/", f"{tmp_path}/node/"], check=True)
    copied = {path.relative_to(tmp_path / "node").as_posix() for path in (tmp_path / "node").rglob("*") if path.is_file()}
    assert copied == {"facegan/data/clip.py", "jobs/ablate.py"}
