"""Each check of the machine names a planted fault and its fix."""

import os
import resource
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cluster.doctor import machine
from cluster.doctor.check_result import CheckResult
from facegan.data.ingest import frames
from tests.cluster.doctor.failing import failed


def project(folder: Path, *, python: str = ">=3.11", lock: str = "ray==2.60.0\n", needs: str = "'ray'") -> Path:
    """A folder with a pyproject.toml and a constraints.txt."""
    (folder / "pyproject.toml").write_text(f"[project]\nrequires-python = '{python}'\ndependencies = [{needs}]\n")
    (folder / "constraints.txt").write_text(lock)
    return folder


def test_this_machine_has_the_locked_packages() -> None:
    assert [machine.python().state, machine.packages().state, machine.video().state] == ["ok"] * 3


def test_another_version_of_python_fails(tmp_path: Path) -> None:
    failed(machine.python(project(tmp_path, python=">=4")), "needs >=4", "make setup PYTHON=")


def test_missing_packages_and_other_versions_fail(tmp_path: Path) -> None:
    lock = "ray==1.0\nnumpy==0.1\nnot-there==1.0\nnot-needed==1.0\n"
    found = machine.packages(project(tmp_path, lock=lock, needs="'ray[tune]==1', 'Not_There'"))
    failed(found, "ray is 2.", "locked 1.0", "numpy is", "not-there is missing", "make setup")
    assert "not-needed" not in found.message


def test_a_local_version_label_may_differ(tmp_path: Path) -> None:
    version = torch.__version__.split("+")[0]
    assert machine.packages(project(tmp_path, lock=f"torch=={version}\nray==2.60.0\n")).state == "ok"


def test_a_driver_that_torch_cannot_use_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.1\nGCC")
    monkeypatch.setattr(machine, "_DRIVER", tmp_path / "version")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    failed(machine.gpus(), "570.1", "CUDA build", "--gpus all")


def test_without_a_driver_gpus_are_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_DRIVER", tmp_path / "none")
    found = machine.gpus()
    assert isinstance(found, CheckResult) and found.state == "not checked" and "no NVIDIA driver" in found.message


@pytest.mark.parametrize(
    ("free", "product", "message"), [(1, 64.0, "1.0 of 80.0 GiB free"), (79, 63.0, "computes wrong results")]
)
def test_a_full_or_broken_gpu_fails(free: int, product: float, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (free << 30, 80 << 30))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "H100")
    monkeypatch.setattr(torch, "ones", lambda *shape, **where: np.full(shape, np.sqrt(product / 64)))
    failed(machine._one_gpu(0), message)


def test_opencv_without_its_libraries_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    failed(machine.video(), "cannot be imported", "libgl1 libglib2.0-0")


def test_a_decoder_that_loses_frames_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "decode", lambda path: iter(()))
    failed(machine.video(), "read 0 of the 3 frames")


@pytest.mark.parametrize(("free", "total", "message"), [(1, 100, "at least 10 needed"), (40, 1000, "Ray stops writing at 95%")])
def test_a_full_disk_fails(free: int, total: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free << 30, total=total << 30))
    failed(machine.cache_disk(), message, "FACEGAN_CACHE")


def test_a_cache_that_is_not_writable_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", "/proc/cache")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    failed(machine.cache_disk(), "/proc is not writable", "FACEGAN_CACHE")


@pytest.mark.parametrize(("hard", "fix"), [(1_000_000, "ulimit -n"), (1024, "limits.conf")])
def test_a_low_limit_of_open_files_fails(hard: int, fix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, hard))
    failed(machine.open_files(), "1024", fix)


def test_small_shared_memory_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=64 << 20, total=64 << 20))
    failed(machine.shared_memory(), "64 MiB", "--shm-size")
