"""Servers that do not answer, disks that are full, files that are damaged, losses that are not finite."""

import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from ray.cluster_utils import Cluster

from cluster.storage.uri import StorageURI
from tests.cluster.storage.proxy import Fault, Proxy, proxy_to
from tests.cluster.storage.s3_environment import s3_client, s3_environment
from tests.cluster.tracking.test_reconnecting import server as mlflow_server
from tests.faults.kills import Outcome, killed
from tests.faults.lab import LENGTH, Study
from tests.serving import free_port, mocked_aws

ROOT = Path(__file__).parents[2]
CHECKPOINT_EVERY = int(LENGTH[LENGTH.index("--checkpoint_every") + 1])


@contextmanager
def bucket() -> Iterator[Proxy]:
    """An S3 server with a bucket `lab`, behind a proxy that this process and its children use."""
    with mocked_aws() as url, proxy_to(url) as proxy, s3_environment(proxy.url):
        s3_client().create_bucket(Bucket="lab")
        yield proxy


def storage_fails(study: Study, proxy: Proxy, fault: Fault, seconds: float) -> Outcome:
    """Let all requests to the study's storage fail for some seconds while it trains, or until it has trained to its end."""
    study.start()
    study.until(lambda: sum(study.trained().values()) > 0)
    proxy.always = fault
    time.sleep(seconds)
    proxy.always = Fault()
    before = sum(study.trained().values())
    took = study.until(lambda: sum(study.trained().values()) > before or study.states() == ["COMPLETED"])
    code = study.end()
    return Outcome(study.said("sync ") or study.said("storage ") or f"exit code {code}", took, 0)


def mlflow_dies(study: Study) -> Outcome:
    """Kill the MLflow server while the study trains; start it again afterwards, and the same command."""
    port = free_port()
    study.environment = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
    with mlflow_server(port, study.folder):
        study.start()
        study.until(lambda: sum(study.trained().values()) > 0)
    assert study.end() == 0
    said = study.said("MLflow ")
    with mlflow_server(port, study.folder):
        began = time.monotonic()
        study.start()
        assert study.end() == 0
    assert "NOT COMPLETE" in said and "NOT COMPLETE" not in study.said("MLflow ")
    return Outcome(said, time.monotonic() - began, 0)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A disk of so many bytes at a folder. Needs root."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "faults", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def make_room(folder: Path) -> None:
    """Let a small disk be a larger one."""
    subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)


def disk_is_full(study: Study) -> Outcome:
    """Give the study a disk of one megabyte, then a larger one, and run the same command. Needs root."""
    with small_disk(study.study, "1m"):
        study.start()
        assert study.end() == 1
        said = study.console.read_text().splitlines()[-1]
        kept = sum(study.kept().values())
        make_room(study.study)
        before = study.trained()
        study.start()
        took = study.until(lambda: study.trained() != before)
        assert study.end() == 0
        shown = study.folder / "kept"
        subprocess.run(["cp", "-a", str(study.study), str(shown)], check=True)
    study.study.rmdir()
    shown.rename(study.study)
    return Outcome(said, took, sum(before.values()) - kept)


def cache_is_full(study: Study) -> Outcome:
    """Give the local copies of data sets a disk of 16 kB, then a larger one, and run the same command. Needs root."""
    cache = study.folder / "cache"
    study.environment = {"FACEGAN_CACHE": str(cache)}
    with small_disk(cache, "16k"):
        study.start()
        assert study.end() in (1, 2)
        said = study.console.read_text().splitlines()[-1]
        make_room(cache)
        study.start()
        took = study.until(lambda: sum(study.trained().values()) > 0)
        assert study.end() == 0
    return Outcome(said, took, 0)


def node_is_taken_back(study: Study) -> Outcome:
    """Tell the workers, as a spot node is told, that their node ends soon, and then kill one between two usual checkpoints."""
    notice = study.folder / "notice"
    study.environment = {"FACEGAN_NOTICE": str(notice)}
    study.start()
    study.until(lambda: sum(study.trained().values()) > 0)
    notice.touch()
    study.until(lambda: any(images % CHECKPOINT_EVERY for images in study.kept().values()))
    outcome = killed(study, "worker")
    notice.unlink()
    assert study.end() == 0
    return outcome


def a_shard_is_damaged(study: Study, data: StorageURI) -> Outcome:
    """Flip a byte of a clip before this machine has a copy of it; run the printed cure, and the same command."""
    shard = next(entry.key for entry in data.entries("clips/") if entry.key.endswith(".parquet"))
    content = bytearray(data.read(shard))
    content[len(content) // 2] ^= 1
    data.write(shard, bytes(content))
    study.start()
    code = study.end()
    said = study.console.read_text().splitlines()[-1]
    assert code in (1, 2), said
    began = time.monotonic()
    cure = next(line for line in study.console.read_text().splitlines() if "repair it with " in line)
    words = shlex.split(cure.rpartition("repair it with ")[2])
    subprocess.run([sys.executable, str(ROOT / words[0]), *words[1:]], cwd=study.folder, check=True, capture_output=True)
    study.start()
    took = study.until(lambda: sum(study.trained().values()) > 0) + time.monotonic() - began
    assert study.end() == 0
    return Outcome(said, took, 0)


def a_node_is_lost(study: Study) -> Outcome:
    """A node of a cluster dies while it trains, and another one joins."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "dashboard_port": free_port()})
    try:
        node = cluster.add_node(num_cpus=1)
        study.environment = {"RAY_ADDRESS": cluster.address}
        study.start()
        study.until(lambda: sum(study.kept().values()) > 0)
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        # All at once: a worker whose raylet is killed would go on for a while, and a raylet would tell of a killed worker.
        workers = raylet.children(recursive=True)
        raylet.suspend()
        for process in (*workers, raylet):
            process.kill()
        trained, kept, resumed = study.trained(), study.kept(), study.resumed()
        cluster.add_node(num_cpus=1)
        took = study.until(lambda: study.resumed() != resumed and sum(study.trained().values()) > sum(kept.values()))
        assert study.end() == 0
    finally:
        cluster.shutdown()
    return Outcome(study.said("trial "), took, sum(trained[key] - kept.get(key, 0) for key in trained))


def a_term_is_not_finite(study: Study) -> Outcome:
    """A weight with which the gradient is too large for float32."""
    study.start()
    assert study.end() == 1
    assert study.states() == ["DIVERGED"]
    return Outcome(f"{study.said('  DIVERGED').strip()} / {study.said('no result')}", 0, 0)
