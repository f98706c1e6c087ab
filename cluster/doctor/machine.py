"""Checks of the machine itself: packages, GPUs, OpenCV, disks, limits."""

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
from facegan.study.design.code_version import code_version

_ROOT = Path(__file__).parents[2]
_GIB = 2**30
_MIN_CACHE_BYTES, _MIN_TEMPORARY_BYTES, _MIN_SHARED_BYTES = 10 * _GIB, 5 * _GIB, _GIB // 2
_MAX_DISK_USE = 0.95
"""Ray does not write to a disk that is fuller."""
_MIN_OPEN_FILES = 4096
_DRIVER = Path("/proc/driver/nvidia/version")
_SHARED_MEMORY = Path("/dev/shm")


def python(root: Path = _ROOT) -> CheckResult:
    """The version of Python, against pyproject.toml."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    if not (root / "pyproject.toml").exists():
        return not_checked("python", f"{here}; there is no pyproject.toml in {root}")
    wanted = tomllib.loads((root / "pyproject.toml").read_text())["project"]["requires-python"]
    from packaging.specifiers import SpecifierSet

    if here not in SpecifierSet(wanted):
        return fail("python", f"{here}, the project needs {wanted}: make setup PYTHON=python3.11 in a fresh .venv")
    return ok("python", f"{here}; the code version is {code_version()}, as in the line `code` of jobs")


def packages(root: Path = _ROOT) -> CheckResult:
    """The installed versions, against constraints.txt; a local version label, as in 2.13.0+cpu, may differ."""
    if not (root / "constraints.txt").exists():
        return not_checked("packages", f"there is no constraints.txt in {root}")
    locked = dict(line.split("==") for line in (root / "constraints.txt").read_text().splitlines() if "==" in line)
    wanted = tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
    direct = {_normalized(re.split(r"[^\w.-]", name)[0]) for name in wanted}
    wrong = []
    for name, version in locked.items():
        found = _installed(name)
        if found is None and _normalized(name) in direct:
            wrong.append(f"{name} is missing")
        elif found is not None and found.split("+")[0] != version:
            wrong.append(f"{name} is {found}, locked {version}")
    if wrong:
        more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        return fail("packages", f"{'; '.join(wrong[:4])}{more}: rm -f .venv/.done && make setup")
    return ok("packages", f"ray {locked['ray']}, torch {_installed('torch')}, {len(locked)} locked versions match")


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _normalized(name: str) -> str:
    """The name of a package as in PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def gpus() -> CheckResult | list[CheckResult]:
    """A product of bfloat16 matrices on each GPU."""
    import torch

    if not _DRIVER.exists():
        return not_checked("GPU", "there is no NVIDIA driver, so trials run on the CPU")
    driver = _DRIVER.read_text().splitlines()[0].removeprefix("NVRM version:").strip()
    if not torch.cuda.is_available():
        return fail(
            "GPU",
            f"torch {torch.__version__} cannot use the driver {driver}: install torch's CUDA build for this driver; start a "
            "container with docker run --gpus all",
        )
    return [_one_gpu(index) for index in range(torch.cuda.device_count())]


def _one_gpu(index: int) -> CheckResult:
    import torch

    name = f"GPU {index}"
    free, total = torch.cuda.mem_get_info(index)
    ones = torch.ones(64, 64, device=f"cuda:{index}", dtype=torch.bfloat16)
    if float((ones @ ones)[0, 0]) != 64:
        return fail(name, f"{torch.cuda.get_device_name(index)} computes wrong results: do not use it, and see `nvidia-smi -q`")
    if free < total / 2:
        return fail(
            name,
            f"{free / _GIB:.1f} of {total / _GIB:.1f} GiB free: `nvidia-smi` lists the processes that use the rest; end them",
        )
    return ok(name, f"{torch.cuda.get_device_name(index)}, {free / _GIB:.1f} of {total / _GIB:.1f} GiB free")


def video() -> CheckResult:
    """Write a small video with OpenCV and read it with PyAV, as ingest does."""
    try:
        import cv2
    except ImportError as error:
        return fail("video", f"cv2 cannot be imported ({error}): on Debian apt-get install libgl1 libglib2.0-0")
    import av
    import numpy as np

    from facegan.data.ingest.frames import decode

    frame = np.full((32, 32, 3), 127, np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tiny.avi")
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (32, 32))
        for _ in range(3):
            writer.write(frame)
        writer.release()
        read = len(list(decode(path)))
    if read != 3:
        return fail("video", f"PyAV {av.__version__} read {read} of the 3 frames: rm -rf .venv && make setup")
    return ok("video", f"OpenCV {cv2.__version__} writes and PyAV {av.__version__} reads videos")


def cache_disk() -> CheckResult:
    """Free space for copies of data sets and weights."""
    return _disk(
        "cache disk", cache_folder(), _MIN_CACHE_BYTES, "free some space, or set FACEGAN_CACHE to a folder on a larger disk"
    )


def temporary_disk() -> CheckResult:
    """Free space for Ray's session and spilled objects."""
    return _disk(
        "/tmp disk", Path("/tmp"), _MIN_TEMPORARY_BYTES, "free some space, or start Ray with --temp-dir on a larger disk"
    )


def _disk(subject: str, folder: Path, minimum: int, fix: str) -> CheckResult:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        return fail(subject, f"{existing} is not writable: change its owner, or set FACEGAN_CACHE to another folder")
    usage = shutil.disk_usage(existing)
    space = f"{folder}: {usage.free / _GIB:.1f} GiB free of {usage.total / _GIB:.1f}"
    if usage.free < minimum:
        return fail(subject, f"{space}, at least {minimum / _GIB:.0f} needed: {fix}")
    if 1 - usage.free / usage.total > _MAX_DISK_USE:
        return fail(subject, f"{space}: Ray stops writing at {_MAX_DISK_USE:.0%}: {fix}")
    return ok(subject, space)


def open_files() -> CheckResult:
    """The limit of open files, which includes Ray's connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= _MIN_OPEN_FILES:
        return ok("open files", f"up to {soft}")
    fix = "ulimit -n $(ulimit -Hn)" if hard >= _MIN_OPEN_FILES else "raise nofile in /etc/security/limits.conf and log in again"
    return fail("open files", f"up to {soft}, Ray needs {_MIN_OPEN_FILES} or more: {fix}")


def shared_memory() -> CheckResult:
    """The size of /dev/shm, which holds Ray's object store; Ray uses a slow disk if it is too small."""
    if not _SHARED_MEMORY.is_dir():
        return fail("/dev/shm", f"{_SHARED_MEMORY} does not exist: mount a tmpfs there")
    size = shutil.disk_usage(_SHARED_MEMORY).total
    if size < _MIN_SHARED_BYTES:
        return fail(
            "/dev/shm",
            f"{size / 2**20:.0f} MiB, at least {_MIN_SHARED_BYTES / 2**20:.0f} needed: docker run --shm-size=2g, in a pod an "
            "emptyDir of medium Memory, otherwise mount -o remount,size=2g /dev/shm",
        )
    return ok("/dev/shm", f"{size / _GIB:.1f} GiB")
