"""What the harness and the processes of a server share: a page of memory, and a log of all that was done to the disk.

A step is counted while the page is armed. The log is kept from the start, for it says what the disk would hold if the
power failed.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import pickle
import signal
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VARIABLE = "FAULTS_FOLDER"
"""names the folder of the page and the log in the environment of a server"""

# What happens at the step that was chosen.
NOTHING, KILL, TORN, FULL, FILLED, READ_ONLY, REFUSED = range(7)

_PAGE = struct.Struct("=IIIIi")  # armed, steps so far, chosen step, what happens there, group of processes
_LENGTH = struct.Struct("=I")

Record = tuple[Any, ...]
"""(step, operation, path, ...) as tests.faults.steps writes it; step 0 is before or after the action."""


class Control:
    """The page in `folder`, made by the first who opens it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._file = os.open(folder / "page", os.O_RDWR | os.O_CREAT)
        if os.fstat(self._file).st_size < _PAGE.size:
            os.ftruncate(self._file, _PAGE.size)
        self._log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._page = mmap.mmap(self._file, _PAGE.size)

    # ---- The harness's side

    def arm(self, chosen: int = 0, what: int = NOTHING, group: int = 0) -> None:
        """Count from here on, and do that at the chosen step."""
        _PAGE.pack_into(self._page, 0, 1, 0, chosen, what, group)

    def disarm(self) -> int:
        """Let everything pass; how many steps there were."""
        _armed, steps, _chosen, _what, group = _PAGE.unpack_from(self._page)
        _PAGE.pack_into(self._page, 0, 0, steps, 0, NOTHING, group)
        return int(steps)

    def records(self) -> list[Record]:
        return list(_records((self.folder / "log").read_bytes()))

    def close(self) -> None:
        self._page.close()
        os.close(self._file)
        os.close(self._log)

    # ---- The server's side

    def next_step(self) -> tuple[int, int]:
        """(its number, what happens at it)."""
        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                armed, steps, chosen, what, group = _PAGE.unpack_from(self._page)
                if not armed:
                    return 0, NOTHING
                step = steps + 1
                _PAGE.pack_into(self._page, 0, armed, step, chosen, what, group)
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)
        stays = what == READ_ONLY and step > chosen > 0
        return step, what if step == chosen or stays else NOTHING

    def note(self, *record: Any) -> None:
        data = pickle.dumps(record)
        _real_write(self._log, _LENGTH.pack(len(data)) + data)

    def kill_everyone(self) -> None:
        """This process, the other workers, their master and the consumer."""
        os.killpg(_PAGE.unpack_from(self._page)[4] or os.getpgrp(), signal.SIGKILL)
        signal.pause()


_real_write = os.write


def _records(data: bytes) -> Iterator[Record]:
    at = 0
    while at + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            return
        yield pickle.loads(data[at : at + length])
        at += length
