"""Freed tensors stay in the process: making one again touches no fresh pages."""

import platform
import resource

import pytest
import torch

from facegan.training.memory import keep_freed_memory

MEGABYTES = 48
"""More than glibc ever keeps by itself (32), less than what we tell it to keep (64)."""
PAGES = MEGABYTES * 2**20 // resource.getpagesize()


def fresh_pages(times: int) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(MEGABYTES * 2**18)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_memory_of_freed_tensors_is_used_again() -> None:
    assert keep_freed_memory()
    fresh_pages(10)  # until the heap has grown and settled
    assert fresh_pages(10) < PAGES
