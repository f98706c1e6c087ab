"""A pretended region of AWS on one machine: a laptop, the AWS that it asks, and a host for each instance that it starts.

Each instance is a tree of processes under a systemd of its own (instance.sh). No packet leaves: see tests/hosts/lab.py.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from tests.hosts.lab import Host, Lab, hosts_on_this_machine, wait_until

_INSTANCE = Path(__file__).with_name("instance.sh")
_PUBLIC = "54.214.0.0/16"
"""Where moto's public addresses are from."""
_PRIVATE = "172.31.0.0/16"
"""moto's default VPC."""


@dataclass
class Region:
    """Boots and ends hosts, as the pretended AWS says."""

    lab: Lab
    disk: Path
    """Where instances write, on a file system of its own."""
    wheels: Path
    python: Path
    """The interpreter of Ubuntu 24.04's version."""
    instances: dict[str, Host] = field(default_factory=dict)
    """Those that run, by ID."""
    told: dict[str, dict[str, str]] = field(default_factory=dict)
    """What the AWS said of each instance that ever was, by ID."""
    _outer: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Of the host that plays AWS."""
        return self.lab["aws"].folder / "aws"

    def open(self) -> None:
        """Start the AWS, and let the laptop reach it and what it makes public."""
        aws, caller = self.lab["aws"], self.lab["caller"]
        self.folder.mkdir()
        aws.run(
            f"ip address add 169.254.169.254/32 dev eth0 && ip route add {_PRIVATE} dev eth0 && ip route add {_PUBLIC} dev eth0"
        )
        caller.run(f"ip route add {_PUBLIC} dev eth0")
        log = self.lab.folder / "aws.out"
        self.lab.start("aws", f"cd /mnt/repository && ~/facegan/.venv/bin/python -m tests.cloud.aws {aws.address} ~/aws", log)
        wait_until((self.folder / "instances.json").exists, 60, "the pretended AWS", log.read_text)

    def follow(self, over: Event) -> None:
        """Do what the AWS says until it is over; then end what is left."""
        try:
            self._follow(over)
        finally:
            for name in list(self.instances):
                self._end(name)

    def _follow(self, over: Event) -> None:
        while not over.wait(0.5):
            wanted = {row["id"]: row for row in json.loads((self.folder / "instances.json").read_text())}
            for name in [name for name in self.instances if name not in wanted]:
                self._end(name)
            for name, process in self._outer.items():
                if process.poll() is not None and name in self.instances:
                    (self.folder / "ended" / name).touch()
            for name in [name for name in wanted if name not in self._outer]:
                self._boot(wanted[name])

    def _boot(self, row: dict[str, str]) -> None:
        name, number = row["id"], len(self._outer)
        self.told[name] = row
        disk = self.disk / name
        disk.mkdir()
        group = _group(name)
        group.mkdir()
        unshare = "exec unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child bash"
        nvme = "nvme" if row["type"].startswith("g") else ""
        words = [row["private"], row["public"], row["key"], disk, self.wheels, self.lab["aws"].address, nvme, self.python]
        command = ["bash", "-c", f'echo $$ > {group}/cgroup.procs && {unshare} "$@"', "boot", str(_INSTANCE), *map(str, words)]
        with (self.lab.folder / f"{name}.log").open("wb") as log:
            self._outer[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        # A link's name has room for 15 characters.
        pid = self.lab.plug(self._outer[name].pid, f"i{number}")
        self.instances[name] = Host(name, row["private"], pid, disk)

    def _end(self, name: str) -> None:
        host = self.instances.pop(name)
        if self._outer[name].poll() is None:
            os.kill(host.pid, signal.SIGKILL)
        self._outer[name].wait(20)
        for group, _, _ in os.walk(_group(name), topdown=False):
            os.rmdir(group)


def _group(name: str) -> Path:
    """The control group of an instance: its systemd sees nothing above it."""
    mixed = Path("/sys/fs/cgroup/unified")
    return (mixed if mixed.exists() else mixed.parent) / f"facegan-{name}"


@contextmanager
def pretended_region(folder: Path, disk: Path, wheels: Path, python: Path) -> Iterator[Region]:
    """The region, and nothing left of it afterwards."""
    over = Event()
    with hosts_on_this_machine(folder, ["caller", "aws"]) as lab:
        region = Region(lab, disk, wheels, python)
        region.open()
        thread = Thread(target=region.follow, args=(over,))
        thread.start()
        try:
            yield region
        finally:
            over.set()
            thread.join()
