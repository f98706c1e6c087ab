"""infra/aws/README.md followed to the letter on a pretended AWS, from `make cloud-setup` to `make cloud-teardown`.

    make cloud-rehearsal        as root, half an hour, 50 GB of disk

Instances are hosts with a systemd of their own (region.py); what runs on them is what `ray up` puts there. Ends with the first
thing that is not as it should be.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cluster.cli.command_line import run_job
from facegan.errors import UserError
from tests.cloud.region import Region, pretended_region
from tests.cloud.roles import check_roles
from tests.cloud.room import disk, fetch_wheels
from tests.hosts.lab import Host, missing, wait_until

STORE = "s3://facegan-123456789012-us-east-1/facegan"
ENVIRONMENT = """export AWS_ENDPOINT_URL=http://{aws}:5000 AWS_ACCESS_KEY_ID=owner AWS_SECRET_ACCESS_KEY=owner
export AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true STORE={store}
export RAY_AUTH_MODE=token RAY_API_SERVER_ADDRESS=http://127.0.0.1:8265 RAY_USAGE_STATS_ENABLED=0 PATH=~/facegan/.venv/bin:$PATH
"""
CLIPS = """
from pathlib import Path
from facegan.synthetic.clips import write_synthetic
if __name__ == "__main__":
    write_synthetic(Path("/root/clips"), people=5, test_people=2, frames=6, size=96, seed=1, workers=1)
"""
STUDY = (
    "python jobs/ablate.py --data $STORE/set --arms no_consistency full --seeds 0 1 --report_every 8 --checkpoint_every 80 "
    "--start random --data.size 32 --vgg.weights random --vgg.width 4 --model.generator_width 4 --model.discriminator_width 4 "
    "--gpus_per_trial 0"
)
DRAW = """
import mlflow
model = mlflow.pyfunc.load_model("models:/facegan-generator/1")
print("drawn", model.predict(model.input_example).shape)
"""


class Runbook:
    """The laptop's commands, one after the other, and what is to be seen after each."""

    def __init__(self, region: Region) -> None:
        self.region, self.laptop = region, region.lab["caller"]
        self.started = time.monotonic()
        self.begun: dict[str, list[str]] = {}
        """Rows of the second study's trials when its job was stopped."""

    def follow(self) -> None:
        """From nothing to a finished study, through a lost worker and a lost head, and back to nothing."""
        self.set_up()
        self.bring_up()
        self.study_with_a_worker_taken_away()
        self.browse()
        self.lose_the_head()
        self.go_on()
        self.take_down()
        check_roles(self.region.folder / "calls.jsonl")
        self.say("ok       all of it")

    def set_up(self) -> None:
        """Steps 1 to 3."""
        self.laptop.write("aws.env", ENVIRONMENT.format(aws=self.region.lab["aws"].address, store=STORE))
        self.laptop.write("weights/vgg19-dcbb9e9d.pth", "stands in for weights, which no command here reads\n")
        self.laptop.write("clips.py", CLIPS)
        owner = f"--weights ~/weights --budget_email you@example.org --ssh_from {self.laptop.address}/32"
        assert "next     ray up infra/cluster.yaml" in self.run(f"make cloud-setup ARGS='{owner}'")
        said = self.run("python ~/clips.py && python jobs/ingest.py --source ~/clips --data $STORE/set --size 32")
        assert "42 read = 42 written + 0 quarantined" in said

    def bring_up(self) -> None:
        """`ray up`, and the two tunnels."""
        self.run("ray up infra/cluster.yaml --yes", seconds=900)
        head = self.host("m7i.large")
        assert head.run("systemctl is-active mlflow mlflow-backup.timer").split() == ["active", "active"]
        assert head.run("systemctl list-units --failed --no-legend") == ""
        self.doctor(head)
        self.tunnel("ray dashboard infra/cluster.yaml", "http://127.0.0.1:8265/api/version", "401")
        self.tunnel("make mlflow-tunnel", "http://127.0.0.1:5000/", "200")

    def study_with_a_worker_taken_away(self) -> None:
        """Two spot workers come; AWS takes one back while both train."""
        # A worker has room for one of these trials, so that the second one is used only if the study grows with its cluster.
        job = self.submit(f"{STUDY} --study $STORE/studies/one --images 4000 --gpus 2 --cpus_per_trial 5")
        self.until(lambda: "of 2 are there" in self.logs(job), 900, "the first worker")
        self.until(lambda: len(self.region.instances) == 3, 900, "two workers")
        workers = [host for host in self.region.instances.values() if host is not self.host("m7i.large")]
        # One may still install its packages while the other has unpacked them from the bucket.
        timers = "systemctl list-timers --no-legend"
        self.until(lambda: all("end-when-orphaned.timer" in w.run(timers) for w in workers), 600, "the set-up of both")
        for worker in workers:
            assert worker.run("readlink /scratch") == "/opt/dlami/nvme/scratch\n"
        self.packages_in_the_bucket()
        self.doctor(workers[0])
        self.until(lambda: all(trials_on(worker) for worker in workers), 300, "trials on both workers")
        self.run(terminate(workers[1].name))
        self.until(lambda: "done in" in self.logs(job), 600, "the end of the study")
        said = self.logs(job)
        self.say(said[said.index("done in") :])
        assert "succeeded" in self.run(f"ray job status {job}")
        states = json.loads(self.ask_store("P(uri).read('summary.json').decode()", "studies/one"))
        assert [trial["state"] for trial in states["trials"]] == ["COMPLETED"] * 4

    def packages_in_the_bucket(self) -> None:
        """The head has put its packages there; how often workers came late enough to unpack them is said."""
        calls = [json.loads(line) for line in (self.region.folder / "calls.jsonl").read_text().splitlines()]
        asked = Counter(call["action"] for call in calls if re.search(r"/packages/\S+zst$", str(call.get("resource"))))
        assert asked["PutObject"] and ".json" in self.ask_store("[e.key for e in P(uri).entries()]", "packages")
        self.say(f"packages: in the bucket, and asked for {asked['GetObject']} times")

    def browse(self) -> None:
        """The report on the laptop, and the registered model through the tunnel."""
        self.run("python jobs/report.py $STORE/studies/one")
        self.laptop.write("draw.py", DRAW)
        assert "drawn" in self.run("MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python ~/draw.py", seconds=200)
        assert "1 head" in self.run("ray exec infra/cluster.yaml 'ray status'")

    def lose_the_head(self) -> None:
        """Stop a job in the middle, end the head; the worker that is left powers itself off."""
        job = self.submit(f"{STUDY} --study $STORE/studies/two --images 8000")
        (worker,) = [host for host in self.region.instances.values() if host is not self.host("m7i.large")]
        self.until(
            lambda: (
                trials_on(worker) > 0 and "checkpoint" in self.ask_store("[e.key for e in P(uri).entries()]", "studies/two")
            ),
            300,
            "a checkpoint",
        )
        self.run(f"ray job stop {job}", seconds=120)
        self.begun = self.rows()
        self.until(lambda: trials_on(worker) == 0, 60, "no trial")
        head = self.host("m7i.large")
        head.run("systemctl start mlflow-backup.service", seconds=120)
        self.run(terminate(head.name))
        self.until(
            lambda: not any("/raylet/raylet" in line for line in worker.processes()), 300, "the end of the worker's raylet"
        )
        # Its timer would look in half an hour and again five minutes later.
        for _ in range(2):
            worker.run("systemctl start end-when-orphaned.service", check=False)
            time.sleep(2)
        self.until(lambda: worker.name not in self.region.instances, 60, "the worker to be off")

    def go_on(self) -> None:
        """A new head has MLflow's runs, and the same command goes on from the checkpoints."""
        self.run("ray up infra/cluster.yaml --yes", seconds=900)
        self.tunnel("ray dashboard infra/cluster.yaml", "http://127.0.0.1:8265/api/version", "401")
        self.tunnel("make mlflow-tunnel", "http://127.0.0.1:5000/", "200")
        ask = "from mlflow import MlflowClient as C; print(len(C('http://127.0.0.1:5000').search_runs(['1'])), 'runs')"
        assert "10 runs" in self.run(f'python -c "{ask}"', seconds=100)
        job = self.submit(f"{STUDY} --study $STORE/studies/two --images 8000 --gpus 1")
        self.until(lambda: "done in" in self.logs(job), 1200, "the end of the second study")
        rows = self.rows()
        assert all(len(rows[trial]) == 1000 for trial in rows) and len(rows) == 4
        kept = {trial: old[:10] for trial, old in self.begun.items() if len(old) >= 10}
        assert kept and all(rows[trial][:10] == old for trial, old in kept.items()), "a trial began anew: rows hold seconds"

    def take_down(self) -> None:
        """Step 5."""
        self.run("ray down infra/cluster.yaml --yes", seconds=300)
        self.until(lambda: not self.region.instances, 60, "no instance")
        said = self.run("make cloud-teardown ARGS='--delete_data True'", seconds=300)
        assert "is left that costs" in said

    def run(self, script: str, seconds: float = 120) -> str:
        """A command on the laptop; said with its time and its last lines."""
        began = time.monotonic()
        said = self.laptop.run(f". ~/aws.env; cd ~/facegan; {script}", seconds=seconds)
        tail = "\n".join(said.strip().splitlines()[-6:])
        self.say(f"$ {script}    ({time.monotonic() - began:.0f} s)\n{re.sub(r'^', '  ', tail[-800:], flags=re.MULTILINE)}")
        return said

    def say(self, text: str) -> None:
        print(f"[{time.monotonic() - self.started:5.0f} s] {text}", flush=True)

    def submit(self, study: str) -> str:
        found = re.search(r"raysubmit_\w+", self.run(f"ray job submit --no-wait -- {study}"))
        assert found
        return found[0]

    def logs(self, job: str) -> str:
        return self.laptop.run(f". ~/aws.env; cd ~/facegan; ray job logs {job}")

    def rows(self) -> dict[str, list[str]]:
        """The rows of metrics of each trial of the second study."""
        rows = "{e.key: P(uri).read(e.key).decode().splitlines() for e in P(uri).entries() if e.key.endswith('metrics.jsonl')}"
        found: dict[str, list[str]] = json.loads(self.ask_store(f"__import__('json').dumps({rows})", "studies/two"))
        return found

    def ask_store(self, question: str, place: str) -> str:
        """What Python on the laptop says of a place in the store."""
        script = f"from cluster.storage.uri import StorageURI as P; uri = '$STORE/{place}'; print({question})"
        return self.laptop.run(f'. ~/aws.env; cd ~/facegan; python -c "{script}"')

    def doctor(self, host: Host) -> None:
        """The doctor finds nothing on a node, as its user."""
        ask = f"ulimit -n $(ulimit -Hn) && cd facegan && python jobs/doctor.py --storage {STORE}/doctor --mlflow no"
        said = host.run(f"su - ubuntu -c 'bash -ic \"{ask}\"'", seconds=200)
        self.say(f"doctor on {host.run('hostname').strip()}\n{said}")
        assert "FAIL" not in said and "ok" in said

    def host(self, kind: str) -> Host:
        (found,) = [
            self.region.instances[name]
            for name, row in self.region.told.items()
            if row["type"] == kind and name in self.region.instances
        ]
        return found

    def tunnel(self, command: str, url: str, answers: str) -> None:
        log = self.region.lab.folder / f"tunnel-{len(list(self.region.lab.folder.glob('tunnel-*')))}.out"
        self.region.lab.start("caller", f". ~/aws.env; cd ~/facegan; exec {command}", log)
        ask = f"curl -s -o /dev/null -w '%{{http_code}}' {url}"
        self.until(lambda: self.laptop.run(ask, check=False) == answers, 90, f"{command}: {url}")

    def until(self, there: Callable[[], bool], seconds: float, what: str) -> None:
        took = wait_until(there, seconds, what, lambda: "")
        self.say(f"{what}: after {took:.0f} s")


def trials_on(host: Host) -> int:
    """How many trials run there."""
    return sum(line.startswith("ray::ImplicitFunc") for line in host.processes())


def terminate(instance: str) -> str:
    """What AWS does when it takes an instance back, without its two minutes of notice."""
    return f"python -c \"import boto3; boto3.client('ec2').terminate_instances(InstanceIds=['{instance}'])\""


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """Arguments of the rehearsal."""

    room: Path = Path("data/rehearsal")
    """A folder on a disk with 50 GB free; packages that were fetched stay there."""
    python: Path = Path(shutil.which("python3.12") or "python3.12")
    """Ubuntu 24.04's Python."""


def main(args: Rehearsal) -> None:
    """Check what it needs, fetch the packages, follow the runbook."""
    python = interpreter(args.python)
    if why := missing() or ("" if Path("/lib/systemd/systemd").exists() else "not installed: systemd"):
        raise UserError(f"hosts cannot be made here: {why}")
    room = args.room.resolve()
    lab = room / f"lab-{os.getpid()}"
    lab.mkdir(parents=True)
    fetch_wheels(python, room / "wheels")
    with disk(room) as folder, pretended_region(lab, folder, room / "wheels", python) as region:
        Runbook(region).follow()
    shutil.rmtree(lab)  # after a failure its logs are there to read


def interpreter(python: Path) -> Path:
    """The interpreter itself, where a path may be another program that picks one."""
    if python.exists():
        told = subprocess.run(
            [python, "-c", "import sys; print(sys.executable, *sys.version_info[:2])"], capture_output=True, text=True
        )
        if told.stdout.endswith(" 3 12\n"):
            return Path(told.stdout.split()[0])
    raise UserError(f"--python is {str(python)!r}: not a Python 3.12; name one, such as /usr/bin/python3.12")


if __name__ == "__main__":
    run_job(main, Rehearsal, __doc__)
