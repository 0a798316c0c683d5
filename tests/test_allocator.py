"""Memory of large answers goes back to the system."""

import subprocess
import sys

import pytest

LEFT = """
import os
from gateway.allocator import give_large_blocks_back
{call}
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
before = resident()
for _ in range(3):
    blocks = [bytearray(8 << 20) for _ in range(10)]
    kept = bytearray(200_000)
    blocks.clear()
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_large_blocks_that_are_free_are_not_kept():
    code = LEFT.format(call="give_large_blocks_back()")
    left_mb = int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
    assert left_mb < 8


def test_a_library_without_the_call_changes_nothing(monkeypatch):
    from gateway import allocator

    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _: object())
    allocator.give_large_blocks_back()
