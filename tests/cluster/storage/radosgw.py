"""A real S3 server for tests: Ceph's radosgw on loopback, with one monitor, one manager and one store in memory."""

import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.serving import free_port

PROGRAMS = ("radosgw", "radosgw-admin", "ceph", "ceph-authtool", "ceph-mgr", "ceph-mon", "ceph-osd", "monmaptool", "setpriv")
ACCESS_KEY, SECRET_KEY = "tests", "secret-of-the-tests"
_READY_SECONDS = 60
_CONFIGURATION = """
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon}/0
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {folder}/keyring
run dir = {folder}
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
crash dir = {folder}/crash
mon data = {folder}/mon
mgr data = {folder}/mgr
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 1073741824
osd memory target = 939524096
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mgr initial modules =
rgw frontends = beast endpoint=127.0.0.1:{rgw} tcp_nodelay=1
rgw data = {folder}/rgw
rgw enable gc threads = false
rgw enable lc threads = false
rgw thread pool size = 16
rgw rados pool pg num min = 1
"""


def missing() -> list[str]:
    """Return the required programs that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


@dataclass
class Radosgw:
    """The server. All its processes end with the test process, also when that is killed."""

    folder: Path
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        """The URL that S3 clients use."""
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """Kill the S3 server, as when its machine is lost; the stored objects stay."""
        gateway = self.processes.pop("radosgw")
        gateway.send_signal(signal.SIGKILL)
        gateway.wait()

    def start(self) -> None:
        """Start the S3 server on its port, and wait until it answers."""
        self.run("radosgw", "--foreground", "--name", "client.admin")
        _wait(self._answers, "radosgw opens its port", self)

    def run(self, program: str, *arguments: str) -> None:
        """Start a process that runs until `stop`."""
        with (self.folder / f"{program}.out").open("ab") as out:
            self.processes[program] = subprocess.Popen(
                # The kernel ends it if this process is killed and cannot.
                ["setpriv", "--pdeathsig", "KILL", program, *arguments, "--conf", str(self.folder / "ceph.conf")],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ask(self, program: str, *arguments: str) -> str:
        """Return the output of a command; AssertionError with its messages if it fails."""
        command = [program, *arguments, "--conf", str(self.folder / "ceph.conf")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_READY_SECONDS)
        assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
        return done.stdout

    def stop(self) -> None:
        """End all processes."""
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def radosgw(folder: Path) -> Iterator[Radosgw]:
    """Start a server with one user, whose keys are ACCESS_KEY and SECRET_KEY. `folder` must be short: it holds Unix sockets."""
    server = Radosgw(folder, free_port())
    with ExitStack() as stack:
        stack.callback(server.stop)
        _configure(server)
        server.run("ceph-mon", "-f", "--id", "a")
        server.run("ceph-mgr", "-f", "--id", "a")
        server.ask("ceph", "osd", "new", identity := str(uuid.uuid4()))
        server.ask("ceph-osd", "--mkfs", "--id", "0", "--osd-uuid", identity)
        server.run("ceph-osd", "-f", "--id", "0")
        _wait(lambda: "1 up" in server.ask("ceph", "osd", "stat"), "the store comes up", server)
        user = ("--uid", "tests", "--display-name", "tests", "--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY)
        server.ask("radosgw-admin", "user", "create", *user)
        server.start()
        yield server


def _configure(server: Radosgw) -> None:
    folder, fsid, mon = server.folder, str(uuid.uuid4()), free_port()
    for name in ("mon", "mgr", "osd", "rgw", "crash"):
        (folder / name).mkdir(parents=True)
    (folder / "ceph.conf").write_text(_CONFIGURATION.format(folder=folder, fsid=fsid, mon=mon, rgw=server.port))
    keyring, every = str(folder / "keyring"), ("--cap", "mon", "allow *", "--cap", "osd", "allow *")
    server.ask("ceph-authtool", keyring, "--create-keyring", "--gen-key", "--name", "mon.", "--cap", "mon", "allow *")
    server.ask("ceph-authtool", keyring, "--gen-key", "--name", "client.admin", *every, "--cap", "mgr", "allow *")
    for name in ("mgr.a", "osd.0"):
        server.ask("ceph-authtool", keyring, "--gen-key", "--name", name, *every)
    monmap = str(folder / "monmap")
    server.ask("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{mon}]", monmap)
    server.ask("ceph-mon", "--mkfs", "--id", "a", "--monmap", monmap, "--keyring", keyring)


def _wait(is_so: Callable[[], bool], what: str, server: Radosgw) -> None:
    end = time.monotonic() + _READY_SECONDS
    while not is_so():
        ended = {name: process.returncode for name, process in server.processes.items() if process.poll() is not None}
        assert not ended and time.monotonic() < end, f"waited until {what}; {ended} have ended; see {server.folder}"
        time.sleep(0.1)
