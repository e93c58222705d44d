"""What the tests of decisions say all the time, in short words."""

from __future__ import annotations

from typing import Any

from app.labelling import decisions, reading
from app.labelling.workspace import Workspace
from tests.labelling.squares import upload


def faces_of(workspace: Workspace, photo_id: int) -> list[dict[str, Any]]:
    return list(reading.read_photo(workspace, photo_id)["faces"])


def face_of(workspace: Workspace, photo_id: int) -> int:
    return int(faces_of(workspace, photo_id)[0]["id"])


def path_of(workspace: Workspace, photo_id: int) -> str:
    return str(reading.read_photo(workspace, photo_id)["image_path"])


def name(workspace: Workspace, photo_id: int, label: str, face_id: int | None = None) -> int:
    """Confirm a face of a photo, wherever the photo is by now."""
    return decisions.confirm(workspace, path_of(workspace, photo_id), label, face_id)


def named_photo(workspace: Workspace, person: str, take: int = 0) -> int:
    """A photo of a person that has been confirmed as that."""
    photo = upload(workspace, person, take=take, name=f"{person}-{take}.png")
    name(workspace, photo, person)
    return photo
