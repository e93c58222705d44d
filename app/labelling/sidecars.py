"""Face names that travel with a photo as XMP: given out, and taken in as decisions that can be undone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from app.errors import Conflict, InvalidInput, NamesakeError, NotFound
from app.labelling import drawing
from app.labelling.naming import Applied, Wanted, apply_names, give_name
from app.labelling.workspace import Work, Workspace
from app.recognition import decoder
from app.recognition.images import Header
from app.store import files, queries, regions, sidecar


def read_sidecar(workspace: Workspace, photo_id: int) -> bytes:
    """The XMP of a photo in which someone has a name. Raises NotFound."""
    with workspace.database.read() as connection:
        photo = queries.photo(connection, photo_id)
        rows = queries.faces_of_photo(connection, photo_id)
    if photo is None:
        raise NotFound("There is no such photo.")
    named = [row for row in rows if row.status == "labelled"]
    if not named:
        raise NotFound("Nobody in this photo has a name yet, so there is nothing to write into a sidecar.")
    path = workspace.folders.path(photo.folder, photo.name)
    if path is None or not path.is_file():
        raise NotFound("The file of this photo is not here.")
    return describe_faces(files.read_bytes(path), named)


def describe_faces(photo: bytes, named: Sequence[Row[Any]]) -> bytes:
    """The XMP for a photo with these labelled faces, from left to right. Raises what decoder.read_header raises."""
    header = decoder.read_header(photo)
    found = [
        regions.region_of(
            row.person,
            (row.top, row.right, row.bottom, row.left),
            header.width,
            header.height,
            header.orientation,
        )
        for row in sorted(named, key=lambda row: (row.left, row.top, row.person))
    ]
    return sidecar.write(found, *regions.stored_size(header.width, header.height, header.orientation))


def apply_sidecar(workspace: Workspace, photo_id: int, xmp: bytes) -> Applied:
    """Name the faces of a photo as XMP about it says: one action, which can be undone.

    A face that was decided otherwise keeps what was said, and is reported. Raises NotFound; Conflict when nobody has
    looked for faces in the photo yet; and InvalidInput for what is no XMP. Nothing changes then.
    """
    read = sidecar.read(xmp)
    with workspace.database.read() as connection:
        photo = queries.photo(connection, photo_id)
    if photo is None:
        raise NotFound("There is no such photo.")
    if not photo.encoded:
        raise Conflict("The faces of this photo have not been looked for yet.")
    path = workspace.folders.path(photo.folder, photo.name)
    if path is None or not path.is_file():
        raise NotFound("The file of this photo is not here.")
    wanted = wanted_faces(read, decoder.read_header(files.read_bytes(path)))
    if not wanted:
        return Applied()
    with workspace.changing() as work:
        return apply_names(workspace, work, photo_id, wanted)


def apply_found(workspace: Workspace, paths: Mapping[int, Path]) -> dict[int, Applied]:
    """Name faces as the XMP says that is found beside or inside files on disk: one action for all of them.

    paths: by photo of the store, whose faces have been looked for; the file is the same, byte for byte. The answer
    has the photos about which something was said. What cannot be read says nothing.
    """
    wanted = {}
    for photo_id, path in paths.items():
        with suppress(NamesakeError):
            xmp = find_xmp(path)
            if xmp is not None:
                wanted[photo_id] = wanted_faces(sidecar.read(xmp), decoder.read_header(files.read_bytes(path)))
    if not any(wanted.values()):
        return {}
    with workspace.changing() as work:
        found = {photo_id: apply_names(workspace, work, photo_id, faces) for photo_id, faces in wanted.items() if faces}
        for photo_id, applied in found.items():
            _draw_missing(workspace, work, photo_id, applied)
        return found


def _draw_missing(workspace: Workspace, work: Work, photo_id: int, applied: Applied) -> None:
    """Make faces of the regions where none was found, as if a human had drawn them."""
    for each in list(applied.unplaced):
        work.move_files()  # a name before this one may have sent the photo elsewhere
        with suppress(NamesakeError):
            face = queries.face(work.connection, drawing.draw_with(workspace, work, photo_id, each.box))
            assert face is not None  # noqa: S101  (it has just been added)
            give_name(workspace, work, face, each.name, each.decided)
            applied.unplaced.remove(each)
            applied.named.append(face.id)


def wanted_faces(read: sidecar.Sidecar, header: Header) -> list[Wanted]:
    """The names with their boxes, in pixels of the upright photo."""
    orientation = regions.orientation_meant(read.applied, header.width, header.height, header.orientation)
    placed = ((region, regions.box_of(region, header.width, header.height, orientation)) for region in read.regions)
    return [Wanted(region.name, box) for region, box in placed if box is not None]


def find_xmp(path: Path) -> bytes | None:
    """The XMP that says who is in a photo on disk: photo.jpg.xmp (as digiKam and darktable name it), photo.xmp (as
    Lightroom and Capture One do: KDE/digikam pull request 6), or what lies in the photo itself. The first that names
    a face; None when none does."""
    return next((xmp for xmp in _candidates(path) if _names_someone(xmp)), None)


def _candidates(path: Path) -> Iterator[bytes]:
    for beside in (path.with_name(path.name + files.SIDECAR_EXTENSION), path.with_suffix(files.SIDECAR_EXTENSION)):
        # Larger than any sidecar may be is left to the reader to refuse, unread.
        if beside.is_file() and beside.stat().st_size <= sidecar.MAX_BYTES:
            with suppress(InvalidInput):
                yield files.read_bytes(beside)
    with suppress(NamesakeError):
        xmp = decoder.read_header(files.read_bytes(path)).xmp
        if xmp:
            yield xmp


def _names_someone(xmp: bytes) -> bool:
    try:
        return bool(sidecar.read(xmp).regions)
    except InvalidInput:
        return False
