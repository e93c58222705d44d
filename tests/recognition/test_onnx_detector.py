"""The detector in ONNX Runtime against dlib's own: over photos, it must find what dlib finds and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.recognition import onnx_detector, onnx_models, pyramid, verification
from app.recognition.engine import Box
from app.recognition.images import Photo, Pixels, scale
from app.recognition.onnx_models import Models
from tests.recognition.conftest import Load, opened, overlap

Detections = list[tuple[Box, float]]


@dataclass(frozen=True)
class Seen:
    """What dlib and what the detector here make of one photo, the surest first."""

    expected: Detections
    found: Detections

    def matched(self) -> list[tuple[int, int]]:
        """(index in expected, index in found) where each is the other's only counterpart."""
        pairs = [
            (one, other)
            for one, (box, _) in enumerate(self.expected)
            for other, (counterpart, _) in enumerate(self.found)
            if overlap(box, counterpart) >= 0.8
        ]
        ones, others = [one for one, _ in pairs], [other for _, other in pairs]
        return [(one, other) for one, other in pairs if ones.count(one) == others.count(other) == 1]


See = Callable[[str, Pixels], Seen]


@pytest.fixture(scope="session")
def see(models: Models, dlib_detector: Any) -> See:
    """Ask both, without enlarging the photo. dlib takes seconds, so it is asked once for a name."""
    known: dict[str, Seen] = {}

    def see_(name: str, photo: Pixels) -> Seen:
        if name not in known:
            known[name] = Seen(by_dlib(dlib_detector, photo), models.detector.detect(photo))
        return known[name]

    return see_


def by_dlib(detector: Any, photo: Pixels, enlarged: int = 0) -> Detections:
    found = [(face.rect, face.confidence) for face in detector(photo, enlarged)]
    return [((rect.top(), rect.right(), rect.bottom(), rect.left()), score) for rect, score in found]


# How much they are reduced: at full size dlib would need a minute for them.
PUBLIC = {
    "obama": 0.7,
    "obama2": 0.5,
    "obama3": 0.4,
    "biden": 0.4,
    "obama_partial_face": 0.5,
    "obama_partial_face2": 0.5,
}


@pytest.fixture(scope="session")
def public(sample_photos: dict[str, Path]) -> Callable[[str], Pixels]:
    def public_(name: str) -> Pixels:
        return scale(opened(sample_photos[f"{name}.jpg"]).pixels, PUBLIC[name])

    return public_


def assert_same(seen: Seen) -> None:
    assert len(seen.found) == len(seen.expected)
    pairs = seen.matched()
    assert len(pairs) == len(seen.expected)
    for one, other in pairs:
        assert seen.found[other][1] == pytest.approx(seen.expected[one][1], abs=1e-3)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_photo_has_the_faces_that_dlib_finds(see: See, public: Callable[[str], Pixels], name: str) -> None:
    assert_same(see(name, public(name)))


def test_public_photos_have_a_face_each(see: See, public: Callable[[str], Pixels]) -> None:
    assert sum(len(see(name, public(name)).expected) for name in PUBLIC) >= 4


def test_drawn_faces_are_found_as_dlib_finds_them(see: See) -> None:
    seen = see("group", verification.group())
    assert len(seen.expected) == 2
    assert_same(seen)
    assert [box for box, _ in seen.found] == [box for box, _ in seen.expected]


def some(shared_faces: Path) -> list[Path]:
    """Photos of 40 people, the same every time, and of small crowds."""
    people = [folder for folder in sorted((shared_faces / "people").iterdir()) if folder.is_dir()]
    photos = [sorted(folder.glob("*.jpg"))[-1] for folder in people[::6]]
    strangers = sorted((shared_faces / "strangers").glob("*.jpg"))[::20]
    crowds = ("two_people.jpg", "group_tv_2.jpg", "selfie_many_people.jpg")
    return [*photos[:20], *strangers[:20], *(shared_faces / "photos" / name for name in crowds)]


def test_many_photos_have_the_faces_that_dlib_finds(see: See, shared_faces: Path) -> None:
    seen = [see(path.name, opened(path).pixels) for path in some(shared_faces)]
    expected = sum(len(one.expected) for one in seen)
    assert expected > 50
    found = sum(len(one.found) for one in seen)
    matched = sum(len(one.matched()) for one in seen)
    assert matched >= 0.995 * max(expected, found)
    scores = [abs(one.found[j][1] - one.expected[i][1]) for one in seen for i, j in one.matched()]
    assert max(scores) < 1e-3


# ---- Enlarged to twice its size, which is what face_recognition does unless told


SMALL = {"group": 1.0, "obama": 0.2, "obama2": 0.35}


@pytest.fixture
def small(pixels: dict[str, Pixels]) -> Callable[[str], Pixels]:
    photos = pixels | {"group": verification.group()}
    return lambda name: scale(photos[name], SMALL[name])


def assert_same_boxes(found: list[Box], expected: Detections) -> None:
    seen = Seen(expected, [(box, 0.0) for box in found])
    assert len(seen.found) == len(expected)
    assert len(seen.matched()) == len(expected)


@pytest.mark.parametrize("name", SMALL)
def test_with_faces_of_40_pixels_a_photo_is_seen_as_dlib_sees_it_enlarged_once(
    load: Load, dlib_detector: Any, small: Callable[[str], Pixels], name: str
) -> None:
    photo = small(name)
    expected = by_dlib(dlib_detector, photo, enlarged=1)
    assert expected
    found = load("onnx", "cnn", smallest_face=40).faces(Photo.of(photo))
    assert_same_boxes([face.box for face in found], expected)


def test_small_photos_of_many_people_are_seen_as_dlib_sees_them_enlarged_once(
    load: Load, dlib_detector: Any, shared_faces: Path
) -> None:
    engine = load("onnx", "cnn", smallest_face=40)
    for path in some(shared_faces)[5:40:10]:
        photo = opened(path)
        found = [face.box for face in engine.faces(photo)]
        assert_same_boxes(found, by_dlib(dlib_detector, photo.pixels, enlarged=1))


def test_with_faces_of_80_pixels_a_photo_is_seen_as_it_is(see: See, load: Load) -> None:
    found = load("onnx", "cnn", smallest_face=80).faces(Photo.of(verification.group()))
    seen = see("group", verification.group())
    assert [face.box for face in found] == sorted((box for box, _ in seen.expected), key=lambda box: box[3])


# ---- The screen in 8 bits


def test_the_screen_is_close_to_the_scores_and_the_scores_are_those_of_a_look_without_it(
    models: Models, pixels: dict[str, Pixels]
) -> None:
    detector = models.detector
    worst = 0.0
    for photo in (verification.group(), scale(pixels["obama"], 0.4), scale(pixels["biden"], 0.3)):
        layout = pyramid.lay_out(*photo.shape[:2], detector._tiling)
        features = detector._look(pyramid.draw(photo, layout, detector._background))
        screened = onnx_detector._in_strips(detector._screen, features)
        exact = onnx_detector._in_strips(detector._scores, features)
        near = exact > -1
        worst = max(worst, float(np.abs(screened - exact)[near].max()))
        # Half of the doubt that has a cell looked at again.
        assert worst < -onnx_detector._DOUBT / 2
        found = detector._score(features)
        assert np.array_equal(found > 0, exact > 0)
        assert found[exact > 0] == pytest.approx(exact[exact > 0], abs=1e-4)
    assert worst > 0


def test_only_what_might_be_a_face_is_computed_exactly(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = []
    exact = models.detector._scores

    class Counting:
        def run(self, outputs: Any, inputs: Any) -> Any:
            cells.append(np.prod(inputs["features"].shape[2:]))
            return exact.run(outputs, inputs)

    monkeypatch.setattr(models.detector, "_scores", Counting())
    models.detector.detect(np.full((600, 800, 3), 127, np.uint8))
    assert cells == []
    photo = np.pad(verification.group(), ((0, 400), (0, 500), (0, 0)), constant_values=127)
    assert len(models.detector.detect(photo)) == 2
    layout = pyramid.lay_out(*photo.shape[:2], models.detector._tiling)
    assert 0 < sum(cells) < layout.height * layout.width / 64 / 2


@pytest.mark.parametrize("seed", range(5))
def test_regions_hold_every_chosen_cell_and_lie_apart(seed: int) -> None:
    random = np.random.default_rng(seed)
    chosen = random.random((120, 90)) < 0.004
    covered = np.zeros(chosen.shape, int)
    for rows, columns in onnx_detector._regions(chosen):
        covered[rows, columns] += 1
    assert (covered[chosen] > 0).all()
    assert list(onnx_detector._regions(np.zeros((9, 9), bool))) == []


# ---- What becomes of the boxes


def test_both_engines_encode_a_face_alike(see: See, load: Load, public: Callable[[str], Pixels]) -> None:
    onnx, dlib = load("onnx", "cnn", smallest_face=80), load("dlib", "cnn", smallest_face=80)
    photos = {name: public(name) for name in PUBLIC} | {"group": verification.group()}
    differences = []
    for name, photo in photos.items():
        seen = see(name, photo)
        for one, other in seen.matched():
            encodings = [
                engine.encode_box(Photo.of(photo), box).encoding
                for engine, box in ((dlib, seen.expected[one][0]), (onnx, seen.found[other][0]))
            ]
            differences.append(np.linalg.norm(encodings[0] - encodings[1]))
    assert len(differences) >= 6
    assert np.median(differences) < 0.05


# ---- What the result does not depend on


@pytest.fixture(scope="module")
def photo() -> Pixels:
    """Two faces, on a canvas of more than a hundred rows of cells."""
    return scale(verification.group(), 1.5)


def assert_equal(found: Detections, usual: Detections) -> None:
    assert [box for box, _ in found] == [box for box, _ in usual]
    assert [score for _, score in found] == pytest.approx([score for _, score in usual], abs=1e-4)


@pytest.mark.parametrize("feature_pixels", [1, 150_000, 10**9])
@pytest.mark.parametrize("score_pixels", [1, 100_000, 300_000, 10**9])
def test_strips_leave_no_trace(
    models: Models, photo: Pixels, monkeypatch: pytest.MonkeyPatch, feature_pixels: int, score_pixels: int
) -> None:
    usual = models.detector.detect(photo)
    assert len(usual) == 2
    monkeypatch.setattr(onnx_detector, "_FEATURE_PIXELS", feature_pixels)
    monkeypatch.setattr(onnx_detector, "_SCORE_PIXELS", score_pixels)
    assert_equal(models.detector.detect(photo), usual)


@pytest.mark.parametrize("size", [(33, 33), (120, 47), (97, 250), (400, 33)])
def test_strips_cut_every_row_of_scores_alike(
    models: Models, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    canvas = np.random.default_rng(1).integers(0, 2**16, (*size, 3), np.uint16)
    features = models.detector._look(canvas)
    scores = models.detector._score(features)
    monkeypatch.setattr(onnx_detector, "_FEATURE_PIXELS", 1)
    monkeypatch.setattr(onnx_detector, "_SCORE_PIXELS", 1)
    assert models.detector._look(canvas) == pytest.approx(features, abs=1e-4)
    again = models.detector._score(features)
    assert again.shape == scores.shape
    assert again == pytest.approx(scores, abs=1e-4)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.usefixtures("_forgetful")
def test_the_number_of_processors_changes_nothing(
    models: Models, models_folder: Path, photo: Pixels, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    usual = models.detector.detect(photo)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(threads)))
    other = onnx_models.load(models_folder)
    assert other.detector is not models.detector
    assert_equal(other.detector.detect(photo), usual)


def test_looking_changes_nothing_in_the_photo(models: Models) -> None:
    photo = verification.group()
    models.detector.detect(photo)
    assert np.array_equal(photo, verification.group())


def test_a_photo_of_nothing_has_no_faces(models: Models) -> None:
    assert models.detector.detect(np.full((200, 300, 3), 127, np.uint8)) == []


def test_faces_cut_by_the_edge_are_found_there_as_dlib_finds_them(see: See) -> None:
    half = np.ascontiguousarray(verification.group()[:, 300:])
    assert_same(see("half", half))


def test_a_detector_says_how_sure_it_is(models: Models) -> None:
    scores = [score for _, score in models.detector.detect(verification.group())]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > 0
