"""propose_split: nothing while a name is one person, the ones who are not when it is two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.recognition.splitting import APART, propose_split


def person(seed: int, faces: int, spread: float = 0.35) -> NDArray[np.float64]:
    """Faces of one person, two of them typically `spread` apart; people are about 0.9 apart."""
    random = np.random.default_rng(seed)
    centre = random.normal(size=128)
    away = random.normal(size=(faces, 128))
    away *= spread / np.sqrt(2) / np.linalg.norm(away, axis=1, keepdims=True)
    return np.asarray(0.64 * centre / np.linalg.norm(centre) + away)


@pytest.mark.parametrize("faces", [0, 1, 2, 3, 40])
def test_one_person_is_not_split(faces: int) -> None:
    assert propose_split(person(1, faces).reshape(faces, 128)).size == 0


def test_the_same_picture_many_times_is_not_split() -> None:
    assert propose_split(np.repeat(person(1, 1), 5, axis=0)).size == 0


@pytest.mark.parametrize(("stay", "leave"), [(1, 1), (2, 1), (5, 3), (40, 1), (30, 29)])
def test_the_fewer_leave(stay: int, leave: int) -> None:
    rows = np.vstack([person(1, stay), person(2, leave)])
    order = np.random.default_rng(0).permutation(len(rows))
    expected = np.flatnonzero(order >= stay)
    if stay == leave:
        expected = np.array([1])
    assert sorted(propose_split(rows[order])) == expected.tolist()


def test_of_three_people_the_farthest_leaves_first() -> None:
    rows = np.vstack([person(1, 6), person(2, 4), person(3, 3)])
    gone = propose_split(rows)
    assert set(gone) in ({*range(6, 10)}, {*range(10, 13)})
    assert propose_split(np.delete(rows, gone, axis=0)).size > 0


def test_more_faces_than_are_joined_are_split_all_the_same() -> None:
    rows = np.vstack([person(1, 3000), person(2, 1000)])
    assert propose_split(rows).tolist() == list(range(3000, 4000))


@pytest.mark.parametrize("distance", [APART - 0.02, APART + 0.02])
def test_the_limit_is_the_mean_distance(distance: float) -> None:
    rows = np.zeros((4, 128))
    rows[2:, 0] = distance
    assert (propose_split(rows).size > 0) == (distance > APART)


def test_real_faces_are_one_person_alone_and_two_together(shared_faces: Path, tmp_path: Path) -> None:
    from app.recognition import images
    from app.recognition.engine import Eyesight, load_engine, most_prominent

    engine = load_engine("dlib", Eyesight("hog"), tmp_path)
    folders = sorted((shared_faces / "people").iterdir())[:2]
    encodings = []
    for folder in folders:
        photos = [images.decode(path.read_bytes(), max_pixels=10**8) for path in sorted(folder.iterdir())[:4]]
        found = [engine.faces(photo) for photo in photos]
        encodings.append(
            np.array(
                [
                    faces[most_prominent([face.box for face in faces], photo.width, photo.height)].encoding
                    for faces, photo in zip(found, photos, strict=True)
                    if faces
                ]
            )
        )
    one, two = encodings
    assert propose_split(one).size == propose_split(two).size == 0
    leaving = set(propose_split(np.vstack([one, two])))
    assert leaving in (set(range(len(one))), set(range(len(one), len(one) + len(two))))
