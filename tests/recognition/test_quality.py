"""What speaks against a face: each flaw where it was made, and none where there is none."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import dlib
import numpy as np
import pytest
from numpy.typing import NDArray

from app.recognition import chips, quality, verification
from app.recognition.chips import Found
from app.recognition.engine import Box, DetectedFace, Engine
from app.recognition.images import Photo, Pixels, decode, scale, to_jpeg
from app.recognition.quality import BLURRED, HIDDEN, SMALL, TURNED

# Outer and inner corner of the eye on the right, of the eye on the left, and the nose: a face from the front.
FRONT = np.array([(80, 40), (62, 41), (20, 40), (38, 41), (50, 66)], np.float64)
PLAIN = np.full((100, 100, 3), 128, np.uint8)


def shifted(nose: float = 0.0, left_eye: float = 1.0) -> NDArray[np.float64]:
    """The face with its nose moved aside by a share of the distance between the eyes, and one eye that much as
    wide."""
    points = FRONT.copy()
    right, left = points[:2].mean(axis=0), points[2:4].mean(axis=0)
    points[2:4] = left + (points[2:4] - left) * left_eye
    points[4] += (right - left) * nose
    return points


def rolled(points: NDArray[np.float64], degrees: float, size: float) -> NDArray[np.float64]:
    angle = np.radians(degrees)
    turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    return points @ turn.T * size + (7, -3)


@pytest.mark.parametrize("nose", [0, 0.35, -0.35])
@pytest.mark.parametrize("degrees", [0, 30, -80])
@pytest.mark.parametrize("size", [0.3, 1, 9])
def test_a_face_turned_a_little_or_held_aslant_is_not_turned(nose: float, degrees: float, size: float) -> None:
    assert not quality.is_turned(rolled(shifted(nose), degrees, size))


@pytest.mark.parametrize(
    "points", [shifted(nose=0.45), shifted(nose=-0.45), shifted(left_eye=0.6), shifted(left_eye=1.6)]
)
@pytest.mark.parametrize("degrees", [0, 30, -80])
def test_a_face_with_its_nose_at_an_eye_or_one_eye_narrow_is_turned(
    points: NDArray[np.float64], degrees: float
) -> None:
    assert quality.is_turned(rolled(points, degrees, 2))


def test_each_flaw_is_told_by_its_word() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3)).astype(np.uint8)
    box = (0, 100, 100, 0)
    assert quality.flaws(noise, box, box, FRONT, 0.2) == ()
    assert quality.flaws(noise, box, box, shifted(nose=0.45), 0) == (TURNED,)
    assert quality.flaws(noise, box, box, FRONT, 0.3) == (HIDDEN,)
    assert quality.flaws(noise, box, (0, 30, 30, 0), FRONT, 0) == (SMALL,)
    assert quality.flaws(PLAIN, box, (0, 30, 30, 0), shifted(nose=0.45), 0.3) == (SMALL, BLURRED, TURNED, HIDDEN)


@pytest.mark.parametrize("points", [np.zeros((5, 2)), shifted(left_eye=0)])
def test_landmarks_that_fall_together_are_no_face_from_the_front(points: NDArray[np.float64]) -> None:
    assert quality.is_turned(points)


def found(pixels: Pixels, points: NDArray[np.float64]) -> Found:
    box = dlib.rectangle(0, 0, 100, 100)
    parts = [dlib.point(round(x), round(y)) for x, y in points]
    return Found(pixels, (0, 100, 100, 0), dlib.full_object_detection(box, parts))


@pytest.mark.parametrize("degrees", [0, 20, -50])
@pytest.mark.parametrize("move", [(0, 0), (-60, 0), (70, 20), (10, -50), (0, 60), (500, 500)])
def test_how_much_of_a_chip_is_outside_is_how_much_of_it_dlib_leaves_black(
    degrees: float, move: tuple[int, int]
) -> None:
    white = np.full((160, 160, 3), 255, np.uint8)
    face = found(white, rolled(FRONT, degrees, 0.8) + np.add(move, 40))
    black = float(np.mean(chips.cut_found([face])[0] < 128))
    assert face.outside == pytest.approx(black, abs=0.03)


def test_landmarks_are_given_as_numbers() -> None:
    assert np.array_equal(found(PLAIN, FRONT).points, FRONT)


def test_cutting_with_known_landmarks_is_cutting() -> None:
    crops: list[tuple[Pixels, Box]] = [
        (verification.group(), (90, 190, 210, 70)),
        (verification.group(), (80, 420, 240, 260)),
    ]
    assert np.array_equal(chips.cut(crops), chips.cut_found([chips.find(*crop) for crop in crops]))


Change = Callable[[Pixels, Box], tuple[Pixels, Box]]


def _blurred(pixels: Pixels, box: Box) -> tuple[Pixels, Box]:
    blurred: Pixels = cv2.GaussianBlur(pixels, (0, 0), (box[2] - box[0]) / 20)
    return blurred, box


def _tiny(pixels: Pixels, box: Box) -> tuple[Pixels, Box]:
    factor = 37 / (box[2] - box[0])
    top, right, bottom, left = (round(edge * factor) for edge in box)
    return scale(pixels, factor), (top, right, bottom, left)


def _cut_off(pixels: Pixels, box: Box) -> tuple[Pixels, Box]:
    """The picture ends a quarter of the way into the face, from the right and from below."""
    top, right, bottom, left = box
    right, bottom = right - (right - left) // 4, bottom - (bottom - top) // 4
    return np.ascontiguousarray(pixels[:bottom, :right]), (top, right, bottom, left)


@pytest.mark.parametrize(("change", "flaw"), [(_blurred, BLURRED), (_tiny, SMALL), (_cut_off, HIDDEN)])
@pytest.mark.parametrize("name", ["obama", "biden"])
def test_a_real_face_has_the_flaw_that_was_made(
    engine: Engine,
    pixels: dict[str, Pixels],
    faces: dict[str, list[DetectedFace]],
    name: str,
    change: Change,
    flaw: str,
) -> None:
    (face,) = faces[name]
    assert face.flaws == ()
    flawed, box = change(pixels[name], face.box)
    seen = engine.encode_box(Photo.of(flawed), box)
    assert flaw in seen.flaws
    assert seen.low_quality


def test_the_flaws_are_those_that_harm(
    engine: Engine, pixels: dict[str, Pixels], faces: dict[str, list[DetectedFace]]
) -> None:
    """A face that is blurred or cut off so far has moved far from its own encoding."""
    (face,) = faces["obama"]
    for change in (_blurred, _cut_off):
        flawed, box = change(pixels["obama"], face.box)
        seen = engine.encode_box(Photo.of(flawed), box)
        assert np.linalg.norm(seen.encoding - face.encoding) > 0.25


@pytest.mark.parametrize("name", ["obama", "biden"])
def test_a_picture_that_was_saved_again_is_near_enough_to_be_the_same(
    engine: Engine, pixels: dict[str, Pixels], faces: dict[str, list[DetectedFace]], name: str
) -> None:
    (face,) = faces[name]
    original = pixels[name]
    margin = original.shape[1] // 20
    saved = decode(to_jpeg(original, quality=50), max_pixels=10**8).pixels
    for again in (saved, scale(original, 0.5), np.ascontiguousarray(original[:, margin:-margin])):
        (seen,) = engine.faces(Photo.of(again))
        assert np.linalg.norm(seen.encoding - face.encoding) < quality.SAME_PICTURE_DISTANCE


def test_another_picture_of_the_same_person_is_not(encodings: dict[str, NDArray[np.float32]]) -> None:
    for one, other in (("obama", "obama2"), ("obama", "obama3"), ("obama2", "obama3")):
        assert np.linalg.norm(encodings[one] - encodings[other]) > quality.SAME_PICTURE_DISTANCE
