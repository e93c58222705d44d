"""A long history for a picture of the insights page, lived through in a second: encodings like real ones, no photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app import create_app
from app.labelling import decisions, reading
from app.labelling.workspace import Workspace
from app.recognition.engine import Box, DetectedFace
from app.recognition.images import Photo
from tests.labelling.squares import SquaresEngine, colour_of, upload

_ANSWERS = 190
_STRANGERS = 0.15
# How far apart the takes of one person and two people are: about 0.45 and 0.85, as in photos of real people.
_PERSON, _TAKE = 0.5, 0.3


class LifelikeEngine(SquaresEngine):
    """Squares whose takes differ more or less."""

    def encode_box(self, photo: Photo, box: Box) -> DetectedFace:
        top, right, bottom, left = box
        person, high, low = (int(value) for value in photo.pixels[(top + bottom) // 2, (left + right) // 2])
        take = np.random.default_rng((person, high, low))
        encoding = _PERSON * _direction(person) + _TAKE * take.uniform(0.7, 1.6) * _unit(take.normal(size=128))
        return DetectedFace(box, encoding.astype(np.float32))


def live_through(home: Path, people: Sequence[str]) -> None:
    """These people come by again and again, some of them rarely, and now and then someone nobody knows."""
    random = np.random.default_rng(4)
    app = create_app(home)
    workspace: Workspace = app.extensions["namesake"]
    workspace.engine = LifelikeEngine()
    known = {colour_of(person) for person in people}
    strangers = (name for name in map(str, range(1000)) if colour_of(name) not in known)
    often = np.arange(len(people), 0, -1) ** 1.5
    for take in range(_ANSWERS):
        if random.random() < _STRANGERS:
            photo = upload(workspace, next(strangers), take=take, name=f"{take}.png")
            face = reading.read_photo(workspace, photo)["faces"][0]["id"]
            decisions.dismiss(workspace, int(face), "ignore")
        else:
            person = str(random.choice(people, p=often / often.sum()))
            photo = upload(workspace, person, take=take, name=f"{take}.png")
            decisions.confirm(workspace, reading.read_photo(workspace, photo)["image_path"], person)
    workspace.close()


def _direction(seed: int) -> NDArray[np.float64]:
    return _unit(np.random.default_rng(seed).normal(size=128))


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / np.linalg.norm(vector)
