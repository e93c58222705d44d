from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import face_recognition
import numpy as np
import pytest

from app.config import PROJECT
from app.errors import ConfigError, InvalidInput
from app.recognition.engine import Box, DetectedFace, Engine, Eyesight, load_engine, most_prominent
from app.recognition.images import Photo, Pixels, decode, scale
from tests.recognition.conftest import Load, opened, overlap, same

ENGINES = ("onnx", "dlib")
OBAMA: Box = (142, 617, 409, 349)
"""Where face_recognition itself finds the face in obama.jpg."""

Faces = dict[str, list[DetectedFace]]
Photos = dict[str, Photo]
Shot = dict[str, Pixels]


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, load: Load) -> Engine:
    """Each engine in turn. Both with hog: dlib's cnn takes seconds for a photo."""
    return load(request.param)


@pytest.fixture(scope="module")
def faces(photos: Photos, engine: Engine) -> Faces:
    return {name: engine.faces(photo) for name, photo in photos.items()}


def scaled(box: Box, factor: float) -> Box:
    top, right, bottom, left = (round(edge * factor) for edge in box)
    return top, right, bottom, left


def told_by_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)


# ---- Which engine


def test_importing_the_seam_loads_no_library() -> None:
    run = told_by_python(
        "import sys, app\n"
        "before = set(sys.modules)\n"
        "import app.recognition.engine\n"
        "heavy = {'dlib', 'face_recognition', 'cv2', 'numpy', 'onnx', 'onnxruntime', 'sklearn', 'PIL'}\n"
        "print(heavy & (set(sys.modules) - before))\n"
    )
    assert run.stdout == "set()\n"


@pytest.mark.parametrize("name", ENGINES)
def test_using_an_engine_says_nothing(models_folder: Path, name: str) -> None:
    run = told_by_python(
        "import numpy, pathlib\n"
        "from app.recognition.engine import Eyesight, load_engine\n"
        "from app.recognition.images import Photo\n"
        f"engine = load_engine({name!r}, Eyesight('hog'), pathlib.Path({str(models_folder)!r}))\n"
        "photo = Photo.of(numpy.zeros((90, 90, 3), numpy.uint8))\n"
        "engine.faces(photo)\n"
        "engine.encode_box(photo, (0, 90, 90, 0))\n"
    )
    assert (run.stdout, run.stderr) == ("", "")


@pytest.mark.parametrize("name", ["tensorflow", "", "ONNX", "dlib "])
def test_an_unknown_engine_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=repr(name)):
        load_engine(name, Eyesight(), tmp_path / "models")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("method", ["haar", "", "CNN"])
def test_an_unknown_method_is_refused_by_name(method: str) -> None:
    with pytest.raises(ConfigError, match=repr(method)):
        Eyesight(method)


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_that_was_asked_for_has_its_name_and_no_excuse(load: Load, name: str) -> None:
    engine = load(name)
    assert (engine.name, engine.note) == (name, "")


# ---- What it finds


def test_the_face_is_found_where_face_recognition_finds_it(faces: Faces) -> None:
    assert [len(found) for found in faces.values()] == [1, 1, 1, 1]
    # face_recognition enlarges the photo to twice its size, where hog's boxes come in other steps.
    assert overlap(faces["obama"][0].box, OBAMA) > 0.7
    assert all(type(edge) is int for edge in faces["obama"][0].box)


@pytest.mark.parametrize("name", ["obama", "obama2", "obama3", "biden"])
def test_encodings_are_those_of_face_recognition(pixels: Shot, faces: Faces, name: str) -> None:
    face = faces[name][0]
    expected = face_recognition.face_encodings(pixels[name], [face.box])[0]
    assert face.encoding.shape == (128,)
    assert face.encoding.dtype == np.float32
    assert np.abs(face.encoding - expected).max() < 1e-5


def test_a_face_far_out_in_a_huge_photo_has_the_same_encoding(engine: Engine, pixels: Shot) -> None:
    photo = pixels["obama"]
    huge = np.zeros((5000, 6000, 3), np.uint8)
    huge[3500 : 3500 + photo.shape[0], 4000 : 4000 + photo.shape[1]] = photo
    top, right, bottom, left = OBAMA
    moved = (top + 3500, right + 4000, bottom + 3500, left + 4000)
    found = engine.encode_box(Photo.of(huge), moved).encoding
    assert np.abs(found - engine.encode_box(Photo.of(photo), OBAMA).encoding).max() < 1e-6


@pytest.fixture(scope="session")
def pair(pixels: Shot) -> Photo:
    """Obama on the left, Biden on the right."""
    one, other = pixels["obama"], pixels["biden"]
    both = np.zeros((max(one.shape[0], other.shape[0]), one.shape[1] + other.shape[1], 3), np.uint8)
    both[: one.shape[0], : one.shape[1]] = one
    both[: other.shape[0], one.shape[1] :] = other
    return Photo.of(both)


@pytest.mark.parametrize(("name", "method"), [("onnx", "hog"), ("dlib", "hog"), ("onnx", "cnn")])
def test_faces_come_left_to_right_in_coordinates_of_the_full_photo(
    load: Load, pair: Photo, photos: Photos, name: str, method: str
) -> None:
    engine = load(name, method, detect_max_side=1000, smallest_face=80)
    alone = [engine.faces(photos[person])[0].box for person in ("obama", "biden")]
    found = engine.faces(pair)
    assert len(found) == 2
    top, right, bottom, left = alone[1]
    shift = photos["obama"].width
    assert overlap(found[0].box, alone[0]) > 0.6
    assert overlap(found[1].box, (top, right + shift, bottom, left + shift)) > 0.6


def test_cnn_finds_the_same_face(load: Load, photos: Photos, faces: Faces) -> None:
    small = Photo.of(scale(photos["obama"].pixels, 0.25))
    hog = scaled(faces["obama"][0].box, 0.25)
    for name in ENGINES:
        found = load(name, "cnn", smallest_face=60).faces(small)
        assert len(found) == 1
        # hog draws a box around the face, and cnn a larger one around the head.
        assert overlap(found[0].box, hog) > 0.4


def test_hog_finds_a_face_once_where_its_looks_find_it_twice(load: Load, photos: Photos) -> None:
    """At this size the first look takes the chin for a face too."""
    found = load("onnx", "hog").faces(photos["obama2"])
    assert len(found) == 1


@pytest.mark.parametrize("side", [62, 70, 78])
def test_hog_looks_again_at_faces_that_are_too_small_for_its_first_look(load: Load, pixels: Shot, side: int) -> None:
    small, box = face_of(side, pixels["obama"])
    found = load("onnx", "hog").faces(Photo.of(small))
    assert len(found) == 1
    assert overlap(found[0].box, box) > 0.6


@pytest.mark.parametrize("edge", ["top", "left", "bottom", "right"])
def test_hog_looks_again_up_to_the_edge_of_the_photo(load: Load, pixels: Shot, edge: str) -> None:
    small, (top, right, bottom, left) = face_of(70, pixels["obama"])
    cut = {
        "top": small[top:],
        "left": small[:, left:],
        "bottom": small[: bottom + 2],
        "right": small[:, : right + 2],
    }[edge]
    for face in load("onnx", "hog").faces(Photo.of(np.ascontiguousarray(cut))):
        assert 0 <= face.box[0] < face.box[2] <= cut.shape[0]
        assert 0 <= face.box[3] < face.box[1] <= cut.shape[1]


def test_hog_finds_as_many_faces_as_face_recognition_and_no_others(load: Load, shared_faces: Path) -> None:
    """In photos of 250 x 250 pixels, which face_recognition enlarges to twice their size."""
    engine, cnn = load("onnx", "hog"), load("onnx", "cnn")
    paths = [*sorted(shared_faces.glob("people/*/*.jpg"))[::20], *sorted(shared_faces.glob("strangers/*.jpg"))[::10]]
    found, expected, faces = 0, 0, 0
    for path in paths:
        photo = opened(path)
        boxes = [face.box for face in engine.faces(photo)]
        real = [face.box for face in cnn.faces(photo)]
        found += len(boxes)
        faces += sum(any(overlap(box, other) > 0.3 for other in real) for box in boxes)
        expected += len(face_recognition.face_locations(photo.pixels))
    assert found >= expected > 70
    assert faces >= 0.99 * found


def test_cnn_finds_a_face_that_is_turned_and_hog_does_not(load: Load, photos: Photos) -> None:
    turned = np.ascontiguousarray(cv2.warpAffine(*_rotation(photos["obama"].pixels, 70)), np.uint8)
    hog, cnn = (load("onnx", method, detect_max_side=600, smallest_face=80) for method in ("hog", "cnn"))
    assert hog.faces(Photo.of(turned)) == []
    assert len(cnn.faces(Photo.of(turned))) == 1


def _rotation(pixels: Pixels, degrees: float) -> tuple[Pixels, Any, tuple[int, int]]:
    height, width = pixels.shape[:2]
    return pixels, cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0), (width, height)


@pytest.mark.parametrize("method", ["hog", "cnn"])
@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (15, 15), (16, 400), (31, 90), (40, 40), (3, 20000)])
def test_a_picture_of_nobody_has_no_faces_whatever_its_size(
    load: Load, name: str, method: str, shape: tuple[int, int]
) -> None:
    engine = load(name, method, detect_max_side=400)
    assert engine.faces(Photo.of(np.full((*shape, 3), 127, np.uint8))) == []


# ---- How far it looks


@pytest.mark.parametrize(("smallest", "count"), [(40, 1), (80, 0)])
def test_faces_are_found_down_to_the_smallest_face(load: Load, pixels: Shot, smallest: int, count: int) -> None:
    small, box = face_of(45, pixels["obama"])
    found = load("onnx", "cnn", smallest_face=smallest).faces(Photo.of(small))
    assert len(found) == count
    assert all(overlap(face.box, box) > 0.4 for face in found)


def face_of(side: int, photo: Pixels) -> tuple[Pixels, Box]:
    """Obama with a face so large, and where it is."""
    factor = side / (OBAMA[2] - OBAMA[0])
    return scale(photo, factor), scaled(OBAMA, factor)


def test_a_small_photo_is_enlarged_to_find_its_face(engine: Engine, pixels: Shot) -> None:
    small, box = face_of(70, pixels["obama"])
    found = engine.faces(Photo.of(small))
    assert len(found) == 1
    assert overlap(found[0].box, box) > 0.6


@pytest.mark.parametrize("method", ["hog", "cnn"])
@pytest.mark.parametrize("side", [200, 600, 3000])
def test_the_detection_size_bounds_the_work_and_not_the_coordinates(
    load: Load, photos: Photos, faces: Faces, method: str, side: int
) -> None:
    photo = photos["obama2"]
    found = load("onnx", method, detect_max_side=side, smallest_face=80).faces(photo)
    if side > 200:
        assert len(found) == 1
        assert overlap(found[0].box, faces["obama2"][0].box) > 0.4
    for face in found:
        top, right, bottom, left = face.box
        assert 0 <= top < bottom <= photo.height
        assert 0 <= left < right <= photo.width


def test_what_is_looked_at_does_not_grow_with_the_photo(
    load: Load, pixels: Shot, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load("onnx", "cnn", detect_max_side=500, smallest_face=80)
    seen: list[int] = []
    look = type(engine)._detect  # type: ignore[attr-defined]
    monkeypatch.setattr(
        type(engine), "_detect", lambda self, picture: seen.append(max(picture.shape)) or look(self, picture)
    )
    for factor in (0.2, 1, 2):
        engine.faces(Photo.of(scale(pixels["obama"], factor)))
    assert seen == [227, 500, 500]


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("method", ["hog", "cnn"])
@pytest.mark.parametrize("factor", [2, 4])
def test_a_photo_that_was_decoded_smaller_has_boxes_in_its_own_pixels(
    load: Load, photos: Photos, name: str, method: str, factor: int
) -> None:
    full = photos["obama"]
    reduced = Photo(scale(full.pixels, 1 / factor), full.width, full.height, full.format)
    eyesight = {"detect_max_side": 300, "smallest_face": 80}
    (face,) = load(name, method, **eyesight).faces(reduced)
    (alike,) = load(name, method, **eyesight).faces(full)
    assert overlap(face.box, alike.box) > 0.7
    assert np.linalg.norm(face.encoding - alike.encoding) < 0.3
    assert not face.low_quality


def test_a_box_drawn_in_a_photo_that_was_decoded_smaller_is_encoded_there(engine: Engine, photos: Photos) -> None:
    full = photos["obama"]
    half = scale(full.pixels, 0.5)
    drawn = engine.encode_box(replace(full, pixels=half), OBAMA)
    assert drawn.box == OBAMA
    assert np.array_equal(drawn.encoding, engine.encode_box(Photo.of(half), scaled(OBAMA, 0.5)).encoding)


# ---- Many photos


@pytest.mark.parametrize(("name", "method"), [("onnx", "hog"), ("dlib", "hog"), ("onnx", "cnn")])
def test_looking_at_many_photos_gives_what_each_gives_alone(
    load: Load, photos: Photos, pair: Photo, name: str, method: str
) -> None:
    engine = load(name, method, detect_max_side=700, smallest_face=60)
    nobody = Photo.of(np.full((100, 100, 3), 127, np.uint8))
    many = [photos["biden"], nobody, pair, photos["obama"], photos["biden"]]
    found = engine.look(many)
    assert [len(one) for one in found] == [1, 0, 2, 1, 1]
    for photo, together in zip(many, found, strict=True):
        assert same(together, engine.faces(photo))


def test_looking_at_no_photos_gives_nothing(engine: Engine) -> None:
    assert engine.look([]) == []


# ---- Boxes that people draw


def test_a_box_drawn_past_the_edge_is_cut_to_the_photo(engine: Engine, photos: Photos) -> None:
    photo = photos["obama"]
    drawn = engine.encode_box(photo, (-20, photo.width + 9, photo.height + 1, -3))
    assert drawn.box == (0, photo.width, photo.height, 0)


@pytest.mark.parametrize("box", [(-9, 20, 0, 5), (5, 9, 5, 1), (9, 30, 5, 1), (5, 5000, 9, 4000)])
def test_a_box_with_nothing_of_the_photo_in_it_is_refused(engine: Engine, photos: Photos, box: Box) -> None:
    with pytest.raises(InvalidInput, match="outside"):
        engine.encode_box(photos["obama"], box)


def test_a_box_of_one_pixel_is_encoded(engine: Engine, photos: Photos) -> None:
    face = engine.encode_box(photos["obama"], (10, 11, 11, 10))
    assert np.isfinite(face.encoding).all()
    assert face.low_quality


# ---- Quality


def test_sharp_faces_are_not_low_quality(faces: Faces) -> None:
    assert not any(face.low_quality for found in faces.values() for face in found)


def test_blurred_and_tiny_faces_are_low_quality(engine: Engine, pixels: Shot) -> None:
    blurred = cv2.GaussianBlur(pixels["obama"], (0, 0), 12)
    assert engine.encode_box(Photo.of(blurred), OBAMA).low_quality
    tiny, box = face_of(37, pixels["obama"])
    assert engine.encode_box(Photo.of(tiny), box).low_quality


def test_a_large_face_is_not_tiny_because_the_photo_was_decoded_smaller(engine: Engine, photos: Photos) -> None:
    full = photos["obama"]
    reduced, _ = face_of(37, full.pixels)
    assert not engine.encode_box(replace(full, pixels=reduced), OBAMA).low_quality


# ---- The most prominent face


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


# What dlib's own cnn finds in the development photos when it enlarges them once, which takes it minutes.
ENLARGED_ONCE: dict[str, list[Box]] = {
    "group_tv_1.jpg": [(166, 558, 248, 476), (96, 1092, 194, 993), (119, 320, 237, 203), (145, 813, 244, 715)],
    "group_tv_2.jpg": [
        (25, 167, 123, 69),
        (248, 334, 330, 252),
        (264, 147, 362, 49),
        (184, 545, 282, 447),
        (45, 317, 143, 218),
        (74, 649, 156, 567),
    ],
    "portrait_large.jpg": [(208, 578, 560, 225)],
    "portrait_tall.jpg": [(330, 976, 938, 368)],
    "selfie_many_people.jpg": [(130, 302, 229, 203), (303, 227, 445, 86), (250, 83, 348, -16), (131, 471, 273, 329)],
    "two_officials.jpg": [(1061, 1770, 1202, 1628), (375, 1340, 579, 1136), (431, 916, 600, 746)],
    "two_people.jpg": [(44, 396, 213, 226), (88, 933, 230, 792)],
}


@pytest.mark.parametrize("name", ENLARGED_ONCE)
def test_what_dlib_finds_in_an_enlarged_photo_is_found_as_it_is_set_up(
    load: Load, shared_faces: Path, name: str
) -> None:
    eyesight = Eyesight()
    data = (shared_faces / "photos" / name).read_bytes()
    found = load("onnx", method="cnn").faces(decode(data, max_pixels=10**8, enough=eyesight.enough))
    # Photos are looked at in another size than dlib's: boxes differ by a step of the pyramid, faces do not.
    for box in ENLARGED_ONCE[name]:
        assert max(overlap(box, face.box) for face in found) > 0.6
