"""An exported training set, taken in: all of it or nothing.

Everything is read and checked before anything is changed: the archive, its manifest, its train.pickle, every photo
against its hash. Then one change of the workspace adds rows and moves files, as short as a reset's switch, so that
nothing half taken in is ever seen and a killed import leaves no trace. No face is encoded: the manifest has the
numbers. Photos that are here already are known by their hash; what was decided about their faces stays.

Photos come in as uploads do, and then their faces get their names in one action: to undo it leaves the photos in the
inbox.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from app.errors import DiskFull, InvalidInput, NamesakeError
from app.labelling.joining import Staged, Taken, join
from app.labelling.labels import clean_label
from app.labelling.photos import MEBIBYTE
from app.labelling.workspace import Workspace
from app.recognition import decoder
from app.store import archive, files, manifest, queries, travelling, unpickling
from app.store.archive import Reader
from app.store.manifest import ArchivedFace, ArchivedPhoto, Manifest

_LARGEST_LIST = 256 << 20


def import_archive(workspace: Workspace, file: BinaryIO) -> Taken:
    """Take in what exporting.stream_archive has written.

    Raises InvalidInput, DiskFull or UnsafePickle, saying what is wrong: nothing was changed then.
    """
    with archive.open_archive(file) as reader, _staging(workspace) as folder:
        found = _clean(manifest.load(reader.read(archive.MANIFEST, _LARGEST_LIST)))
        _check_pickle(reader, found)
        _check_files(reader, found)
        staged = _stage(workspace, reader, found, folder)
        with workspace.changing() as work:
            return join(workspace, work, found, staged)


def _clean(found: Manifest) -> Manifest:
    """The same with names as this product spells them."""
    spelt: dict[str, str] = {}
    for face in found.faces:
        for name in (face.person, *face.rejected, *face.vouched):
            if name is not None and name not in spelt:
                try:
                    spelt[name] = clean_label(name)
                except InvalidInput as error:
                    raise InvalidInput(f"The archive has a name that cannot be used: {error.message}") from error
    faces = [
        ArchivedFace(
            **vars(face)
            | {
                "person": None if face.person is None else spelt[face.person],
                "rejected": tuple(spelt[name] for name in face.rejected),
                "vouched": tuple(spelt[name] for name in face.vouched),
            }
        )
        for face in found.faces
    ]
    return Manifest(found.photos, faces)


def _check_pickle(reader: Reader, found: Manifest) -> None:
    """The two lists of labels in the archive must be one."""
    if archive.PICKLE not in reader:
        raise InvalidInput(f"The archive has no {archive.PICKLE}.")
    with reader.open(archive.PICKLE) as file:
        entries = unpickling.load(file, max_bytes=_LARGEST_LIST)  # type: ignore[arg-type]
    labelled = [face for face in found.faces if face.status == "labelled"]
    if [(entry.box, clean_label(entry.name), queries.pack(entry.encoding)) for entry in entries] != [
        (face.box, face.person, face.encoding) for face in labelled
    ]:
        raise InvalidInput(f"{archive.PICKLE} and {archive.MANIFEST} in the archive do not say the same.")


def _check_files(reader: Reader, found: Manifest) -> None:
    told = {photo.file for photo in found.photos if photo.file is not None}
    if told != reader.photo_names():
        raise InvalidInput("The archive has not exactly the photos that its manifest speaks of.")
    if any(photo.file is not None and photo.sha256 is None for photo in found.photos):
        raise InvalidInput("The manifest of the archive does not say what is in its photos.")


def _stage(workspace: Workspace, reader: Reader, found: Manifest, folder: Path) -> list[Staged | None]:
    """The files of the photos that may be needed, checked and written beside what is there."""
    limit = workspace.settings.max_upload_mb * MEBIBYTE
    with workspace.database.read() as connection:
        live = travelling.live_photos(connection)
    here = {row.sha256 for row in live if (path := workspace.folders.path(row.folder, row.name)) and path.is_file()}
    needed = sum(reader.size(f"{archive.PHOTOS}{p.file}") for p in found.photos if p.file and p.sha256 not in here)
    if needed > shutil.disk_usage(folder).free:
        raise DiskFull("There is not enough room on the disk for the photos in this archive. Nothing was changed.")
    staged: list[Staged | None] = []
    for photo in found.photos:
        if photo.file is None:
            staged.append(None)
            continue
        data = reader.read(f"{archive.PHOTOS}{photo.file}", limit)
        width, height = _check_photo(photo, data)
        known = photo.sha256 in here
        staged.append(
            None if known else Staged(files.write_new(folder, data, one_of_many=True), len(data), width, height)
        )
    with files.translate_os_errors():
        files.sync_folder(folder)
    return staged


def _check_photo(photo: ArchivedPhoto, data: bytes) -> tuple[int, int]:
    """Its width and height."""
    if files.sha256_of(data) != photo.sha256:
        raise InvalidInput(f"{photo.file} in the archive is not the photo that its manifest speaks of.")
    try:
        size = decoder.read_header(data).size
    except NamesakeError as error:
        raise InvalidInput(f"{photo.file} in the archive: {error.message}") from error
    if (photo.width, photo.height) not in ((None, None), size):
        raise InvalidInput(f"{photo.file} in the archive has another size than its manifest says.")
    return size


@contextmanager
def _staging(workspace: Workspace) -> Iterator[Path]:
    """A folder for what is not taken in yet; reconcile removes those of imports that were killed."""
    folder = workspace.folders.roots["staging"] / f"import-{uuid.uuid4().hex}"
    with files.translate_os_errors():
        files.make_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
