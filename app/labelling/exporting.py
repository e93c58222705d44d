"""The training set, given out: as a table of labels, and as an archive from which everything comes back."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row

from app.errors import NamesakeError
from app.labelling import sidecars
from app.labelling.publication import entries_of
from app.labelling.workspace import Workspace
from app.recognition import decoder, redrawing
from app.store import archive, files, label_table, manifest, queries, travelling
from app.store.artifact import Artifact, Entry
from app.store.label_table import LabelRow
from app.store.manifest import ArchivedFace, ArchivedPhoto

_CHUNK = 1 << 20


@dataclass(frozen=True)
class _Photo:
    """A row of the store, and what the archive says of it."""

    row: Row[Any]
    archived: ArchivedPhoto


@dataclass(frozen=True)
class Export:
    """One moment of the training set: what is decided while it is sent is not in it.

    faces: rows of the store, labelled ones first, in the order of train.pickle.
    """

    photos: Sequence[_Photo]
    faces: Sequence[Row[Any]]
    archived: Sequence[ArchivedFace]
    entries: Sequence[Entry]

    @property
    def labelled(self) -> int:
        return len(self.entries)


def read_export(workspace: Workspace) -> Export:
    """Everything but the files."""
    with workspace.database.read() as connection:
        rows = {row.id: row for row in travelling.labelled_photos(connection)}
        found = travelling.faces_of_labelled_photos(connection)
        named = sorted((face for face in found if face.status == "labelled"), key=_order)
        numbers = {photo_id: number for number, photo_id in enumerate(dict.fromkeys(face.photo_id for face in named))}
        others = (face for face in found if face.status != "labelled")
        faces = named + sorted(others, key=lambda face: (numbers[face.photo_id], face.top, face.left, face.id))
        names = queries.names(connection)
        photos = [
            _Photo(rows[photo_id], _photo(workspace, rows[photo_id], number, names))
            for photo_id, number in numbers.items()
        ]
        archived = _faces(connection, faces, numbers)
        entries = entries_of(workspace.folders, queries.labelled_faces(connection))
    return Export(photos, faces, archived, entries)


def stream_labels(workspace: Workspace) -> Iterator[bytes]:
    """labels.csv, one labelled face a row, in the order of train.pickle."""
    return label_table.dump(_label_rows(read_export(workspace)))


def stream_archive(workspace: Workspace, export: Export, missing: list[str], *, strip: bool = False) -> Iterator[bytes]:
    """A zip of the photos with their sidecars, train.pickle, labels.csv, and the manifest that brings all of it back.

    missing: is given the paths of photos whose file has gone, or is not what it was; their faces travel without it.
    strip: photos are drawn anew, without what they say of places and cameras.
    """
    writer = archive.Writer()
    named = _named_by_photo(export)
    sent: list[_Photo] = []
    taken: set[str] = set()
    for photo in export.photos:
        data, archived = _read(workspace, photo), photo.archived
        if data is not None and strip:
            data, archived = _redrawn(workspace, data, archived, taken)
        if data is None:
            missing += [photo.archived.path] if photo.archived.file else []
            sent.append(_Photo(photo.row, replace(photo.archived, file=None)))
            continue
        name = f"{archive.PHOTOS}{archived.file}"
        yield writer.add(name, data)
        xmp = sidecars.describe_faces(data, named[photo.row.id])
        yield writer.add(name + files.SIDECAR_EXTENSION, xmp, deflated=True)
        sent.append(_Photo(photo.row, archived))
    yield from writer.add_pieces(archive.PICKLE, _pickle(workspace, export.entries))
    yield from writer.add_pieces(archive.TABLE, label_table.dump(_label_rows(replace(export, photos=sent))))
    lines = manifest.dump(manifest.Manifest([photo.archived for photo in sent], export.archived))
    yield from writer.add_pieces(archive.MANIFEST, (line.encode() for line in lines))
    yield writer.finish()


def write_archive(workspace: Workspace, path: Path, *, strip: bool = False) -> tuple[Export, list[str]]:
    """The same into a file, which is there whole or not at all: what it holds, and the photos it lacks."""
    export, missing = read_export(workspace), list[str]()
    partial = path.with_name(f".{path.name}.partial")
    with files.translate_os_errors():
        try:
            with partial.open("wb") as file:
                file.writelines(stream_archive(workspace, export, missing, strip=strip))
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
            files.sync_folder(path.parent)
        finally:
            files.discard(partial)
    return export, missing


def _order(face: Row[Any]) -> tuple[int, int]:
    """Where a labelled face stands in train.pickle."""
    return face.labelled_at_revision, face.id


def _photo(workspace: Workspace, row: Row[Any], number: int, names: dict[int, str]) -> ArchivedPhoto:
    stays = row.folder in workspace.folders.roots and row.sha256 is not None
    name = row.name if manifest.safe_file_name(row.name) else f"photo_{number}.{row.name.rpartition('.')[2].lower()}"
    return ArchivedPhoto(
        file=name if stays and manifest.safe_file_name(name) else None,
        path=workspace.folders.image_path(row.folder, row.name),
        sha256=row.sha256,
        size=row.size,
        width=row.width,
        height=row.height,
        upload_name=row.upload_name if row.upload_name and manifest.safe_file_name(row.upload_name) else None,
        named_for=names.get(row.named_for) if stays else None,
    )


def _faces(connection: Connection, faces: Sequence[Row[Any]], numbers: dict[int, int]) -> list[ArchivedFace]:
    decided = travelling.decided_at(connection)
    rejected, vouched = travelling.rejected_names(connection), travelling.vouched_names(connection)
    places = {face.id: place for place, face in enumerate(faces)}
    return [
        ArchivedFace(
            photo=numbers[face.photo_id],
            box=(face.top, face.right, face.bottom, face.left),
            encoding=face.encoding,
            status=face.status,
            person=face.person,
            decided=decided.get((face.id, face.person_id)),
            flaws=None if face.flaws is None else tuple(face.flaws.split(",")) if face.flaws else (),
            low_quality=face.low_quality,
            recognise=face.recognise,
            twin=places.get(face.twin_of),
            rejected=tuple(rejected.get(face.id, ())),
            vouched=tuple(vouched.get(face.id, ())),
        )
        for face in faces
    ]


def _label_rows(export: Export) -> Iterator[LabelRow]:
    for archived in export.archived:
        if archived.person is not None:
            photo = export.photos[archived.photo].archived
            yield LabelRow(photo.path, archived.person, archived.box, photo.sha256 or "", archived.decided or "")


def _named_by_photo(export: Export) -> dict[int, list[Row[Any]]]:
    named: dict[int, list[Row[Any]]] = {photo.row.id: [] for photo in export.photos}
    for face in export.faces:
        if face.status == "labelled":
            named[face.photo_id].append(face)
    return named


def _read(workspace: Workspace, photo: _Photo) -> bytes | None:
    """The bytes of a photo, wherever it may have moved meanwhile; None when they are not those that the store knows,
    or no picture."""
    if photo.archived.file is None:
        return None
    place: tuple[str, str] | None = (photo.row.folder, photo.row.name)
    for _attempt in range(3):
        path = place and workspace.folders.path(*place)
        try:
            data = files.read_bytes(path) if path else b""
            if files.sha256_of(data) == photo.row.sha256:
                decoder.read_header(data)
                return data
        except NamesakeError:
            pass
        with workspace.database.read() as connection:
            place = travelling.place_of(connection, photo.row.id)
    return None


def _redrawn(
    workspace: Workspace, data: bytes, archived: ArchivedPhoto, taken: set[str]
) -> tuple[bytes | None, ArchivedPhoto]:
    """A photo without what it says besides the picture, None where it cannot be drawn; taken: names of others."""
    try:
        drawn, extension = redrawing.redraw(data, max_pixels=workspace.settings.max_pixels)
    except NamesakeError:
        return None, archived
    stem = str(archived.file).rpartition(".")[0]
    name = files.free_name(Path(), stem, extension, taken)  # a.heic and a.png may both be there
    taken.add(name)
    upload = archived.upload_name and f"{archived.upload_name.rpartition('.')[0]}.{extension}"
    return drawn, replace(archived, file=name, upload_name=upload, sha256=files.sha256_of(drawn), size=len(drawn))


def _pickle(workspace: Workspace, entries: Sequence[Entry]) -> Iterator[bytes]:
    with tempfile.TemporaryDirectory(dir=workspace.incoming) as folder:
        path = Path(folder) / archive.PICKLE
        Artifact(path).rewrite(entries)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
