"""Photos without photos: coloured squares stand for faces, and an engine that reads them back from the pixels."""

from __future__ import annotations

import io
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app import create_app
from app.errors import InvalidInput
from app.labelling import photos
from app.labelling.workspace import Workspace
from app.recognition.engine import Box, DetectedFace
from app.recognition.images import Photo

CELL = 64
_INSET = 8


@dataclass
class SquaresEngine:
    """Stands in for the network engine, and for nothing else.

    What is tested with it is what becomes of faces once they are found. dlib takes half a second a photo, so that
    hundreds of decisions and dozens of crashes could not be tried with it; these squares are decoded, stored and
    moved like any photo. `looked` counts the photos it was shown, by any thread.
    """

    name: str = "squares"
    note: str = ""
    looked: int = 0
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def faces(self, photo: Photo) -> list[DetectedFace]:
        return self.look([photo])[0]

    def look(self, photos: Sequence[Photo]) -> list[list[DetectedFace]]:
        with self._counting:
            self.looked += len(photos)
        return [self._squares(photo) for photo in photos]

    def one_threaded(self) -> SquaresEngine:
        return self

    def _squares(self, photo: Photo) -> list[DetectedFace]:
        columns = range(0, photo.width - CELL + 1, CELL)
        boxes = [(_INSET, left + CELL - _INSET, CELL - _INSET, left + _INSET) for left in columns]
        return [self.encode_box(photo, box) for box in boxes if _colour(photo.pixels, box)[0]]

    def encode_box(self, photo: Photo, box: Box) -> DetectedFace:
        person, high, low = _colour(photo.pixels, box)
        if not person:
            raise InvalidInput("There is no square there.")
        return DetectedFace(box, encoding_of(person, 256 * high + low))


@contextmanager
def interrupted(engine: SquaresEngine, *, after: int) -> Iterator[None]:
    """As if by the keyboard, once it has looked at more photos than this."""
    real = engine.look

    def look(photos: Sequence[Photo]) -> list[list[DetectedFace]]:
        found = real(photos)
        if engine.looked > after:
            raise KeyboardInterrupt
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "look", look)
        yield


def encoding_of(person: int, take: int) -> NDArray[np.float32]:
    """Two takes of one person are 0.28 apart, two people 1.4: as different as dlib would have them."""
    encoding = _direction(person) + 0.2 * _direction(1000 + take)
    return encoding.astype(np.float32)


def picture(*people: str | None, take: int = 0) -> bytes:
    """A PNG with a square for each of `people`, left to right; None leaves a gap. Another take has other bytes."""
    pixels = np.zeros((CELL, CELL * max(len(people), 1), 3), np.uint8)
    for place, person in enumerate(people):
        if person is not None:
            high, low = divmod(take, 256)
            pixels[_INSET:-_INSET, place * CELL + _INSET : (place + 1) * CELL - _INSET] = colour_of(person), high, low
    pixels[0, 0] = 0, *divmod(take, 256)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def colour_of(person: str) -> int:
    return 1 + zlib.crc32(person.encode()) % 255


@contextmanager
def installed(home: Path) -> Iterator[Workspace]:
    """An installation in a folder, for as long as it takes to fill it."""
    workspace: Workspace = create_app(home).extensions["namesake"]
    workspace.engine = SquaresEngine()
    yield workspace
    workspace.close()


def upload(workspace: Workspace, *people: str | None, take: int = 0, name: str = "photo.png") -> int:
    """Take in a picture of these people; the id of the photo."""
    return photos.add_photo(workspace, picture(*people, take=take), name)


def _colour(pixels: NDArray[np.uint8], box: Box) -> tuple[int, int, int]:
    top, right, bottom, left = box
    red, green, blue = pixels[(top + bottom) // 2, (left + right) // 2]
    return int(red), int(green), int(blue)


def _direction(seed: int) -> NDArray[np.float64]:
    vector = np.random.default_rng(seed).normal(size=128)
    return vector / np.linalg.norm(vector)
