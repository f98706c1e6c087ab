"""Run infra/onprem/cluster.yaml: `ray up`, a study on S3, a worker cut off from the network, MLflow through a tunnel, down.sh.

The hosts are namespaces of this machine (lab.py). The repository's files are used unchanged but for addresses and user.
"""

import json
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from tests.hosts.lab import Lab, hosts_on_this_machine, missing, wait_until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.ray,
    pytest.mark.s3,
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=missing()),
]
NODES = ("head", "one", "two")
ENVIRONMENT = """AWS_ENDPOINT_URL=http://{storage}:9000
AWS_ACCESS_KEY_ID=lab
AWS_SECRET_ACCESS_KEY=secret-of-the-lab
AWS_DEFAULT_REGION=us-east-1
AWS_EC2_METADATA_DISABLED=true
MLFLOW_TRACKING_URI=http://127.0.0.1:5000
RAY_AUTH_MODE=token
RAY_AUTH_TOKEN={token}
"""
TOKEN = "0123456789abcdef" * 4
WITH_SECRETS = "set -a && . ~/.facegan/cluster.env && set +a && cd ~/facegan && "
ON_NODE = "set -a && . ~/.facegan/node.env && set +a && cd ~/facegan && "
UPLOAD = """
from pathlib import Path
import boto3
from cluster.storage.uri import StorageURI
boto3.client("s3").create_bucket(Bucket="lab")
for path in (p for p in Path("/root/clips").rglob("*") if p.is_file()):
    StorageURI("s3://lab/clips").write(path.relative_to("/root/clips").as_posix(), path.read_bytes())
"""
STUDY = (
    "jobs/ablate.py --source s3://lab/clips --data s3://lab/set --study s3://lab/study --arms no_consistency full --seeds 0 1 "
    "--images 1600 --report_every 8 --checkpoint_every 80 --start random --data.size 32 --vgg.weights random --vgg.width 4 "
    "--model.generator_width 4 --model.discriminator_width 4"
)
LEFT_FILES = 'for f in ray_bootstrap_* .facegan/node.env /tmp/ray/*.state; do if [ -e "$f" ]; then echo "$f"; fi; done'
TRIAL = "ray::ImplicitFunc"
"""Prefix of the command line of a Tune trial."""


@dataclass
class StudyRun:
    """Observations while the study ran."""

    log: str = ""
    trials: dict[str, int] = field(default_factory=dict)
    """Largest number of trials at the same time, by host."""
    rejoined_after: float = 0.0
    """Seconds from the reconnection of the host to a running raylet on it."""


@pytest.fixture(scope="module")
def lab(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Hosts: a caller, a head, two workers, and an S3 server with clips. MLflow runs on the head."""
    folder = tmp_path_factory.mktemp("lab")
    with hosts_on_this_machine(folder, ["caller", *NODES, "storage"]) as lab:
        caller = lab["caller"]
        caller.write(".facegan/cluster.env", ENVIRONMENT.format(storage=lab["storage"].address, token=TOKEN))
        caller.write(".ssh/facegan", (folder / "key").read_text())
        fill_in(lab)
        s3, mlflow = folder / "s3.out", folder / "mlflow.out"
        lab.start("storage", f"facegan/.venv/bin/moto_server -H {lab['storage'].address} -p 9000", s3)
        lab.start(
            "head",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false facegan/.venv/bin/mlflow server --host 127.0.0.1 --port 5000 --workers 1 "
            "--backend-store-uri sqlite:///mlflow.db --artifacts-destination mlartifacts",
            mlflow,
        )
        wait_until(lambda: "Running on" in s3.read_text(), 60, "the S3 server", s3.read_text)
        shutil.copytree(clips, caller.folder / "clips")
        caller.write("upload.py", UPLOAD)
        caller.run(f"{WITH_SECRETS}.venv/bin/python ~/upload.py", seconds=100)
        wait_until(lambda: "startup complete" in mlflow.read_text(), 90, "MLflow", mlflow.read_text)
        yield lab


def fill_in(lab: Lab) -> None:
    """Put the addresses and the user of the hosts into the caller's copy of infra/onprem/cluster.yaml."""
    path, caller = "facegan/infra/onprem/cluster.yaml", lab["caller"]
    text = caller.run(f"cat {path}")
    mine = {"192.0.2.10": lab["head"].address, "192.0.2.11": lab["one"].address, "192.0.2.12": lab["two"].address}
    for theirs, ours in (mine | {"ssh_user: ubuntu": "ssh_user: root"}).items():
        assert text.count(theirs) == 1, theirs
        text = text.replace(theirs, ours)
    caller.write("cluster.yaml", text)
    caller.run(f"cp cluster.yaml {path}")


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Lab:
    """The hosts after `ray up infra/onprem/cluster.yaml`; the caller has a tunnel to the dashboard and to MLflow."""
    caller = lab["caller"]
    caller.run("cd facegan && .venv/bin/ray up --yes infra/onprem/cluster.yaml", seconds=150)
    caller.run(
        "ssh -fN -i ~/.ssh/facegan -o StrictHostKeyChecking=no -o ExitOnForwardFailure=yes "
        "-L 8265:127.0.0.1:8265 -L 5000:127.0.0.1:5000 head > /dev/null 2>&1"
    )
    wait_until(
        lambda: {node for node in NODES if has_raylet(lab, node)} == set(NODES), 120, "three raylets", lambda: autoscaler(lab)
    )
    for node in NODES:  # a raylet starts its agent, which opens its port some seconds later
        wait_until(partial(agent_listens, lab, node), 60, f"the agent of {node}", lambda: autoscaler(lab))
    return lab


def has_raylet(lab: Lab, name: str) -> bool:
    return any("/raylet/raylet" in line for line in lab[name].processes())


def agent_listens(lab: Lab, name: str) -> bool:
    return ":52365 " in lab[name].run("ss --listening --tcp --numeric")


def autoscaler(lab: Lab) -> str:
    return lab["head"].run("tail -n 80 /tmp/ray/session_latest/logs/monitor.*", check=False)


def trials_on(lab: Lab, name: str) -> int:
    return sum(line.startswith(TRIAL) for line in lab[name].processes())


@pytest.fixture(scope="module")
def study_run(cluster: Lab) -> StudyRun:
    """A submitted study that has ended; worker `two` was cut off for 20 seconds during training."""
    run, log = StudyRun(), cluster.folder / "job.out"
    submit = f"{WITH_SECRETS}PYTHONUNBUFFERED=1 .venv/bin/ray job submit --address http://127.0.0.1:8265 -- python {STUDY}"
    job = cluster.start("caller", submit, log)

    def trains_on_both() -> bool:
        assert job.poll() is None, log.read_text()[-4000:]
        for node in NODES:
            run.trials[node] = max(run.trials.get(node, 0), trials_on(cluster, node))
        return bool(re.search(r"train +[1-9]\d*%", log.read_text())) and min(trials_on(cluster, n) for n in ("one", "two")) > 0

    wait_until(trains_on_both, 240, "trials on both workers", log.read_text)
    cluster.cut("two")
    time.sleep(20)
    cluster.mend("two")
    wait_until(
        lambda: not has_raylet(cluster, "two"), 60, "the exit of the raylet that was marked dead", lambda: autoscaler(cluster)
    )
    run.rejoined_after = wait_until(lambda: has_raylet(cluster, "two"), 120, "a new raylet on two", lambda: autoscaler(cluster))
    wait_until(lambda: job.poll() is not None, 300, "the study's end", log.read_text)
    run.log = log.read_text()
    assert job.returncode == 0, run.log[-6000:]
    return run


def test_secrets_are_in_no_command_line_and_readable_by_their_owner_only(cluster: Lab) -> None:
    for node in NODES:
        assert "secret-of-the-lab" not in str(cluster[node].processes()) and TOKEN not in str(cluster[node].processes())
        assert cluster[node].run("stat -c %a .facegan/node.env").strip() == "600"


def test_doctor_passes_on_every_host(cluster: Lab) -> None:
    def run_doctor(name: str) -> str:
        secrets, more = (WITH_SECRETS, "") if name == "caller" else (ON_NODE, " --mlflow no" if name != "head" else "")
        return cluster[name].run(f"{secrets}.venv/bin/python jobs/doctor.py --storage s3://lab/doctor{more}", seconds=150)

    with ThreadPoolExecutor() as pool:
        outputs = dict(zip(("caller", *NODES), pool.map(run_doctor, ("caller", *NODES)), strict=True))
    for name, lines in outputs.items():
        assert "FAIL" not in lines and re.search(
            r"^ok +storage +s3://lab/doctor wrote, read and deleted", lines, re.MULTILINE
        ), name
        assert re.search(r"^ok +clock ", lines, re.MULTILINE) and re.search(r"^ok +Ray token", lines, re.MULTILINE), lines
    assert "and Ray runs here" in outputs["one"] and re.search(r"^ok +MLflow", outputs["head"], re.MULTILINE)


def test_dashboard_is_not_reachable_from_another_host(cluster: Lab) -> None:
    assert cluster["storage"].run(f"exec 3<> /dev/tcp/{cluster['head'].address}/22") == "", "the head is not reachable at all"
    output = cluster["storage"].run(
        f"curl -s -o /dev/null -w '%{{http_code}}' http://{cluster['head'].address}:8265/api/version", check=False
    )
    assert output == "000", "the dashboard answers beyond the head's loopback"
    assert cluster["caller"].run("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8265/api/version") == "401"


def test_study_on_a_local_folder_of_the_head_is_rejected(cluster: Lab) -> None:
    """The driver of a job runs on the head, but workers need the folder too."""
    study = STUDY.replace("s3://lab/study", "here")
    output = cluster["caller"].run(
        f"{WITH_SECRETS}.venv/bin/ray job submit --address http://127.0.0.1:8265 -- python {study}", check=False, seconds=200
    )
    address = f"({cluster['one'].address}|{cluster['two'].address})"
    assert re.search(rf"ablate.py: --study: node {address} does not see .*here/plan.json; name a folder", output), output[
        -3000:
    ]


def test_trials_run_on_both_workers_and_never_on_the_head(study_run: StudyRun) -> None:
    assert study_run.trials["head"] == 0
    assert study_run.trials["one"] and study_run.trials["two"], study_run.trials


def test_study_completes_although_a_worker_is_cut_off(study_run: StudyRun, cluster: Lab) -> None:
    assert "has been marked dead" in study_run.log and "Job 'raysubmit" in study_run.log
    summary = json.loads(stored(cluster, "summary.json"))
    assert [trial["state"] for trial in summary["trials"]] == ["COMPLETED"] * 4
    for trial in summary["trials"]:
        rows = stored(cluster, f"trials/{trial['key']}/metrics.jsonl").splitlines()
        assert [json.loads(row)["images"] for row in rows] == list(range(8, 1601, 8)), "rows are missing or duplicated"


def stored(cluster: Lab, key: str) -> str:
    """Text of an object of the study, read by the caller."""
    read = f"from cluster.storage.uri import StorageURI; print(StorageURI('s3://lab/study').read('{key}').decode(), end='')"
    return cluster["caller"].run(f'{WITH_SECRETS}.venv/bin/python -c "{read}"')


def test_cut_off_worker_rejoins_within_a_minute(study_run: StudyRun) -> None:
    assert study_run.rejoined_after < 60


def test_mlflow_shows_the_runs_through_the_tunnel(study_run: StudyRun, cluster: Lab) -> None:
    ask = (
        "import json; from mlflow import MlflowClient; c = MlflowClient('http://127.0.0.1:5000'); "
        "runs = c.search_runs([c.get_experiment_by_name('facegan').experiment_id]); "
        "print('RUNS', json.dumps([[r.data.tags['kind'], r.info.status] for r in runs]))"
    )
    output = cluster["caller"].run(f'{WITH_SECRETS}.venv/bin/python -c "{ask}"', seconds=100)
    runs = json.loads(output[output.index("RUNS") + 5 :].splitlines()[0])
    assert sorted(runs) == [["study", "FINISHED"], *[["trial", "FINISHED"]] * 4]


def test_down_leaves_no_process_no_key_and_no_secret(study_run: StudyRun, cluster: Lab) -> None:
    assert "node.env" in cluster["head"].run(LEFT_FILES), "the files to be removed did not exist"
    output = cluster["caller"].run(f"{WITH_SECRETS}infra/onprem/down.sh", seconds=150)
    assert output.count("ok ") == 3, output
    for node in NODES:
        left = [line for line in cluster[node].processes() if "mlflow" not in line and not line.startswith("sshd")]
        assert left == []
        assert cluster[node].run(LEFT_FILES) == ""
