"""What a disk holds when the power fails: what was synced, and as much of the rest as one likes.

A model of what POSIX promises and no more: the bytes of a file are safe after fsync of the file, and a name (made,
renamed, removed) is safe after fsync of its folder. That a rename between two folders is one step, which every
journalling file system promises, is taken for granted. SQLite's files are taken as they are, for it commits with
synchronous=FULL (a test holds that), and nothing is between two commits that counts.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.control import Record

# How much of what is not synced survives: nothing, the names but not the bytes, or some of both.
LOST, NAMES, MIXED = "nothing", "names", "some"


@dataclass
class _File:
    now: bytearray
    safe: bytes = b""
    before_last: bytes = b""
    """as it was before the last write that is not synced"""


@dataclass(eq=False)
class _Naming:
    """A change of names that is not safe yet: what goes and what comes, in the order in which it happened."""

    gone: str | None = None
    made: str | None = None
    what: _File | None = None
    """None for a folder"""

    def folders(self) -> set[str]:
        return {os.path.dirname(path) for path in (self.gone, self.made) if path}


@dataclass
class Disk:
    """Everything in `instance` and `datasets` of a home that is safe when it begins."""

    home: Path
    names: dict[str, _File | None] = field(default_factory=dict)
    """now, by path; None for a folder"""
    safe_names: dict[str, _File | None] = field(default_factory=dict)
    unsafe: list[_Naming] = field(default_factory=list)
    nodes: dict[int, _File] = field(default_factory=dict)

    @classmethod
    def of(cls, home: Path) -> Disk:
        """A home that nobody works in, all of it safe."""
        disk = cls(home)
        for path in home.rglob("*"):
            if path.is_symlink():
                continue
            if path.is_dir():
                disk.names[str(path)] = None
            else:
                data = path.read_bytes()
                file = _File(bytearray(data), data, data)
                disk.names[str(path)] = disk.nodes[path.stat().st_ino] = file
        disk.safe_names = dict(disk.names)
        return disk

    def replay(self, records: Iterable[Record]) -> Disk:
        """Do again what a server has done. A record is (step, operation, path, facts...)."""
        for _step, operation, path, *facts in records:
            getattr(self, f"_{operation}")(path, *facts)
        return self

    # ---- What can be done to a disk

    def _create(self, path: str, node: int) -> None:
        there = self.names.get(path)
        if there is None:
            there = self.nodes[node] = _File(bytearray())
            self._rename_to(_Naming(made=path, what=there))
        else:
            there.now[:] = b""

    def _write(self, _path: str, node: int, offset: int, data: bytes) -> None:
        file = self.nodes[node]
        file.before_last = bytes(file.now)
        file.now.extend(b"\0" * (offset - len(file.now)))
        file.now[offset : offset + len(data)] = data

    def _truncate(self, _path: str, node: int, length: int) -> None:
        file = self.nodes[node]
        file.before_last = bytes(file.now)
        del file.now[length:]

    def _fsync(self, path: str, node: int) -> None:
        file = self.nodes.get(node)
        if path in self.names and self.names[path] is None:
            self._make_safe(path)
        elif file is not None:
            file.safe = file.before_last = bytes(file.now)

    def _rename(self, target: str, source: str) -> None:
        self._rename_to(_Naming(gone=source, made=target, what=self.names[source]))

    _replace = _rename

    def _link(self, target: str, source: str) -> None:
        self._rename_to(_Naming(made=target, what=self.names[source]))

    def _unlink(self, path: str) -> None:
        self._rename_to(_Naming(gone=path))

    _remove = _rmdir = _unlink

    def _mkdir(self, path: str) -> None:
        self._rename_to(_Naming(made=path))

    def _commit(self, _path: str) -> None:
        return None

    _committed = _refused = _commit

    def _rename_to(self, naming: _Naming) -> None:
        _apply(self.names, naming)
        self.unsafe.append(naming)

    def _make_safe(self, folder: str) -> None:
        """What was done to the names in a folder, and before that in those they came from or went to: a journal keeps
        the order."""
        folders, safe = {folder}, []
        for naming in reversed(self.unsafe):
            if naming.folders() & folders:
                folders |= naming.folders()
                safe.append(naming)
        for naming in reversed(safe):
            _apply(self.safe_names, naming)
        self.unsafe = [naming for naming in self.unsafe if naming not in safe]

    # ---- What is left of it

    def fail(self, target: Path, survives: str, rng: random.Random) -> None:
        """Make `target` the home as it is found when the power is back. It holds the files of SQLite already."""
        kept = {LOST: 0, NAMES: len(self.unsafe)}.get(survives, rng.randint(0, len(self.unsafe)))
        names = dict(self.safe_names)
        for naming in self.unsafe[:kept]:
            _apply(names, naming)
        for folder in ("instance", "datasets"):
            for path in sorted((target / folder).rglob("*"), reverse=True):
                if path.is_symlink() or ".sqlite" in path.name or "metrics" in path.parts:
                    continue
                path.rmdir() if path.is_dir() else path.unlink()
        for name in sorted(names):
            path = target / Path(name).relative_to(self.home)
            file = names[name]
            if not path.parent.is_dir() or ".sqlite" in name:
                continue  # a folder that is not there has nothing in it
            if file is None:
                path.mkdir(exist_ok=True)
            else:
                some = rng.choice((file.safe, file.before_last, bytes(file.now))) if survives == MIXED else file.safe
                path.write_bytes(some)


def _apply(names: dict[str, _File | None], naming: _Naming) -> None:
    if naming.gone is not None:
        names.pop(naming.gone, None)
    if naming.made is not None:
        names[naming.made] = naming.what


def copy_store(source: Path, target: Path) -> None:
    """The files of SQLite and nothing else; what it keeps in shared memory is made anew."""
    (target / "instance").mkdir(parents=True, exist_ok=True)
    for path in (source / "instance").glob("*.sqlite*"):
        if not path.name.endswith("-shm"):
            shutil.copyfile(path, target / "instance" / path.name)
