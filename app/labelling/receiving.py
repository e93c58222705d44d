"""A backup that comes in as a file: one that was downloaded here, or from another installation.

It is as large as an installation, so it is written among the backups while it comes, under a name that is not listed.
There it is looked at as if it were to be restored. Then it gets a name, or goes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from app.errors import Conflict, DiskFull
from app.labelling import archives, verifying
from app.labelling.archives import Kept
from app.labelling.photos import MEBIBYTE, ROOM
from app.labelling.wording import many
from app.labelling.workspace import Workspace
from app.store import backup, files
from app.store.backup import Manifest


def room(workspace: Workspace) -> int:
    """How many bytes of a backup there is room for, so that photos can still be taken."""
    root = workspace.folders.roots["archives"]
    there = next(path for path in (root, *root.parents) if path.exists())
    return max(0, shutil.disk_usage(there).free - ROOM * workspace.settings.max_upload_mb * MEBIBYTE)


def check_room(workspace: Workspace, size: int, written: int = 0) -> None:
    """Whether so many bytes more may be written, of a backup of which some are there. Raises DiskFull."""
    free = room(workspace)
    if size > free:
        most = (written + free) // MEBIBYTE
        raise DiskFull(f"The disk has room for a backup of {most:,} MB at most. Nothing was changed.")


class Arriving:
    """A file that a form is read into: as much of a file as that takes."""

    def __init__(self, workspace: Workspace, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._workspace, self._file = workspace, file

    def write(self, data: bytes) -> int:
        """Raises DiskFull, before there is no room for anything else."""
        check_room(self._workspace, len(data), self._file.tell())
        with files.translate_os_errors():
            return self._file.write(data)

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        with files.translate_os_errors():
            return self._file.seek(place, whence)

    def sync(self) -> None:
        """Make what was written survive a power cut."""
        with files.translate_os_errors():
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """What could not be written when it was to be is not missed now."""
        with suppress(OSError):
            self._file.close()


@contextmanager
def arriving(workspace: Workspace) -> Iterator[Arriving]:
    """A file among the backups that is gone at the end, unless it is kept."""
    with archives.partial(workspace) as folder:
        path = folder / "arriving.zip"
        with files.translate_os_errors():
            file = open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "r+b")  # noqa: SIM115
        coming = Arriving(workspace, path, file)
        try:
            yield coming
        finally:
            coming.close()


def keep(workspace: Workspace, file: Arriving) -> Kept:
    """List a backup that has come in whole, if everything in it is right.

    Raises Conflict when it is here already, and what verifying.unpacked raises: nothing of it stays then.
    """
    file.sync()
    with backup.open_backup(file.path) as source:
        _refuse_twin(workspace, source.manifest)
        unpacked = file.path.with_name("unpacked")
        unpacked.mkdir()
        with verifying.unpacked(workspace, source, unpacked, lambda *_step: None, photos=False):
            pass
    name = archives.put_in_place(workspace, file.path, source.manifest, ".zip", brought_in=True)
    return Kept(name, archives.path_of(workspace, name), source.manifest)


def in_words(kept: Kept) -> str:
    """What is in, for a person."""
    photos, faces = many(kept.manifest.photos, "photo"), many(kept.manifest.faces, "face")
    return f"The backup is in: {photos} and {faces}. It heads the list, and is restored from there."


def _refuse_twin(workspace: Workspace, manifest: Manifest) -> None:
    """An automatic one is no twin: it goes one day, and may be brought in to stay."""
    for each in archives.kept(workspace):
        if each.manifest == manifest and not each.is_automatic:
            raise Conflict("This backup is here already.", url=f"/backups/{each.name}.zip")
