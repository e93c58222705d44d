"""What was freed goes back to the system."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from app.config import PROJECT

FREED = """
    import pathlib, threading
    import numpy as np
    from app.recognition import allocator

    def memory():
        return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

    kept = []

    def look():
        blocks = [np.ones(100_000, np.uint8) for _ in range(500)]
        kept.append(blocks[-1])  # what lies before it cannot be given back by shortening the heap

    allocator.share_memory()
    before = memory()
    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(memory() - before)
    allocator.make_room()
    print(memory() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="how much memory there is can be read on Linux only")
def test_memory_freed_by_threads_is_given_back() -> None:
    command = [sys.executable, "-c", textwrap.dedent(FREED)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    kept, left = map(float, done.stdout.split())
    assert kept > 40, "of itself the allocator keeps it"
    assert left < kept / 4
