"""The pictures that pages show: made from the pixels alone, so that no place or camera leaves with them."""

from __future__ import annotations

import logging
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row

from app.errors import NamesakeError, NotFound
from app.labelling.workspace import Workspace
from app.recognition import images
from app.store import queries


class FileMissing(NotFound):
    """The photo is known, its file is not here."""


log = logging.getLogger("namesake")

DISPLAY_SIDE = 1600
THUMB_SIDE = 192


def thumb(workspace: Workspace, face_id: int) -> Path:
    """The file of a face's crop, made when it is not there yet. Raises NotFound, FileMissing."""
    path = _thumb_path(workspace, face_id)
    if not path.exists():
        with workspace.database.read() as connection:
            face = queries.face(connection, face_id)
        if face is None:
            raise NotFound("There is no such face.")
        pixels = _pixels(workspace, face.folder, face.file_name)
        _keep(path, images.crop(pixels, (face.top, face.right, face.bottom, face.left), side=THUMB_SIDE))
    return path


def display(workspace: Workspace, photo_id: int) -> Path:
    """The file of a photo as pages show it: upright, at most DISPLAY_SIDE long. Raises NotFound, FileMissing."""
    path = _display_path(workspace, photo_id)
    if not path.exists():
        with workspace.database.read() as connection:
            photo = queries.photo(connection, photo_id)
        if photo is None:
            raise NotFound("There is no such photo.")
        _keep(path, images.resize_to(_pixels(workspace, photo.folder, photo.name), DISPLAY_SIDE))
    return path


def prepare(workspace: Workspace, photo_id: int, pixels: NDArray[np.uint8], faces: list[Row[Any]]) -> None:
    """Make the pictures of a photo while its pixels are at hand. If the disk will not, they are made on demand."""
    try:
        _keep(_display_path(workspace, photo_id), images.resize_to(pixels, DISPLAY_SIDE))
        for face in faces:
            crop = images.crop(pixels, (face.top, face.right, face.bottom, face.left), side=THUMB_SIDE)
            _keep(_thumb_path(workspace, face.id), crop)
    except OSError as error:
        log.warning("pictures of photo %s were not kept: %s", photo_id, error.strerror)


def _thumb_path(workspace: Workspace, face_id: int) -> Path:
    return workspace.settings.instance / "pictures" / f"face-{face_id}.jpg"


def _display_path(workspace: Workspace, photo_id: int) -> Path:
    return workspace.settings.instance / "pictures" / f"photo-{photo_id}.jpg"


def _pixels(workspace: Workspace, folder: str, name: str) -> NDArray[np.uint8]:
    path = workspace.folders.path(folder, name)
    try:
        if path is None:
            raise FileNotFoundError
        return images.decode(path.read_bytes(), max_pixels=workspace.settings.max_pixels).pixels
    except (OSError, NamesakeError) as error:
        raise FileMissing("The file of this photo is not here.") from error


def _keep(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(f".{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_bytes(images.to_jpeg(pixels))
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
