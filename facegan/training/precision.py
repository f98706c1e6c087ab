"""Which precision the networks' passes have where the configuration leaves it open."""

from functools import cache
from pathlib import Path
from typing import Literal

Precision = Literal["fp32", "bf16"]

_CPUINFO = Path("/proc/cpuinfo")
_BF16_FLAGS = {"avx512_bf16", "amx_bf16"}
"""x86 instructions that multiply bfloat16. Without them bfloat16 is emulated, and slower than float32."""


def choose_precision(wanted: Literal["auto", "fp32", "bf16"], *, on_gpu: bool) -> Precision:
    """What was asked for; auto is bf16 on a GPU and on a CPU that has instructions for it."""
    if wanted != "auto":
        return wanted
    return "bf16" if on_gpu or multiplies_bf16(_CPUINFO) else "fp32"


@cache
def multiplies_bf16(cpuinfo: Path) -> bool:
    """Whether Linux says that the CPU has such instructions; False on other systems, which have no such file."""
    if not cpuinfo.exists():
        return False
    flags = (line.partition(":")[2].split() for line in cpuinfo.read_text().splitlines() if line.startswith("flags"))
    return bool(_BF16_FLAGS & set(next(flags, ())))
