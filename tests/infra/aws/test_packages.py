"""The packages of a node in the store, with a small virtual environment: put, fetched, damaged, half written, put twice."""

import contextlib
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from cluster.storage.uri import StorageURI
from facegan.errors import UserError
from infra.aws import packages
from infra.aws.packages import fetch, packages_key, put
from tests.infra.aws.commands import BUCKET, run_main, run_setup

pytestmark = pytest.mark.s3

SCRIPT = Path(__file__).parents[3] / "infra" / "aws" / "packages.sh"


@pytest.fixture
def store(aws: boto3.session.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StorageURI:
    """A bucket without packages."""
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    aws.client("s3").create_bucket(Bucket=BUCKET)
    return StorageURI(f"s3://{BUCKET}/packages")


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment with a package and a script that names its interpreter."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (package,) = venv.glob("lib/python*/site-packages")
    (package / "locked.py").write_text("VERSION = 1\n")
    (venv / "bin" / "tell").write_text(f"#!{venv}/bin/python\nimport locked, sys; print(locked.VERSION, sys.prefix)\n")
    (venv / "bin" / "tell").chmod(0o755)
    (venv / ".done").touch()
    return venv


def content(folder: Path) -> dict[str, tuple[int, bytes | str]]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, os.readlink(path) if path.is_symlink() else path.read_bytes())
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_another_node_gets_what_was_put(
    store: StorageURI, venv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(venv, store)
    put(venv, store)
    assert len(store.entries()) == 2 and "is there" in capsys.readouterr().out.splitlines()[-1]
    before = content(venv)
    venv.rename(tmp_path / "of-the-other-node")
    fetch(venv, store)
    assert content(venv) == before and ".done" in before
    assert subprocess.check_output([venv / "bin" / "tell"], text=True) == f"1 {venv}\n"
    assert list((tmp_path / "cache").iterdir()) == [] and not list(tmp_path.glob("*.partial"))


def test_packages_of_other_code_or_another_place_are_not_taken(
    store: StorageURI, venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(venv, store)
    with pytest.raises(UserError, match="has no packages for this code, Python and system"):
        fetch(tmp_path / "elsewhere", store)
    key = packages_key(venv)
    for name in ("constraints.txt", "pyproject.toml"):
        (tmp_path / name).write_text((packages._CODE / name).read_text())
    keys = {key}
    with monkeypatch.context() as other:
        other.setattr(packages, "_CODE", tmp_path)
        keys.add(packages_key(venv))
        for name in ("constraints.txt", "pyproject.toml"):
            (tmp_path / name).write_text("changed")
            keys.add(packages_key(venv))
        other.setattr("platform.python_version", lambda: "3.12.99")
        keys.add(packages_key(venv))
        other.setattr("sysconfig.get_platform", lambda: "linux-aarch64")
        keys.add(packages_key(venv))
        put(venv, store)
    assert len(keys) == 6 and key == packages_key(venv)
    assert len(store.entries()) == 2, "the old ones are removed"
    with pytest.raises(UserError, match="has no packages"):
        fetch(venv, store)


@pytest.mark.parametrize("damage", ["byte", "cut", "missing", "record"])
def test_a_damaged_archive_is_not_used(store: StorageURI, venv: Path, damage: str, tmp_path: Path) -> None:
    put(venv, store)
    record, archive = (next(e.key for e in store.entries() if e.key.endswith(end)) for end in (".json", ".tar.zst"))
    written = bytearray(store.read(archive))
    written[len(written) // 2] ^= 1
    if damage == "missing":
        store.remove(archive)
    elif damage == "record":
        store.write(record, store.read(record)[:-2])
    else:
        store.write(archive, bytes(written) if damage == "byte" else bytes(written[:-1]))
    before = content(venv)
    with pytest.raises(UserError) as told:
        fetch(venv, store)
    assert "\n" not in str(told.value)
    assert content(venv) == before and not list(tmp_path.glob("*.partial")), "what was there stays"


def test_an_archive_that_was_not_announced_is_not_used(store: StorageURI, venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the two uploads; the next node that puts them removes what is left."""

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(StorageURI, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            put(venv, store)
    (left,) = store.entries()
    with pytest.raises(UserError, match="has no packages"):
        fetch(venv, store)
    (venv / "more").write_text("so that the archive has another name")
    put(venv, store)
    assert left.key not in [entry.key for entry in store.entries()] and len(store.entries()) == 2


def test_the_second_of_two_nodes_removes_its_own_archive(
    store: StorageURI, venv: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(venv, store)
    first = store.entries()
    (venv / "more").write_text("x")
    monkeypatch.setattr(StorageURI, "exists", lambda *_: False)  # as when both look at the same time
    put(venv, store)
    assert "another node has put" in capsys.readouterr().out
    assert [entry.key for entry in store.entries()] == [entry.key for entry in first]


def test_a_tar_that_fails_leaves_nothing(
    store: StorageURI, venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(venv, store)
    venv.rename(tmp_path / "of-the-other-node")
    (tmp_path / "tar").write_text("#!/bin/sh\nmkdir -p \"$7/bin\"; echo 'tar: no space' >&2; exit 2\n")
    (tmp_path / "tar").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(UserError, match=r"tar failed: tar: no space"):
        fetch(venv, store)
    assert not venv.exists() and not list(tmp_path.glob("*.partial"))


def test_the_store_is_that_of_the_stack(aws: boto3.session.Session, venv: Path) -> None:
    run_setup("--bucket", BUCKET)
    said = run_main(packages.main, packages.Packages, "put", "--venv", str(venv))
    assert f"s3://{BUCKET}/facegan/packages/" in said


PROGRAMS = {
    "make": 'echo "make $*" >> "$FAKES/calls"; [ "${@: -1}" != --question ] || exit "$(cat "$FAKES/missing")"',
    # Makes an environment whose interpreter notes what it is asked for; the module fails as the test says.
    "python3.12": """mkdir -p "$3/bin"; cat > "$3/bin/python" << 'END'
#!/bin/bash
echo "python $*" >> "$FAKES/calls"
[ "$2" = pip ] || exit "$(cat "$FAKES/fails")"
END
chmod +x "$3/bin/python"
""",
}


@pytest.mark.parametrize(("missing", "fails"), [(0, 0), (1, 0), (1, 2)])
def test_the_script_installs_what_it_could_not_fetch(missing: int, fails: int, tmp_path: Path) -> None:
    for name, body in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "missing").write_text(str(missing))
    (tmp_path / "fails").write_text(str(fails))
    environment = os.environ | {"FAKES": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    said = subprocess.run(["bash", str(SCRIPT)], env=environment, check=True, capture_output=True, text=True)
    asked, *rest = (tmp_path / "calls").read_text().splitlines()
    assert asked.startswith("make ") and asked.endswith("--question")
    if not missing:
        assert rest == []
        return
    assert [line.split()[:3] for line in rest[:2]] == [["python", "-m", "pip"], ["python", "-m", "infra.aws.packages"]]
    assert rest[2] == asked.removesuffix(" --question"), "make finds what was fetched, or installs"
    assert ("the packages are installed" in said.stderr) == bool(fails)


def test_the_head_puts_its_packages_in_the_background(tmp_path: Path) -> None:
    programs = {
        "sudo": 'exec "$@"',
        "systemctl": 'exit "$(cat "$FAKES/idle")"',
        "systemd-run": 'printf "%s\\n" "$*" >> "$FAKES/started"',
    }
    for name, body in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {
        "FAKES": str(tmp_path),
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "USER": "ubuntu",
        "HOME": "/home/u",
    }
    for idle in ("3", "0"):  # the second time it runs still
        (tmp_path / "idle").write_text(idle)
        subprocess.run(["bash", str(SCRIPT), "put"], env=environment, check=True)
    (line,) = (tmp_path / "started").read_text().splitlines()
    assert line.endswith("/home/u/venv/bin/python -m infra.aws.packages put --venv /home/u/venv")
    assert f"--working-directory={SCRIPT.parents[2]}" in line and "--uid=ubuntu" in line


def with_requirements(names: list[str]) -> set[str]:
    """These distributions and those that they need."""
    found: set[str] = set()
    while names:
        name = names.pop().lower().replace("_", "-")
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # one for other versions of Python
            wanted = importlib.metadata.requires(name) or [] if name not in found else []
            names += [re.split(r"[^\w.-]", line)[0] for line in wanted if "extra ==" not in line]
            found.add(name)
    return found


def test_what_the_script_installs_first_is_enough() -> None:
    (line,) = [line for line in SCRIPT.read_text().splitlines() if "pip install" in line]
    code = "import sys, infra.aws.packages; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=SCRIPT.parents[2]).split()
    of = importlib.metadata.packages_distributions()
    used = {name.lower().replace("_", "-") for module in loaded for name in of.get(module, [])}
    assert "boto3" in used
    assert used - with_requirements(line.partition('constraints.txt" ')[2].split()) <= {"facegan", "setuptools", "certifi"}, (
        "botocore has certificates of its own"
    )
