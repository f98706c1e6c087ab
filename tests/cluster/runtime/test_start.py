"""A Ray that a job starts here listens on loopback only, reports to nobody, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.runtime.start import start_ray_beside

ROOT = Path(__file__).parents[3]
JOB = """
import os, signal
from cluster.runtime.start import start_ray_beside
before = dict(os.environ)
signal.signal(signal.SIGTERM, lambda *_: print("told to end"))
start_ray_beside(lambda: __import__("colorsys"))
import sys
assert "colorsys" in sys.modules
import psutil, ray

def of_worker():
    import facegan
    return os.environ["RAY_USAGE_STATS_ENABLED"], facegan.__file__

print(*ray.get(ray.remote(of_worker).remote()))
added = set(os.environ) - set(before)
print(*sorted(added & {"PYTHONPATH", "PYTHONWARNINGS", "RAY_USAGE_STATS_ENABLED"}), "added")
mine = [psutil.Process(), *psutil.Process().children(recursive=True)]
listening = [c.laddr for p in mine for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
print(len(listening), *{address.ip.removeprefix("::ffff:") for address in listening})
print(ray._private.worker._global_node.get_session_dir_path())
os.kill(os.getpid(), signal.SIGTERM)
sys.stdout.flush()
if len(sys.argv) > 1:
    os.kill(os.getpid(), 9)
"""

FIRST_RAYLET_HANGS = """
import threading, time
import psutil
from cluster.runtime.start import start_ray

def suspend():
    while True:
        for process in psutil.Process().children(recursive=True):
            if process.name() == "raylet":
                process.suspend()
                print("suspended", process.pid, flush=True)
                return
        time.sleep(0.02)

threading.Thread(target=suspend).start()
start_ray()
import ray
print("answer", ray.get(ray.remote(lambda: 42).remote()))
children = [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
print("raylets", *(p.pid for p in children if p.name() == "raylet"))
print("heads", len([p for p in children if p.name() == "gcs_server"]))
print(ray._private.worker._global_node.get_session_dir_path())
"""

ENDED_WHILE_IT_STARTS = """
import os, signal, threading, time
from pathlib import Path
import psutil
from cluster.runtime.start import start_ray
from ray._common.utils import get_default_ray_temp_dir

def interrupt(number, frame):
    raise KeyboardInterrupt

def end():
    while not any(process.name() == "gcs_server" for process in psutil.Process().children(recursive=True)):
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGTERM)

signal.signal(signal.SIGTERM, interrupt)
threading.Thread(target=end).start()
try:
    start_ray()
except KeyboardInterrupt:
    children = [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
    print("left", *children, *Path(get_default_ray_temp_dir()).glob(f"session_*_{os.getpid()}"))
"""


def run(*arguments: str, code: str = JOB) -> subprocess.CompletedProcess[str]:
    """A job as a user starts it: without the variable that tests/conftest.py sets."""
    without = ("RAY_ADDRESS", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "PYTHONPATH", "RAY_USAGE_STATS_ENABLED")
    environment = {name: value for name, value in os.environ.items() if name not in without}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.ray
@pytest.mark.slow
def test_a_local_ray_listens_on_loopback_only_and_leaves_no_session(tmp_path: Path) -> None:
    killed = run("killed")
    left = Path(killed.stdout.splitlines()[-2])
    assert killed.returncode == -9 and (left / "logs").exists()
    done = run()
    assert done.returncode == 0, done.stderr[-2000:]
    *_, worker, added, listening, session, terminated = done.stdout.splitlines()
    assert (terminated, done.stderr) == ("told to end", ""), "Ray's own handler dumps its stack"
    assert worker == f"0 {ROOT / 'facegan' / '__init__.py'}"
    assert added == "added"
    count, *addresses = listening.split()
    assert int(count) >= 5 and set(addresses) == {"127.0.0.1"}
    assert Path(session) != left and not Path(session).exists() and not left.exists()


@pytest.mark.ray
@pytest.mark.slow
def test_a_ray_that_is_not_there_in_time_is_started_once_more(tmp_path: Path) -> None:
    """As on a busy machine. What the first start left ends, also a raylet that hangs."""
    done = run(code=FIRST_RAYLET_HANGS)
    assert done.returncode == 0, done.stderr[-2000:]
    starting, suspended, again, *rest = done.stdout.splitlines()
    assert starting == "ray      starting on this machine" and suspended.startswith("suspended ")
    assert again == "ray      did not start within half a minute, as on a busy machine; trying once more"
    answer, raylets, heads, session = rest
    assert (answer, heads) == ("answer 42", "heads 1")
    assert len(raylets.split()) == 2 and suspended.split()[1] not in raylets.split()
    pid = Path(session).name.rpartition("_")[2]
    assert not list(Path(session).parent.glob(f"session_*_{pid}"))


@pytest.mark.ray
@pytest.mark.slow
def test_a_ray_that_is_starting_when_the_job_is_told_to_end_leaves_nothing() -> None:
    done = run(code=ENDED_WHILE_IT_STARTS)
    assert (done.returncode, done.stdout) == (0, "ray      starting on this machine\nleft\n"), done.stderr[-2000:]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_while_ray_ends_ends_the_job_without_a_word(name: str, tmp_path: Path) -> None:
    code = f"""
import os, pathlib, signal, sys, time
import cluster.runtime.session as session
session.ray.shutdown = lambda: os.kill(os.getpid(), signal.{name}) or time.sleep(20)
session.remove_at_exit(pathlib.Path(sys.argv[1]))
"""
    done = run(str(tmp_path), code=code)
    assert (done.returncode, done.stderr) == (128 + signal.Signals[name], "")


def test_ray_imported_before_cluster_is_refused() -> None:
    """The servers of that Ray would listen on all interfaces."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    code = "import ray; from cluster.runtime.start import start_ray; start_ray()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "ray was imported before cluster" in done.stderr


def test_nothing_is_imported_before_a_cluster_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Joining takes no time in which something else could be done."""
    started: list[str] = []
    monkeypatch.setattr("cluster.runtime.start.start_ray", lambda: started.append("ray"))
    for address, expected in (("auto", ["ray"]), ("", ["ray", "imported"])):
        monkeypatch.setenv("RAY_ADDRESS", address)
        started.clear()
        start_ray_beside(lambda: started.append("imported"))
        assert sorted(started) == sorted(expected)
