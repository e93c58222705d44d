"""What has been found in photos before the work was broken off: a file beside the one that it is for.

The first line says what the findings depend on; a file that begins otherwise is of no use and is begun anew. Each
line carries its checksum, and reading ends at the first that is not as it was written.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Finding:
    """sha256: of the photo's bytes. faces: how many it has. box, encoding: of the one that it is of, if any."""

    sha256: str
    faces: int
    box: Box | None = None
    encoding: NDArray[np.float32] | None = None


class Partial:
    """Findings in the file at `path`, by the sha256 of the photo. One process at a time. Raises OSError.

    basis: what they depend on, as JSON has it.
    """

    def __init__(self, path: Path, basis: dict[str, Any]) -> None:
        self._path = path
        self._basis = _line(basis)
        self._findings: dict[str, Finding] = {}
        self._good_length = self._read()

    def __len__(self) -> int:
        return len(self._findings)

    def get(self, sha256: str) -> Finding | None:
        return self._findings.get(sha256)

    def add(self, findings: Iterable[Finding]) -> None:
        """Keep them, past the end of this process."""
        new = {finding.sha256: finding for finding in findings if finding.sha256 not in self._findings}
        if not new:
            return
        lines = b"" if self._good_length else self._basis
        lines += b"".join(_line(_as_json(finding)) for finding in new.values())
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o666)
        with open(descriptor, "wb") as file:
            file.truncate(self._good_length)
            file.seek(self._good_length)
            file.write(lines)
            file.flush()
            os.fsync(descriptor)
        self._good_length += len(lines)
        self._findings |= new

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)

    def _read(self) -> int:
        """Take in what can be relied on; how many bytes that is."""
        try:
            lines = self._path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return 0
        if lines[:1] != [self._basis]:
            return 0
        length = len(self._basis)
        for line in lines[1:]:
            finding = _finding(line)
            if finding is None:
                break
            self._findings[finding.sha256] = finding
            length += len(line)
        return length


def _line(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, sort_keys=True).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _as_json(finding: Finding) -> dict[str, Any]:
    encoding = None if finding.encoding is None else finding.encoding.astype("<f4").tobytes().hex()
    return {"sha256": finding.sha256, "faces": finding.faces, "box": finding.box, "encoding": encoding}


def _finding(line: bytes) -> Finding | None:
    """What a line of ours says; None for any other."""
    try:
        content = json.loads(line[9:])
        if _line(content) != line:
            return None
        box, encoding = content["box"], content["encoding"]
        if encoding is None:
            return Finding(str(content["sha256"]), 0)
        top, right, bottom, left = (int(edge) for edge in box)
        values = np.frombuffer(bytes.fromhex(encoding), "<f4").astype(np.float32)
        if values.shape != (128,) or not np.isfinite(values).all():
            return None
        return Finding(str(content["sha256"]), int(content["faces"]), (top, right, bottom, left), values)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
