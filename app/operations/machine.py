"""What the machine gives: Python and its packages, room on the disk, memory."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from app.config import Settings
from app.operations import versions
from app.operations.findings import Finding, broken, mend, ok, some
from app.operations.readiness import free_mb, short_of_room

_MEMINFO = Path("/proc/meminfo")
_COMFORT_MB = 1024
# Measured: a worker that looks at a photo of any size, and the consumer, stay below this.
_PROCESS_MB = 500


def check_python() -> Iterator[Finding]:
    found, least = platform.python_version(), ".".join(map(str, versions.LEAST_PYTHON))
    if sys.version_info < versions.LEAST_PYTHON:
        yield broken("python", f"Python {found} is too old: Namesake needs {least} or newer.")
    else:
        yield ok("python", f"Python {found}.")
    strays = list(versions.find_strays())
    missing = [stray for stray in strays if stray.endswith("not installed")]
    if strays:
        finding = broken if missing else mend
        yield finding("packages", f"{some(missing or strays)}. Run make setup, or pip install -r requirements.txt.")
    else:
        yield ok("packages", "All are the versions that were pinned.")


def check_room(settings: Settings) -> Iterator[Finding]:
    shortage = short_of_room(settings)
    free = free_mb(settings.instance, settings.uploads, settings.training)
    if shortage:
        yield broken("disk", f"{shortage} Make room: photos are refused until then.")
    elif free < _COMFORT_MB:
        yield mend("disk", f"{free:,} MB are free: make room before the next import.")
    else:
        yield ok("disk", f"{free:,} MB are free.")


def check_memory(settings: Settings, meminfo: Path = _MEMINFO) -> Iterator[Finding]:
    """Linux says how much there is; elsewhere nothing is said."""
    lines = meminfo.read_text("utf-8").splitlines() if meminfo.exists() else []
    total = next((int(line.split()[1]) // 1024 for line in lines if line.startswith("MemTotal:")), None)
    needed = (settings.workers + 1) * _PROCESS_MB
    if total is None:
        return
    if total < needed:
        words = f"{total:,} MB, and {settings.workers} workers and the consumer may need {needed:,} MB: lower WORKERS."
        yield mend("memory", words)
    else:
        yield ok("memory", f"{total:,} MB, of which up to {needed:,} MB are needed.")
