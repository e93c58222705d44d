"""The pictures that pages show: made from the pixels alone, so that no place or camera leaves with them."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import NamesakeError, NotFound
from app.labelling.workspace import DISPLAY_SIDE, Workspace
from app.recognition import images
from app.recognition.engine import Box
from app.recognition.images import Photo
from app.store import queries
from app.store.files import discard, translate_os_errors


class FileMissing(NotFound):
    """The photo is known, its file is not here."""


log = logging.getLogger("namesake")

THUMB_SIDE = 192
_END = b"\xff\xd9"


def thumb(workspace: Workspace, face_id: int) -> Path:
    """The file of a face's crop, made when it is not there yet. Raises NotFound, FileMissing."""
    path = thumb_path(workspace, face_id)
    if not _is_whole(path):
        with workspace.database.read() as connection:
            face = queries.face(connection, face_id)
        if face is None:
            raise NotFound("There is no such face.")
        photo = _decoded(workspace, face.folder, face.file_name)
        with translate_os_errors():
            _keep(workspace, path, _thumb(photo, (face.top, face.right, face.bottom, face.left)))
    return path


def display(workspace: Workspace, photo_id: int) -> Path:
    """The file of a photo as pages show it: upright, at most DISPLAY_SIDE long. Raises NotFound, FileMissing."""
    path = display_path(workspace, photo_id)
    if not _is_whole(path):
        with workspace.database.read() as connection:
            photo = queries.photo(connection, photo_id)
        if photo is None:
            raise NotFound("There is no such photo.")
        with translate_os_errors():
            _keep(workspace, path, _display(_decoded(workspace, photo.folder, photo.name)))
    return path


@dataclass(frozen=True)
class Drawn:
    """JPEG files: the photo as pages show it, and the crop of each face."""

    display: bytes
    thumbs: list[bytes]


def draw(photo: Photo, boxes: Sequence[Box]) -> Drawn:
    """The pictures of a photo, made while it is at hand."""
    return Drawn(_display(photo), [_thumb(photo, box) for box in boxes])


def keep(workspace: Workspace, photo_id: int, face_ids: Sequence[int], drawn: Drawn) -> None:
    """Keep the pictures of a photo and its faces. If the disk will not, they are made on demand."""
    try:
        _keep(workspace, display_path(workspace, photo_id), drawn.display)
        for face_id, thumb in zip(face_ids, drawn.thumbs, strict=True):
            _keep(workspace, thumb_path(workspace, face_id), thumb)
    except OSError as error:
        log.warning("pictures of photo %s were not kept: %s", photo_id, error.strerror)


def folder(workspace: Workspace) -> Path:
    """Where all of them are."""
    return workspace.settings.instance / "pictures"


def thumb_path(workspace: Workspace, face_id: int) -> Path:
    """Where the crop of a face is, or would be."""
    return folder(workspace) / f"face-{face_id}.jpg"


def display_path(workspace: Workspace, photo_id: int) -> Path:
    """Where the photo as pages show it is, or would be."""
    return folder(workspace) / f"photo-{photo_id}.jpg"


def _decoded(workspace: Workspace, folder: str, name: str) -> Photo:
    path = workspace.folders.path(folder, name)
    try:
        if path is None:
            raise FileNotFoundError
        return workspace.decode(path.read_bytes())
    except (OSError, NamesakeError) as error:
        raise FileMissing("The file of this photo is not here.") from error


def _thumb(photo: Photo, box: Box) -> bytes:
    return images.to_jpeg(images.crop(photo.pixels, photo.at_hand(box), side=THUMB_SIDE))


def _display(photo: Photo) -> bytes:
    return images.to_jpeg(images.resize_to(photo.pixels, DISPLAY_SIDE))


def _is_whole(path: Path) -> bool:
    """Whether the file is there and ends as a JPEG does. Nobody waits for pictures to reach the disk, so that after a
    power cut there may be names without all of the bytes."""
    try:
        with path.open("rb") as file:
            file.seek(-len(_END), os.SEEK_END)
            return file.read() == _END
    except OSError:
        return False


def _keep(workspace: Workspace, path: Path, jpeg: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    temporary = workspace.incoming / f"{uuid.uuid4().hex}.jpg"
    try:
        temporary.write_bytes(jpeg)
        temporary.replace(path)
    except OSError:
        discard(temporary)
        raise
