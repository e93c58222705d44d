from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.errors import ConfigError, InvalidInput
from app.recognition.dlib_engine import _models
from app.recognition.engine import Box, DetectedFace, Engine, load_engine, most_prominent
from app.recognition.images import Pixels, scale

OBAMA: Box = (142, 617, 409, 349)
"""Where face_recognition itself finds the face in obama.jpg."""

Photos = dict[str, Pixels]
Faces = dict[str, list[DetectedFace]]


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[1], other[1]) - max(one[3], other[3])
    both = max(0, height) * max(0, width)
    return both / (sum((box[2] - box[0]) * (box[1] - box[3]) for box in (one, other)) - both)


def test_importing_the_seam_loads_no_library() -> None:
    code = (
        "import sys, app\n"
        "before = set(sys.modules)\n"
        "import app.recognition.engine\n"
        "heavy = {'dlib', 'face_recognition', 'cv2', 'numpy', 'sklearn', 'PIL'}\n"
        "print(heavy & (set(sys.modules) - before))\n"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


def test_loading_an_engine_loads_no_model_and_using_it_says_nothing() -> None:
    code = (
        "import sys, numpy\n"
        "from app.recognition.engine import load_engine\n"
        "engine = load_engine('dlib', method='hog', detect_max_side=1600)\n"
        "assert 'dlib' not in sys.modules\n"
        "engine.encode_box(numpy.zeros((90, 90, 3), numpy.uint8), (0, 90, 90, 0))\n"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("", "")


@pytest.mark.parametrize(("name", "method"), [("tensorflow", "hog"), ("", "hog"), ("dlib", "haar")])
def test_an_unknown_engine_or_method_is_refused(name: str, method: str) -> None:
    with pytest.raises(ConfigError):
        load_engine(name, method=method, detect_max_side=1600)


def test_the_face_is_found_where_face_recognition_finds_it(faces: Faces) -> None:
    assert [len(found) for found in faces.values()] == [1, 1, 1, 1]
    assert overlap(faces["obama"][0].box, OBAMA) > 0.8
    assert all(type(edge) is int for edge in faces["obama"][0].box)


@pytest.mark.parametrize("name", ["obama", "obama2", "obama3", "biden"])
def test_encodings_are_those_of_face_recognition(pixels: Photos, faces: Faces, name: str) -> None:
    face = faces[name][0]
    expected = _models().face_encodings(pixels[name], [face.box])[0]
    assert face.encoding.shape == (128,)
    assert face.encoding.dtype == np.float32
    assert np.abs(face.encoding - expected).max() < 1e-6


def test_a_face_far_out_in_a_huge_photo_has_the_same_encoding(engine: Engine, pixels: Photos) -> None:
    photo = pixels["obama"]
    huge = np.zeros((5000, 6000, 3), np.uint8)
    huge[3500 : 3500 + photo.shape[0], 4000 : 4000 + photo.shape[1]] = photo
    top, right, bottom, left = OBAMA
    moved = (top + 3500, right + 4000, bottom + 3500, left + 4000)
    found = engine.encode_box(huge, moved).encoding
    assert np.abs(found - engine.encode_box(photo, OBAMA).encoding).max() < 1e-6


def test_faces_come_left_to_right_in_coordinates_of_the_full_photo(pixels: Photos, faces: Faces) -> None:
    one, other = pixels["biden"], pixels["obama"]
    height = max(one.shape[0], other.shape[0])
    pair = np.zeros((height, one.shape[1] + other.shape[1], 3), np.uint8)
    pair[: other.shape[0], : other.shape[1]] = other
    pair[: one.shape[0], other.shape[1] :] = one
    found = load_engine("dlib", method="hog", detect_max_side=1000).faces(pair)
    assert len(found) == 2
    top, right, bottom, left = faces["biden"][0].box
    shift = other.shape[1]
    assert overlap(found[0].box, faces["obama"][0].box) > 0.7
    assert overlap(found[1].box, (top, right + shift, bottom, left + shift)) > 0.7


def test_a_small_photo_is_enlarged_to_find_its_face(engine: Engine, pixels: Photos) -> None:
    small = scale(pixels["obama"], 0.2)
    found = engine.faces(small)
    assert len(found) == 1
    assert overlap(found[0].box, tuple(round(edge * 0.2) for edge in OBAMA)) > 0.6


@pytest.mark.parametrize("side", [200, 600, 3000])
def test_the_detection_size_bounds_the_work_and_not_the_coordinates(pixels: Photos, side: int) -> None:
    found = load_engine("dlib", method="hog", detect_max_side=side).faces(pixels["obama2"])
    if side > 200:
        assert len(found) == 1
    for face in found:
        top, right, bottom, left = face.box
        assert 0 <= top < bottom <= pixels["obama2"].shape[0]
        assert 0 <= left < right <= pixels["obama2"].shape[1]


def test_cnn_finds_the_same_face(pixels: Photos, faces: Faces) -> None:
    found = load_engine("dlib", method="cnn", detect_max_side=300).faces(pixels["obama"])
    assert len(found) == 1
    assert overlap(found[0].box, faces["obama"][0].box) > 0.4


@pytest.mark.parametrize("method", ["hog", "cnn"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (15, 15), (16, 400), (40, 40)])
def test_a_picture_of_nobody_has_no_faces_whatever_its_size(method: str, shape: tuple[int, int]) -> None:
    engine = load_engine("dlib", method=method, detect_max_side=400)
    assert engine.faces(np.full((*shape, 3), 127, np.uint8)) == []


def test_a_box_drawn_past_the_edge_is_cut_to_the_photo(engine: Engine, pixels: Photos) -> None:
    height, width = pixels["obama"].shape[:2]
    assert engine.encode_box(pixels["obama"], (-20, width + 9, height + 1, -3)).box == (0, width, height, 0)


@pytest.mark.parametrize("box", [(-9, 20, 0, 5), (5, 9, 5, 1), (9, 30, 5, 1), (5, 5000, 9, 4000)])
def test_a_box_with_nothing_of_the_photo_in_it_is_refused(engine: Engine, pixels: Photos, box: Box) -> None:
    with pytest.raises(InvalidInput, match="outside"):
        engine.encode_box(pixels["obama"], box)


def test_sharp_faces_are_not_low_quality(faces: Faces) -> None:
    assert not any(face.low_quality for found in faces.values() for face in found)


def test_blurred_and_tiny_faces_are_low_quality(engine: Engine, pixels: Photos) -> None:
    blurred = cv2.GaussianBlur(pixels["obama"], (0, 0), 12)
    assert engine.encode_box(blurred, OBAMA).low_quality
    tiny = scale(pixels["obama"], 0.14)
    assert engine.encode_box(tiny, tuple(round(edge * 0.14) for edge in OBAMA)).low_quality


def test_threads_may_share_an_engine(engine: Engine, pixels: Photos, faces: Faces) -> None:
    found: dict[str, list[DetectedFace]] = {}
    threads = [
        threading.Thread(target=lambda name=name: found.update({name: engine.faces(pixels[name])})) for name in faces
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, alone in faces.items():
        assert np.array_equal(found[name][0].encoding, alone[0].encoding)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([(0, 10, 10, 0)], 0),
        ([(0, 10, 10, 0), (0, 90, 50, 40)], 1),
        ([(0, 30, 30, 0), (35, 65, 65, 35), (70, 100, 100, 70)], 1),
        ([(0, 32, 32, 0), (35, 65, 65, 35)], 1),
        ([(0, 60, 60, 0), (45, 65, 65, 45)], 0),
    ],
)
def test_the_most_prominent_face_is_big_and_near_the_middle(boxes: list[Box], expected: int) -> None:
    assert most_prominent(boxes, 100, 100) == expected


def test_without_faces_none_is_the_most_prominent() -> None:
    with pytest.raises(ValueError, match="no boxes"):
        most_prominent([], 100, 100)
