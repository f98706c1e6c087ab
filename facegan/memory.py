"""How this process gets its memory, for training on a CPU."""

import ctypes
import platform
import re
from pathlib import Path

import torch

_PROCESS = Path("/proc/self")
"""Linux tells there what a process uses."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_NEVER = 2**31 - 1
_KEPT_BYTES = 64 * 2**20


def keep_freed_memory() -> bool:
    """Tell glibc to keep what tensors free instead of handing it back to the system; whether there is a glibc to tell.

    By default every large tensor is fresh pages, which the system must clear first: on a U-Net-64 at 128 pixels that was a
    sixth of a step's CPU time, and most of an instance norm's. Tensors above 64 MiB still go back: kept too, they left holes
    that cost a fifth more memory. It holds for the whole process and is harmless to repeat.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES) and libc.mallopt(_M_TRIM_THRESHOLD, _NEVER))


def forget_peak_memory(device: torch.device) -> None:
    """Begin to measure the peak anew: a process may run several trials."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif _PROCESS.exists():
        (_PROCESS / "clear_refs").write_text("5")


def peak_memory_bytes(device: torch.device) -> int | None:
    """Most memory held since then: on a GPU by its tensors, on a CPU by the whole process; None where nobody can tell."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    if not _PROCESS.exists():
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", (_PROCESS / "status").read_text())
    return 1024 * int(found[1]) if found else None
