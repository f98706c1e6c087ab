"""Hosts on one machine: namespaces with their own address, sshd, home, /tmp and process table, connected by a bridge.

The first process of a host becomes its sshd. When it is killed, the processes, links and mounts of the host are
gone too. No packet leaves the machine: the bridge is in a namespace without any other link.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
HOME = "/root"
_PROGRAMS = ("sshd", "ssh", "ssh-keygen", "rsync", "ip", "unshare", "nsenter", "ps", "curl", "make")
_SSHD = "/usr/sbin/sshd"
_FIRST_PROCESS = Path(__file__).with_name("first_process.sh")
_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}


def missing() -> str:
    """Reason why hosts cannot be created on this machine; empty if they can."""
    absent = [program for program in _PROGRAMS if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    if absent:
        return f"not installed: {', '.join(absent)} (.ci/run names Debian's packages)"
    (effective,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")]
    held = int(effective.split()[1], 16)
    lacking = [name for name, bit in _CAPABILITIES.items() if not held >> bit & 1]
    return f"needs {' and '.join(lacking)}: network and mount namespaces" if lacking else ""


@dataclass(frozen=True)
class Host:
    """A running host."""

    name: str
    address: str
    pid: int
    """Process ID of its first process, outside its namespaces."""
    folder: Path
    """Path of its home folder, outside its namespaces."""

    def command(self, script: str) -> dict[str, Any]:
        """Arguments of `subprocess` that run a bash script on the host as its user."""
        enter = ["nsenter", f"--target={self.pid}", "--all", f"--wdns={HOME}"]
        environment = {"HOME": HOME, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        return {"args": [*enter, "bash", "-l", "-c", script], "env": environment, "stdin": subprocess.DEVNULL}

    def run(self, script: str, *, seconds: float = 60, check: bool = True) -> str:
        """Run a bash script to its end; return its output and errors."""
        done = subprocess.run(
            **self.command(script),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
        assert not check or done.returncode == 0, f"{self.name}: {script}\nended with {done.returncode}: {done.stdout[-4000:]}"
        return str(done.stdout)

    def processes(self) -> list[str]:
        """Command lines of all processes of the host, without its first process and the one that lists them."""
        lines = self.run("ps -eo pid=,stat=,args= -ww").splitlines()
        rows = [line.split(None, 2) for line in lines]
        return [
            args
            for pid, state, args in rows
            if pid != "1" and "Z" not in state and not args.startswith(("ps -eo", "bash -l -c"))
        ]

    def write(self, path: str, content: str, mode: int = 0o600) -> None:
        """Write a file below the host's home folder."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        target.chmod(mode)


class Lab:
    """Hosts that are connected by a bridge."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hosts: dict[str, Host] = {}
        self._started: list[subprocess.Popen[bytes]] = []
        self._bridge = 0

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def start(self, name: str, script: str, log: Path) -> "subprocess.Popen[bytes]":
        """Start a bash script on a host in the background; its output goes to the file `log`."""
        with log.open("wb") as sink:
            self._started.append(subprocess.Popen(**self.hosts[name].command(script), stdout=sink, stderr=sink))
        return self._started[-1]

    def cut(self, name: str) -> None:
        """Disconnect a host from the network."""
        self._at_bridge("ip", "link", "set", f"to-{name}", "down")

    def mend(self, name: str) -> None:
        """Connect the host again."""
        self._at_bridge("ip", "link", "set", f"to-{name}", "up")

    def open(self, names: Sequence[str]) -> None:
        """Start the bridge and the hosts. Each host has the project's virtual environment and accepts the same SSH key."""
        self._bridge = self._start(["unshare", "--net", "--kill-child", "sleep", "infinity"], "bridge")
        self._until(lambda: os.readlink(f"/proc/{self._bridge}/ns/net") != os.readlink("/proc/self/ns/net"), "the bridge")
        self._at_bridge("ip", "link", "add", "name", "bridge", "type", "bridge")
        self._at_bridge("ip", "link", "set", "bridge", "up")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / "key"], check=True)
        for number, name in enumerate(names, 10):
            self._boot(name, f"10.77.0.{number}", names)

    def close(self) -> None:
        """Kill the hosts and the bridge, by the ids of their first processes."""
        for process in reversed(self._started):
            process.send_signal(signal.SIGKILL)
            process.wait(20)

    def _boot(self, name: str, address: str, names: Sequence[str]) -> None:
        home = self.folder / name / "home"
        home.mkdir(parents=True)
        self._put_keys(home, name)
        hosts = "".join(f"10.77.0.{number} {host}\n" for number, host in enumerate(names, 10))
        (self.folder / name / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}")
        command = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "--kill-child", "--mount-proc"]
        command += ["bash", str(_FIRST_PROCESS), name, address, str(self.folder / name), sys.prefix, sys.base_prefix, str(ROOT)]
        outer = self._start(command, name)
        pid = self.plug(outer, name)
        self.hosts[name] = Host(name, address, pid, home)
        self._until(lambda: "sshd" in _command_line(pid), f"{name}'s sshd")

    def plug(self, outer: int, name: str) -> int:
        """Connect the namespaces of the first child of `outer` to the bridge as eth0; return the child's process ID."""
        children = Path(f"/proc/{outer}/task/{outer}/children")
        self._until(lambda: bool(children.read_text().split()), f"{name}'s first process")
        pid = int(children.read_text().split()[0])
        self._at_bridge("ip", "link", "add", "name", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        self._at_bridge("ip", "link", "set", f"to-{name}", "master", "bridge", "up")
        return pid

    def _put_keys(self, home: Path, name: str) -> None:
        (home / ".ssh").mkdir(mode=0o700)
        (home / "facegan").mkdir()
        (home / ".bashrc").touch()
        shutil.copy(self.folder / "key.pub", home / ".ssh" / "authorized_keys")
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name / "host_key"], check=True, timeout=20
        )

    def _start(self, command: list[str], name: str) -> int:
        with (self.folder / f"{name}.log").open("wb") as log:
            self._started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        return self._started[-1].pid

    def _at_bridge(self, *command: str) -> None:
        subprocess.run(["nsenter", f"--target={self._bridge}", "--net", *command], check=True, timeout=20)

    def _until(self, there: Callable[[], bool], what: str) -> None:
        wait_until(there, 20, what, lambda: "".join(log.read_text() for log in self.folder.glob("*.log"))[-2000:])


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:  # it has ended, and its log tells why
        return ""


def wait_until(there: Callable[[], bool], seconds: float, what: str, log: Callable[[], str]) -> float:
    """Wait until `there()` is true; return the seconds it took. After `seconds`, raise AssertionError with the log."""
    started = time.monotonic()
    while not there():
        assert time.monotonic() - started < seconds, f"{what}: not within {seconds} s\n{log()[-4000:]}"
        time.sleep(0.2)
    return time.monotonic() - started


@contextmanager
def hosts_on_this_machine(folder: Path, names: Sequence[str]) -> Iterator[Lab]:
    """Hosts for the duration of the context."""
    lab = Lab(folder)
    try:
        lab.open(names)
        yield lab
    finally:
        lab.close()
