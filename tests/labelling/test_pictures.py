"""The pictures that pages show of a photo too large to be decoded whole."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from app.labelling import photos, pictures
from app.labelling.workspace import Workspace
from app.recognition.engine import Box, DetectedFace
from app.recognition.images import Photo
from app.store import queries
from tests.labelling.squares import SquaresEngine, encoding_of

SIZE = (6000, 4000)
# Where the faces are, and of what colour: a large one, a small one far out, one in a corner.
FACES: dict[Box, tuple[int, int, int]] = {
    (500, 1900, 1700, 700): (250, 0, 0),
    (3300, 5560, 3420, 5440): (0, 0, 250),
    (3900, 6000, 4000, 5900): (0, 160, 0),
}


@dataclass
class Pointing(SquaresEngine):
    """Finds the faces there are, wherever the photo is from."""

    def _squares(self, photo: Photo) -> list[DetectedFace]:
        return [DetectedFace(box, encoding_of(1, index)) for index, box in enumerate(FACES)]


@pytest.fixture(params=[1, 6], ids=["upright", "on its side"])
def photo_id(request: pytest.FixtureRequest, workspace: Workspace) -> int:
    workspace.engine = Pointing()
    image = Image.new("RGB", SIZE, "white")
    for (top, right, bottom, left), colour in FACES.items():
        image.paste(colour, (left, top, right, bottom))
    exif = Image.Exif()
    if request.param == 6:
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif, quality=90)
    return photos.add_photo(workspace, file.getvalue(), "party.jpg")


@pytest.fixture(params=["made with the upload", "made when asked for"])
def asked_for(request: pytest.FixtureRequest, workspace: Workspace, photo_id: int) -> int:
    made = list((workspace.settings.instance / "pictures").iterdir())
    assert len(made) == 1 + len(FACES)
    if request.param == "made when asked for":
        for picture in made:
            picture.unlink()
    return photo_id


def test_the_crop_of_a_face_shows_that_face(workspace: Workspace, asked_for: int) -> None:
    with workspace.database.read() as connection:
        faces = queries.faces_of_photo(connection, asked_for)
    assert len(faces) == len(FACES)
    for face in faces:
        box = (face.top, face.right, face.bottom, face.left)
        with Image.open(pictures.thumb(workspace, face.id)) as image:
            pixels = np.asarray(image).astype(int)
        assert pixels.shape == (pictures.THUMB_SIDE, pictures.THUMB_SIDE, 3)
        coloured = np.abs(pixels - FACES[box]).max(axis=2) < 60
        assert coloured.mean() == pytest.approx(1 / 1.7**2, abs=0.03), "the face and its margin fill the crop"
        rows, columns = np.nonzero(coloured)
        if box[1] < SIZE[0]:
            middle = pictures.THUMB_SIDE / 2
            assert rows.mean() == pytest.approx(middle, abs=3)
            assert columns.mean() == pytest.approx(middle, abs=3)


def test_the_photo_is_shown_upright_and_small(workspace: Workspace, asked_for: int) -> None:
    with Image.open(pictures.display(workspace, asked_for)) as image:
        assert image.width == pictures.DISPLAY_SIDE
        assert image.height == pytest.approx(pictures.DISPLAY_SIDE * SIZE[1] / SIZE[0], abs=1)
        pixels = np.asarray(image).astype(int)
    share = pictures.DISPLAY_SIDE / SIZE[0]
    for (top, right, bottom, left), colour in FACES.items():
        at = pixels[round((top + bottom) / 2 * share), round((left + right) / 2 * share)]
        assert np.abs(at - colour).max() < 40


def test_the_photo_keeps_its_own_size(workspace: Workspace, photo_id: int) -> None:
    with workspace.database.read() as connection:
        photo = queries.photo(connection, photo_id)
    assert photo is not None
    assert (photo.width, photo.height) == SIZE
