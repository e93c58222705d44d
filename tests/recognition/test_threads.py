"""Many photos at once: engines are shared between threads, and the fast one keeps nobody waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.recognition import verification
from app.recognition.engine import DetectedFace
from app.recognition.images import Photo, Pixels
from app.recognition.onnx_models import Models
from tests.recognition.conftest import Load, same

Photos = dict[str, Photo]


def together(*work: Callable[[], object]) -> None:
    """Run each in a thread of its own, and raise what one raises."""
    failures: list[BaseException] = []

    def run(one: Callable[[], object]) -> None:
        try:
            one()
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@pytest.mark.parametrize(("name", "method"), [("onnx", "hog"), ("dlib", "hog"), ("onnx", "cnn")])
def test_threads_may_share_an_engine(load: Load, photos: Photos, name: str, method: str) -> None:
    engine = load(name, method, detect_max_side=700, smallest_face=60)
    alone = {person: engine.faces(photo) for person, photo in photos.items()}
    assert [len(faces) for faces in alone.values()] == [1, 1, 1, 1]
    found: dict[tuple[int, str], list[DetectedFace]] = {}

    def look(turn: int, person: str) -> None:
        found[turn, person] = engine.faces(photos[person])

    together(*[lambda turn=turn, person=person: look(turn, person) for turn in range(2) for person in photos])
    assert len(found) == 8
    for (_, person), faces in found.items():
        assert same(faces, alone[person])


class Meeting:
    """A session in which two threads must be at the same time, or neither gets on."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._both = threading.Barrier(2)

    def run(self, outputs: Any, inputs: Any) -> Any:
        # The barrier breaks, and the test fails, when the other thread is kept outside.
        self._both.wait(timeout=20)
        return self._session.run(outputs, inputs)


@pytest.mark.parametrize("part", ["features", "scores", "screen", "encoder"])
def test_two_photos_are_looked_at_at_the_same_time(load: Load, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    engine: Any = load("onnx", "cnn", smallest_face=80)
    photo = Photo.of(verification.group())
    alone = engine.faces(photo)
    assert len(alone) == 2
    models: Models = engine._models
    found: list[list[DetectedFace]] = []
    if part == "encoder":
        monkeypatch.setattr(engine, "_models", replace(models, encoder=Meeting(models.encoder)))
    else:
        monkeypatch.setattr(models.detector, f"_{part}", Meeting(getattr(models.detector, f"_{part}")))
    together(*[lambda: found.append(engine.faces(photo))] * 2)
    assert len(found) == 2
    assert all(same(faces, alone) for faces in found)


class Scratch:
    """dlib's hog, which keeps scratch memory: two threads use two of them at the same time, and never one."""

    both = threading.Barrier(2)

    def __init__(self) -> None:
        self._used = threading.Lock()

    def run(self, _picture: Pixels, _enlarged: int, _threshold: float) -> tuple[list[Any], list[Any], list[Any]]:
        assert self._used.acquire(blocking=False)
        self.both.wait(timeout=20)
        self._used.release()
        return [], [], []


def test_hog_too_looks_at_two_photos_at_the_same_time(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlib.get_frontal_face_detector", Scratch)
    engine = load("onnx", "hog")
    photo = Photo.of(verification.group())

    def look() -> None:
        for _ in range(3):
            Scratch.both.wait(timeout=20)
            assert engine.faces(photo) == []

    together(look, look)
