"""The doctor's checks of the machine itself: packages, GPUs, OpenCV, disks, limits."""

import importlib.metadata
import os
import re
import resource
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path

from cluster.doctor.check_result import CheckResult, fail, not_checked, ok
from facegan.cache import cache_folder
from facegan.study.design.plan import code_version

_ROOT = Path(__file__).parents[2]
_GIB = 2**30
_CACHE_BYTES, _TEMPORARY_BYTES, _SHARED_BYTES = 10 * _GIB, 5 * _GIB, _GIB // 2
_FULLEST = 0.95
"""Ray writes nothing to a disk that is fuller."""
_OPEN_FILES = 4096
_DRIVER = Path("/proc/driver/nvidia/version")
_SHARED_MEMORY = Path("/dev/shm")


def python(root: Path = _ROOT) -> CheckResult:
    """This Python against pyproject.toml."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    if not (root / "pyproject.toml").exists():
        return not_checked("python", f"{here}; {root} holds no pyproject.toml")
    wanted = tomllib.loads((root / "pyproject.toml").read_text())["project"]["requires-python"]
    from packaging.specifiers import SpecifierSet

    if here not in SpecifierSet(wanted):
        return fail("python", f"{here}, the project needs {wanted}: make setup PYTHON=python3.11 in a fresh .venv")
    return ok("python", f"{here}; this code is {code_version()}, which jobs say in their line `code`")


def packages(root: Path = _ROOT) -> CheckResult:
    """The installed packages against the lock; a build's local part, as in 2.13.0+cpu, may differ."""
    if not (root / "constraints.txt").exists():
        return not_checked("packages", f"{root} holds no constraints.txt")
    locked = dict(line.split("==") for line in (root / "constraints.txt").read_text().splitlines() if "==" in line)
    wanted = tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
    direct = {_plain(re.split(r"[^\w.-]", name)[0]) for name in wanted}
    wrong = []
    for name, version in locked.items():
        found = _installed(name)
        if found is None and _plain(name) in direct:
            wrong.append(f"{name} is missing")
        elif found is not None and found.split("+")[0] != version:
            wrong.append(f"{name} is {found}, locked {version}")
    if wrong:
        more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        return fail("packages", f"{'; '.join(wrong[:4])}{more}: rm -f .venv/.done && make setup")
    return ok("packages", f"ray {locked['ray']}, torch {_installed('torch')}, {len(locked)} locked versions hold")


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def gpus() -> CheckResult | list[CheckResult]:
    """Each GPU multiplies two bfloat16 matrices."""
    import torch

    if not _DRIVER.exists():
        return not_checked("GPU", "no NVIDIA driver here, so trials run on the CPU")
    driver = _DRIVER.read_text().splitlines()[0].removeprefix("NVRM version:").strip()
    if not torch.cuda.is_available():
        return fail(
            "GPU",
            f"{driver} is here, but torch {torch.__version__} cannot use it: install its CUDA build for this driver, and in a "
            "container hand the GPU in (docker run --gpus all)",
        )
    return [_one_gpu(index) for index in range(torch.cuda.device_count())]


def _one_gpu(index: int) -> CheckResult:
    import torch

    name = f"GPU {index}"
    free, whole = torch.cuda.mem_get_info(index)
    ones = torch.ones(64, 64, device=f"cuda:{index}", dtype=torch.bfloat16)
    if float((ones @ ones)[0, 0]) != 64:
        return fail(
            name, f"{torch.cuda.get_device_name(index)} computes wrongly: take the machine out and look at `nvidia-smi -q`"
        )
    if free < whole / 2:
        return fail(name, f"{free / _GIB:.1f} of {whole / _GIB:.1f} GiB free: `nvidia-smi` names who holds the rest; end it")
    return ok(name, f"{torch.cuda.get_device_name(index)}, {free / _GIB:.1f} of {whole / _GIB:.1f} GiB free")


def video() -> CheckResult:
    """OpenCV writes a tiny video and reads it again."""
    try:
        import cv2
    except ImportError as error:
        return fail("video", f"cv2 cannot be imported ({error}): on Debian apt-get install libgl1 libglib2.0-0")
    import numpy as np

    frame = np.full((32, 32, 3), 127, np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/tiny.avi"
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 25, (32, 32))
        for _ in range(3):
            writer.write(frame)
        writer.release()
        reader, read = cv2.VideoCapture(path), 0
        while reader.read()[0]:
            read += 1
        reader.release()
    if read != 3:
        return fail("video", f"OpenCV {cv2.__version__} read {read} of 3 frames that it wrote: rm -rf .venv && make setup")
    return ok("video", f"OpenCV {cv2.__version__} writes and reads")


def cache_disk() -> CheckResult:
    """Room for copies of data sets and weights."""
    return _disk("cache disk", cache_folder(), _CACHE_BYTES, "free some, or let FACEGAN_CACHE name a folder on a larger disk")


def temporary_disk() -> CheckResult:
    """Room for Ray's session and spilled objects."""
    return _disk("/tmp disk", Path("/tmp"), _TEMPORARY_BYTES, "free some, or start Ray with --temp-dir on a larger disk")


def _disk(subject: str, folder: Path, least: int, cure: str) -> CheckResult:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK):
        return fail(subject, f"{there} may not be written: change its owner, or let FACEGAN_CACHE name another folder")
    usage = shutil.disk_usage(there)
    room = f"{folder}: {usage.free / _GIB:.1f} GiB free of {usage.total / _GIB:.1f}"
    if usage.free < least:
        return fail(subject, f"{room}, at least {least / _GIB:.0f} wanted: {cure}")
    if 1 - usage.free / usage.total > _FULLEST:
        return fail(subject, f"{room}: Ray stops writing at {_FULLEST:.0%}: {cure}")
    return ok(subject, room)


def open_files() -> CheckResult:
    """The limit on open files, which Ray's connections count against."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= _OPEN_FILES:
        return ok("open files", f"up to {soft}")
    cure = "ulimit -n $(ulimit -Hn)" if hard >= _OPEN_FILES else "raise nofile in /etc/security/limits.conf and log in again"
    return fail("open files", f"up to {soft}, Ray wants {_OPEN_FILES} or more: {cure}")


def shared_memory() -> CheckResult:
    """Ray's object store lives there, and falls back to a slow disk where it is small."""
    if not _SHARED_MEMORY.is_dir():
        return fail("/dev/shm", f"there is no {_SHARED_MEMORY}: mount a tmpfs there")
    size = shutil.disk_usage(_SHARED_MEMORY).total
    if size < _SHARED_BYTES:
        return fail(
            "/dev/shm",
            f"{size / 2**20:.0f} MiB, at least {_SHARED_BYTES / 2**20:.0f} wanted: docker run --shm-size=2g, in a pod an "
            "emptyDir of medium Memory, else mount -o remount,size=2g /dev/shm",
        )
    return ok("/dev/shm", f"{size / _GIB:.1f} GiB")
