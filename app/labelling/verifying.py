"""Whether a backup is what it says: asked of every one before it is restored, and before one from elsewhere is kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from app.errors import InvalidInput
from app.labelling.publication import entries_of
from app.labelling.workspace import Workspace
from app.store import backup, copying, files, queries, unpickling
from app.store.backup import Source

Report = Callable[[int, int, str], None]

# A face takes 1.2 KB of train.pickle, a long path or name some more: what goes far beyond is no list of these faces.
_SMALL_PICKLE, _LARGEST_ENTRY = 1 << 20, 8 << 10


@contextmanager
def unpacked(
    workspace: Workspace, source: Source, folder: Path, report: Report, *, photos: bool = True
) -> Iterator[Connection]:
    """Unpack a backup into an empty folder and check all of it: its store, brought to this program's version.

    photos: they are to be unpacked, too, and not just read and checked. Raises InvalidInput, UnsafePickle, TooLarge or
    DiskFull, saying what is wrong.
    """
    with files.translate_os_errors():
        _unpack_lists(source, folder)
        _go_through_photos(source, folder if photos else None, report)
    with copying.open_copy(folder / backup.STORE) as copy:
        if queries.revision(copy) != source.manifest.revision:
            raise InvalidInput("The store and the manifest in the backup do not say the same. Nothing was changed.")
        _check_pickle(workspace, folder, copy)
        yield copy


def _unpack_lists(source: Source, folder: Path) -> None:
    for name, sha256 in source.manifest.sha256.items():
        if name not in source.names or not backup.copy_checked(source, name, folder / name, sha256):
            raise InvalidInput(f"{name} in the backup is missing or damaged. Nothing was changed.")


def _go_through_photos(source: Source, folder: Path | None, report: Report) -> None:
    """All that the backup has, checked against their hashes. Of photos in a folder, which someone may have changed
    through their other name, those that were are left out."""
    if folder is not None:
        (folder / backup.PHOTOS).mkdir()
    photos = sorted(name for name in source.names if backup.photo_hash(name))
    for number, name in enumerate(photos, 1):
        sha256 = backup.photo_hash(name) or ""
        if folder is None:
            whole = backup.is_whole(source, name, sha256)
        else:
            whole = backup.copy_checked(source, name, folder / name, sha256)
        if not whole and not source.is_folder:
            raise InvalidInput("A photo in the backup is damaged. Nothing was changed.")
        report(number, len(photos), "Checking photos")
    if not source.is_folder and len(photos) != source.manifest.photos:
        raise InvalidInput("The backup lacks photos that its manifest counts. Nothing was changed.")
    if folder is not None:
        os.sync()  # once for all of them


def _check_pickle(workspace: Workspace, folder: Path, copy: Connection) -> None:
    """What was published says the same as the store, but for where photos lie, which settings decide."""
    labelled = entries_of(workspace.folders, queries.labelled_faces(copy))
    path = folder / backup.PICKLE
    largest = _SMALL_PICKLE + len(labelled) * _LARGEST_ENTRY
    published = unpickling.load(path, max_bytes=largest) if path.exists() else []
    if [(entry.box, entry.name, queries.pack(entry.encoding)) for entry in published] != [
        (entry.box, entry.name, queries.pack(entry.encoding)) for entry in labelled
    ]:
        raise InvalidInput("The store and train.pickle in the backup do not say the same. Nothing was changed.")
