"""Taking over the faces of a train.pickle: the one found at the first start, or any other on request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from sqlalchemy import Connection

from app.errors import InvalidInput, NamesakeError
from app.labelling.labels import clean_label
from app.labelling.placing import place_photo
from app.labelling.publication import entries_of
from app.labelling.workspace import Work, Workspace
from app.recognition import decoder
from app.store import files, queries, unpickling
from app.store.artifact import Artifact, Entry


def adopt_found_pickle(workspace: Workspace) -> int | None:
    """Adopt a train.pickle that was there before the store; how many faces, None when there is nothing to adopt.

    Raises UnsafePickle or InvalidInput: the file stays as it is, and so does the store.
    """
    path = workspace.settings.pickle_path
    with workspace.database.read() as connection:
        if queries.pickle_length(connection) is not None or not path.exists():
            return None
    return import_pickle(workspace, path, only_first=True)


def import_pickle(workspace: Workspace, source: Path | BinaryIO, *, only_first: bool = False) -> int:
    """Add the labelled faces of a pickle to the store; how many were new.

    A face of the same photo with the same box is the same face. Photos whose file lies in the training folder
    are tied to it; of the others the encodings serve all the same.
    only_first: do nothing when the store has published already (another process was faster).
    Raises UnsafePickle, or InvalidInput with the number of the entry: then nothing was imported.
    """
    entries = unpickling.load(source)
    names = [_label(entry, number) for number, entry in enumerate(entries)]
    with workspace.changing() as work:
        connection = work.connection
        if only_first and queries.pickle_length(connection) is not None:
            return 0
        photo_ids: dict[str, int] = {}
        known: dict[int, dict[tuple[int, ...], int]] = {}
        ambiguous = _ambiguous(entries)
        added = 0
        for entry, name in zip(entries, names, strict=True):
            person_id = queries.person_id(connection, name)
            photo_id = photo_ids.get(entry.image_path)
            if photo_id is None:
                photo_id = _photo(workspace, connection, entry.image_path, person_id, ambiguous)
                photo_ids[entry.image_path] = photo_id
            if photo_id not in known:
                rows = queries.faces_of_photo(connection, photo_id)
                known[photo_id] = {(row.top, row.right, row.bottom, row.left): row.id for row in rows}
            added += _add_face(work, photo_id, entry, person_id, known[photo_id])
        for photo_id in known:
            place_photo(workspace, work, photo_id)
        queries.add_decision(connection, "import", before={}, after={"faces": added})
        work.rewrite = True
    return added


def export_pickle(workspace: Workspace, path: Path) -> int:
    """Write the training data to another file, in exactly the form of train.pickle; how many faces."""
    with workspace.database.read() as connection:
        entries = entries_of(workspace.folders, queries.labelled_faces(connection))
    with files.translate_os_errors():
        Artifact(path).rewrite(entries)
    return len(entries)


def _label(entry: Entry, number: int) -> str:
    try:
        return clean_label(entry.name)
    except InvalidInput as error:
        raise InvalidInput(f"Entry {number} of the pickle has no usable name: {error.message}") from error


def _add_face(work: Work, photo_id: int, entry: Entry, person_id: int, known: dict[tuple[int, ...], int]) -> int:
    """1 if the face is new or had been waiting for a name, 0 if it was decided before.

    known: the photo's faces by their box; a new one is added.
    """
    if entry.box not in known:
        known[entry.box] = queries.add_face(
            work.connection,
            photo_id,
            entry.box,
            queries.pack(entry.encoding),
            low_quality=False,
            revision=work.revision,
            person_id=person_id,
        )
        return 1
    named = queries.set_face(
        work.connection,
        known[entry.box],
        was="inbox",
        status="labelled",
        person_id=person_id,
        revision=work.revision,
        labelled_at_revision=work.revision,
    )
    return int(named)


def _ambiguous(entries: Sequence[Entry]) -> set[str]:
    """File names that stand for several photos: a file in training cannot be told to be one of them."""
    paths = {PurePosixPath(entry.image_path.replace("\\", "/")) for entry in entries}
    counted = Counter(path.name for path in paths)
    return {name for name, count in counted.items() if count > 1}


def _photo(workspace: Workspace, connection: Connection, image_path: str, person_id: int, ambiguous: set[str]) -> int:
    folder, name = workspace.folders.parse(image_path)
    written = str(PurePosixPath(image_path.replace("\\", "/")))
    if folder == "elsewhere":
        # The old system ran from other folders and on Windows: the file name is what can be relied on.
        here = workspace.folders.roots["training"] / PurePosixPath(name).name
        if here.is_file() and here.name not in ambiguous:
            folder, name = "training", here.name
    known = queries.photo_by_path(connection, folder, name) or queries.photo_by_path(connection, "elsewhere", written)
    if known is not None:
        return int(known.id)
    path = workspace.folders.path(folder, name)
    if path is None or not path.is_file():
        return queries.add_photo(connection, folder="elsewhere", name=written, named_for=person_id, encoded=True)
    digest = files.sha256(path)
    twin = queries.photo_by_hash(connection, digest)
    if twin is not None:
        return int(twin.id)
    width, height = _measure(path)
    return queries.add_photo(
        connection,
        width=width,
        height=height,
        folder=folder,
        name=name,
        upload_name=name if folder == "uploads" else None,
        named_for=person_id if folder == "training" else None,
        sha256=digest,
        size=path.stat().st_size,
        encoded=True,
    )


def _measure(path: Path) -> tuple[int | None, int | None]:
    """A photo that cannot be read keeps its face all the same: the encoding is what counts."""
    try:
        return decoder.read_header(files.read_bytes(path)).size
    except NamesakeError:
        return None, None
