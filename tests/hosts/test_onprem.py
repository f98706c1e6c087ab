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
from cluster.storage import Place
boto3.client("s3").create_bucket(Bucket="lab")
for path in (p for p in Path("/root/clips").rglob("*") if p.is_file()):
    Place("s3://lab/clips").write(path.relative_to("/root/clips").as_posix(), path.read_bytes())
"""
STUDY = (
    "jobs/ablate.py --source s3://lab/clips --data s3://lab/set --study s3://lab/study --arms no_consistency full --seeds 0 1 "
    "--images 1600 --report_every 8 --checkpoint_every 80 --data.size 32 --vgg.weights random --vgg.width 4 "
    "--model.generator_width 4 --model.discriminator_width 4"
)
LEFT_FILES = 'for f in ray_bootstrap_* .facegan/node.env /tmp/ray/*.state; do if [ -e "$f" ]; then echo "$f"; fi; done'
TRIAL = "ray::ImplicitFunc"
"""How a Tune trial's process calls itself."""


@dataclass
class Course:
    """What was seen while the study ran."""

    log: str = ""
    trials: dict[str, int] = field(default_factory=dict)
    """The most trials that were seen at once, by host."""
    back_after: float = 0.0
    """Seconds from the mended cable to a running raylet on the host that was cut off."""


@pytest.fixture(scope="module")
def lab(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A caller, a head, two workers, and an S3 server with clips; MLflow runs on the head."""
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
    """The hosts after `ray up infra/onprem/cluster.yaml`, with the caller's tunnel to the dashboard and to MLflow."""
    caller = lab["caller"]
    caller.run("cd facegan && .venv/bin/ray up --yes infra/onprem/cluster.yaml", seconds=150)
    caller.run(
        "ssh -fN -i ~/.ssh/facegan -o StrictHostKeyChecking=no -o ExitOnForwardFailure=yes "
        "-L 8265:127.0.0.1:8265 -L 5000:127.0.0.1:5000 head > /dev/null 2>&1"
    )
    wait_until(
        lambda: {node for node in NODES if has_raylet(lab, node)} == set(NODES), 120, "three raylets", lambda: autoscaler(lab)
    )
    return lab


def has_raylet(lab: Lab, name: str) -> bool:
    return any("/raylet/raylet" in line for line in lab[name].processes())


def autoscaler(lab: Lab) -> str:
    return lab["head"].run("tail -n 80 /tmp/ray/session_latest/logs/monitor.*", check=False)


def trials_on(lab: Lab, name: str) -> int:
    return sum(line.startswith(TRIAL) for line in lab[name].processes())


@pytest.fixture(scope="module")
def course(cluster: Lab) -> Course:
    """A submitted study, to its end; worker `two` is cut off for 20 seconds while it trains."""
    seen, log = Course(), cluster.folder / "job.out"
    submit = f"{WITH_SECRETS}PYTHONUNBUFFERED=1 .venv/bin/ray job submit --address http://127.0.0.1:8265 -- python {STUDY}"
    job = cluster.start("caller", submit, log)

    def trains_on_both() -> bool:
        assert job.poll() is None, log.read_text()[-4000:]
        for node in NODES:
            seen.trials[node] = max(seen.trials.get(node, 0), trials_on(cluster, node))
        return bool(re.search(r"train +[1-9]\d*%", log.read_text())) and min(trials_on(cluster, n) for n in ("one", "two")) > 0

    wait_until(trains_on_both, 240, "trials on both workers", log.read_text)
    cluster.cut("two")
    time.sleep(20)
    cluster.mend("two")
    wait_until(
        lambda: not has_raylet(cluster, "two"), 60, "the end of the raylet that was given up", lambda: autoscaler(cluster)
    )
    seen.back_after = wait_until(lambda: has_raylet(cluster, "two"), 120, "a new raylet on two", lambda: autoscaler(cluster))
    wait_until(lambda: job.poll() is not None, 300, "the study's end", log.read_text)
    seen.log = log.read_text()
    assert job.returncode == 0, seen.log[-6000:]
    return seen


def test_secrets_are_in_no_command_line_and_readable_by_their_owner_alone(cluster: Lab) -> None:
    for node in NODES:
        assert "secret-of-the-lab" not in str(cluster[node].processes()) and TOKEN not in str(cluster[node].processes())
        assert cluster[node].run("stat -c %a .facegan/node.env").strip() == "600"


def test_the_doctor_finds_every_host_fit(cluster: Lab) -> None:
    def ask(name: str) -> str:
        secrets, more = (WITH_SECRETS, "") if name == "caller" else (ON_NODE, " --mlflow no" if name != "head" else "")
        return cluster[name].run(f"{secrets}.venv/bin/python jobs/doctor.py --storage s3://lab/doctor{more}", seconds=150)

    with ThreadPoolExecutor() as pool:
        said = dict(zip(("caller", *NODES), pool.map(ask, ("caller", *NODES)), strict=True))
    for name, lines in said.items():
        assert "FAIL" not in lines and re.search(
            r"^ok +storage +s3://lab/doctor wrote, read and deleted", lines, re.MULTILINE
        ), name
        assert re.search(r"^ok +clock ", lines, re.MULTILINE) and re.search(r"^ok +Ray token", lines, re.MULTILINE), lines
    assert "and Ray runs here" in said["one"] and re.search(r"^ok +MLflow", said["head"], re.MULTILINE)


def test_a_stranger_on_the_network_cannot_submit(cluster: Lab) -> None:
    assert cluster["storage"].run(f"exec 3<> /dev/tcp/{cluster['head'].address}/22") == "", "the head cannot be reached at all"
    said = cluster["storage"].run(
        f"curl -s -o /dev/null -w '%{{http_code}}' http://{cluster['head'].address}:8265/api/version", check=False
    )
    assert said == "000", "the dashboard answers beyond the head's loopback"
    assert cluster["caller"].run("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8265/api/version") == "401"


def test_a_folder_of_the_heads_own_disk_is_refused(cluster: Lab) -> None:
    """A job's driver is on the head; what it names has to be seen by the workers too."""
    study = STUDY.replace("s3://lab/study", "here")
    said = cluster["caller"].run(
        f"{WITH_SECRETS}.venv/bin/ray job submit --address http://127.0.0.1:8265 -- python {study}", check=False, seconds=200
    )
    address = f"({cluster['one'].address}|{cluster['two'].address})"
    assert re.search(rf"ablate.py: --study: node {address} does not see .*here/plan.json; name a folder", said), said[-3000:]


def test_trials_run_on_both_workers_and_never_on_the_head(course: Course) -> None:
    assert course.trials["head"] == 0
    assert course.trials["one"] and course.trials["two"], course.trials


def test_a_study_outlives_a_worker_that_is_cut_off(course: Course, cluster: Lab) -> None:
    assert "has been marked dead" in course.log and "Job 'raysubmit" in course.log
    summary = json.loads(stored(cluster, "summary.json"))
    assert [trial["state"] for trial in summary["trials"]] == ["COMPLETED"] * 4
    for trial in summary["trials"]:
        rows = stored(cluster, f"trials/{trial['key']}/metrics.jsonl").splitlines()
        assert [json.loads(row)["images"] for row in rows] == list(range(8, 1601, 8)), "rows are lost or there twice"


def stored(cluster: Lab, key: str) -> str:
    """An object of the study, as the caller reads it."""
    read = f"from cluster.storage import Place; print(Place('s3://lab/study').read('{key}').decode(), end='')"
    return cluster["caller"].run(f'{WITH_SECRETS}.venv/bin/python -c "{read}"')


def test_the_worker_is_back_within_a_minute(course: Course) -> None:
    assert course.back_after < 60


def test_mlflow_shows_the_runs_through_the_tunnel(course: Course, cluster: Lab) -> None:
    ask = (
        "import json; from mlflow import MlflowClient; c = MlflowClient('http://127.0.0.1:5000'); "
        "runs = c.search_runs([c.get_experiment_by_name('facegan').experiment_id]); "
        "print('RUNS', json.dumps([[r.data.tags['kind'], r.info.status] for r in runs]))"
    )
    said = cluster["caller"].run(f'{WITH_SECRETS}.venv/bin/python -c "{ask}"', seconds=100)
    runs = json.loads(said[said.index("RUNS") + 5 :].splitlines()[0])
    assert sorted(runs) == [["study", "FINISHED"], *[["trial", "FINISHED"]] * 4]


def test_down_leaves_no_process_no_key_and_no_secret(course: Course, cluster: Lab) -> None:
    assert "node.env" in cluster["head"].run(LEFT_FILES), "what is to be removed was never there"
    said = cluster["caller"].run(f"{WITH_SECRETS}infra/onprem/down.sh", seconds=150)
    assert said.count("ok ") == 3, said
    for node in NODES:
        left = [line for line in cluster[node].processes() if "mlflow" not in line and not line.startswith("sshd")]
        assert left == []
        assert cluster[node].run(LEFT_FILES) == ""
