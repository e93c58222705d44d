"""Taking photos in, and finding the faces in them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from sqlalchemy import Connection

from app import meters
from app.errors import DiskFull, InvalidInput, NamesakeError, NotFound, TooLarge
from app.labelling import pictures
from app.labelling.finding import add_faces, find_faces
from app.labelling.ignoring import ignore_look_alikes
from app.labelling.workspace import Workspace
from app.store import files, jobs, queries
from app.store.files import safe_stem

MEBIBYTE = 1024 * 1024
ROOM = 4
"""How many of the largest photos there must be room for: the photo itself, pictures of it, the store, train.pickle."""
_STORED = "Photos were stored, but nobody looks for their faces yet: send them again when there is room."
_SAME_FORMAT = {"jpg": {"jpg", "jpeg", "jpe", "jfif"}, "tif": {"tif", "tiff"}, "heic": {"heic", "heif"}}


@dataclass(frozen=True)
class Refusal:
    """A photo of several that was not taken, and why."""

    name: str
    error: NamesakeError


class Taken(NamedTuple):
    """A photo that is stored. known: it was so before, by its bytes."""

    photo_id: int
    known: bool


def add_photo(workspace: Workspace, data: bytes, file_name: str) -> int:
    """Store a photo and find its faces; the id of the photo, which is the old one for bytes already known.

    Raises what images.decode raises, and TooLarge; nothing is stored then.
    """
    return _add(workspace, data, file_name, look=True).photo_id


def take_in(workspace: Workspace, data: bytes, file_name: str) -> Taken:
    """Store a photo whose faces are found later, by `find_faces`. Raises as add_photo does."""
    return _add(workspace, data, file_name, look=False)


Upload = tuple[str, Callable[[], bytes]]
"""The name of a photo, and what reads its bytes."""


def store_photos(workspace: Workspace, uploads: Iterable[Upload]) -> tuple[list[int], list[Refusal]]:
    """Store photos whose faces are found later, by `find_faces`: (ids, refusals).

    Raises the refusal when there is nothing else.
    """
    taken, refusals = take_each(workspace, uploads)
    if not taken:
        raise refusals[0].error
    return list(dict.fromkeys(one.photo_id for one in taken)), refusals


def take_each(workspace: Workspace, uploads: Iterable[Upload]) -> tuple[list[Taken], list[Refusal]]:
    """`take_in` for several: one that is refused does not keep out the others."""
    taken, refusals = [], []
    for file_name, read in uploads:
        try:
            taken.append(take_in(workspace, read(), file_name))
        except NamesakeError as error:
            refusals.append(Refusal(file_name, error))
    return taken, refusals


def request_encoding(workspace: Workspace, photo_ids: Sequence[int]) -> int:
    """Put finding the faces of stored photos on the list of jobs; its id. Raises DiskFull, and they are stored then."""
    try:
        with workspace.database.write() as connection:
            payload = {"photo_ids": list(photo_ids)}
            return jobs.add(connection, "encode", payload, len(photo_ids), "Waiting to start")
    except DiskFull as error:
        raise DiskFull(f"The disk is full. {_STORED}") from error


def check_size(workspace: Workspace, size: int) -> None:
    """Raises TooLarge."""
    limit = workspace.settings.max_upload_mb
    if size > limit * MEBIBYTE:
        raise TooLarge(f"This photo has {size / MEBIBYTE:.1f} MB. Photos of up to {limit} MB are taken.")


def _add(workspace: Workspace, data: bytes, file_name: str, *, look: bool) -> Taken:
    try:
        taken = _take(workspace, data, file_name, look=look)
    except NamesakeError:
        meters.count("uploads", outcome="refused")
        raise
    meters.count("uploads", outcome="known" if taken.known else "taken")
    return taken


def _take(workspace: Workspace, data: bytes, file_name: str, *, look: bool) -> Taken:
    check_size(workspace, len(data))
    digest = hashlib.sha256(data).hexdigest()
    with workspace.database.read() as connection:
        known = queries.photo_by_hash(connection, digest)
    if known is not None:
        _restore(workspace, known.id, data)
        if look:
            for _photo_id, problem in find_faces(workspace, [known.id]):
                raise problem
        return Taken(int(known.id), known=True)
    decoded = workspace.decode(data)
    found = workspace.engine.faces(decoded) if look else []
    uploads = workspace.folders.roots["uploads"]
    incoming = files.write_new(uploads, data)
    try:
        with workspace.changing() as work:
            known = queries.photo_by_hash(work.connection, digest)
            if known is not None:
                raise _TwinArrived
            name = _upload_name(workspace, work.connection, file_name, decoded.extension)
            work.move((incoming, uploads / name))
            photo_id = queries.add_photo(
                work.connection,
                folder="uploads",
                name=name,
                upload_name=name,
                sha256=digest,
                size=len(data),
                width=decoded.width,
                height=decoded.height,
                encoded=look,
            )
            faces = add_faces(work.connection, photo_id, found, work.revision)
            ignore_look_alikes(workspace, work, faces)
    except _TwinArrived:
        return _take(workspace, data, file_name, look=look)
    finally:
        files.discard(incoming)
    pictures.keep(workspace, photo_id, faces, pictures.draw(decoded, [face.box for face in found]))
    return Taken(photo_id, known=False)


class _TwinArrived(Exception):
    """The same photo was stored by someone else while its faces were being looked for."""


def _restore(workspace: Workspace, photo_id: int, data: bytes) -> None:
    """Put the file of a known photo back if someone has removed it."""
    with workspace.database.read() as connection:
        photo = queries.photo(connection, photo_id)
    path = photo and workspace.folders.path(photo.folder, photo.name)
    if path is None or path.exists():
        return
    incoming = files.write_new(workspace.folders.roots["uploads"], data)
    try:
        with workspace.changing() as work:
            photo = queries.photo(work.connection, photo_id)
            path = photo and workspace.folders.path(photo.folder, photo.name)
            if path is not None and not path.exists():
                work.move((incoming, path))
    finally:
        files.discard(incoming)


def _upload_name(workspace: Workspace, connection: Connection, file_name: str, extension: str) -> str:
    sent = PurePosixPath(file_name.replace("\\", "/"))
    stem = safe_stem(sent.stem)
    suffix = sent.suffix.lower().removeprefix(".")
    if suffix in _SAME_FORMAT.get(extension, {extension}):
        extension = suffix
    taken = queries.upload_names_like(connection, stem)
    return files.free_name(workspace.folders.roots["uploads"], stem, extension, taken)


def find_photo(workspace: Workspace, connection: Connection, image_path: str | None) -> int:
    """The photo that an image path stands for: looked up in the store, never opened.

    Raises InvalidInput and NotFound.
    """
    if not image_path or not image_path.strip():
        raise InvalidInput("Say which photo: image_path is missing.")
    photo = queries.photo_by_path(connection, *workspace.folders.parse(image_path.strip()))
    if photo is None:
        raise NotFound("There is no photo with this image_path.")
    return int(photo.id)
