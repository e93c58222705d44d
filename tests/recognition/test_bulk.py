"""Many photos over all cores: the same results in the same order, whatever the number of processors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.errors import DiskFull, InvalidInput, NamesakeError, Unavailable
from app.recognition import bulk, images
from app.recognition.engine import DetectedFace, Engine
from app.recognition.images import Photo

Processors = Callable[[int], None]
PATIENCE_S = 30


@pytest.fixture
def processors(monkeypatch: pytest.MonkeyPatch) -> Processors:
    """Say how many there are."""
    return lambda number: monkeypatch.setattr(bulk, "processors", lambda: number)


def photo(number: int, megapixels: int = 1) -> Photo:
    """A picture that says which it is by its first pixel, and takes no memory."""
    pixels = np.broadcast_to(np.array([[[number % 256, number // 256, 0]]], np.uint8), (1000, 1000 * megapixels, 3))
    return Photo.of(pixels)


def number_of(shown: Photo) -> int:
    low, high, _ = (int(value) for value in shown.pixels[0, 0])
    return low + 256 * high


class Engineer:
    """An engine that finds one face in each photo, and notes which photos it was shown together."""

    name = "engineer"
    note = ""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def one_threaded(self) -> Engineer:
        return self

    def look(self, photos: Sequence[Photo]) -> list[list[DetectedFace]]:
        self.batches.append([number_of(shown) for shown in photos])
        return [self.faces(shown) for shown in photos]

    def faces(self, photo: Photo) -> list[DetectedFace]:
        return [DetectedFace((0, 9, 9, 0), np.full(128, number_of(photo), np.float32))]

    def encode_box(self, photo: Photo, box: Any) -> DetectedFace:
        raise NotImplementedError


def view(number: int) -> bulk.Viewing[int]:
    """What most photos go through; the result is twice the number that the engine saw."""
    (face,) = yield photo(number)
    return 2 * int(face.encoding[0])


class Stored:
    """What was stored, chunk by chunk."""

    def __init__(self) -> None:
        self.chunks: list[list[tuple[int, Any]]] = []

    def __call__(self, outcomes: Sequence[bulk.Outcome[int, Any]]) -> None:
        self.chunks.append(list(outcomes))

    @property
    def outcomes(self) -> list[tuple[int, Any]]:
        return [outcome for chunk in self.chunks for outcome in chunk]


class TestViewing:
    @pytest.mark.parametrize("number", [0, 1, bulk.CHUNK - 1, bulk.CHUNK, bulk.CHUNK + 1, 50])
    @pytest.mark.parametrize("cores", [1, 2, 3, 8])
    def test_gives_every_result_in_order(self, processors: Processors, cores: int, number: int) -> None:
        processors(cores)
        stored = Stored()
        bulk.view_all(Engineer(), range(number), view, stored)
        assert stored.outcomes == [(item, 2 * item) for item in range(number)]
        assert {len(chunk) for chunk in stored.chunks[:-1]} <= {bulk.CHUNK}

    @pytest.mark.parametrize("cores", [1, 2, 3])
    def test_shows_the_same_photos_together_whatever_the_number_of_processors(
        self, processors: Processors, cores: int
    ) -> None:
        processors(cores)
        engine = Engineer()
        bulk.view_all(engine, range(20), view, Stored())
        assert sorted(engine.batches) == [[*range(8)], [*range(8, 16)], [*range(16, 20)]]

    @pytest.mark.parametrize("number", [8 * bulk.CHUNK + 1, 100, 101, 103])
    def test_cuts_the_end_of_long_work_smaller(self, processors: Processors, number: int) -> None:
        processors(2)
        stored = Stored()
        bulk.view_all(Engineer(), range(number), view, stored)
        assert stored.outcomes == [(item, 2 * item) for item in range(number)]
        sizes = [len(chunk) for chunk in stored.chunks]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes.count(bulk.CHUNK) == (number - 2 * bulk.CHUNK) // bulk.CHUNK
        assert sizes[-bulk.CHUNK : -1] == [2] * (bulk.CHUNK - 1)

    @pytest.mark.parametrize("cores", [1, 2, 4])
    def test_works_on_all_processors_at_once(self, processors: Processors, cores: int) -> None:
        """Nobody gets past the barrier before everybody is there."""
        processors(cores)
        barrier = threading.Barrier(cores)

        class Together(Engineer):
            def look(self, photos: Sequence[Photo]) -> list[list[DetectedFace]]:
                barrier.wait(PATIENCE_S)
                return super().look(photos)

        stored = Stored()
        bulk.view_all(Together(), range(2 * cores * bulk.CHUNK), view, stored)
        assert len(stored.outcomes) == 2 * cores * bulk.CHUNK

    def test_stores_in_order_what_was_ready_out_of_order(self, processors: Processors) -> None:
        processors(2)
        second_is_ready = threading.Event()

        def view_second_first(number: int) -> bulk.Viewing[int]:
            result = yield from view(number)
            if number == 0:
                assert second_is_ready.wait(PATIENCE_S)
            if number == 2 * bulk.CHUNK - 1:
                second_is_ready.set()
            return result

        stored = Stored()
        bulk.view_all(Engineer(), range(2 * bulk.CHUNK), view_second_first, stored)
        assert [item for item, _ in stored.outcomes] == list(range(2 * bulk.CHUNK))

    def test_need_not_show_a_photo(self, processors: Processors) -> None:
        processors(2)

        def view_odd_ones(number: int) -> bulk.Viewing[str]:
            if number % 2 == 0:
                return "known"
            yield photo(number)
            return "looked at"

        engine, stored = Engineer(), Stored()
        bulk.view_all(engine, range(12), view_odd_ones, stored)
        assert [outcome for _, outcome in stored.outcomes] == ["known", "looked at"] * 6
        assert sorted(chain(*engine.batches)) == [1, 3, 5, 7, 9, 11]

    def test_does_not_hold_a_whole_chunk_of_huge_photos(
        self, processors: Processors, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        processors(2)
        monkeypatch.setattr(bulk, "_PIXELS", 10_000_000)

        def view_huge(number: int) -> bulk.Viewing[int]:
            faces = yield photo(number, megapixels=6)
            return len(faces)

        engine = Engineer()
        bulk.view_all(engine, range(5), view_huge, Stored())
        assert sorted(engine.batches) == [[0, 1], [2, 3], [4]]

    @pytest.mark.parametrize("cores", [1, 3])
    def test_waits_for_storing_that_is_slow(self, processors: Processors, cores: int) -> None:
        """Else all results would pile up in memory, and would be lost with the process."""
        processors(cores)
        begun, at_most = count(), 2 * cores * bulk.CHUNK
        latest = 0

        def view_counted(number: int) -> bulk.Viewing[int]:
            nonlocal latest
            latest = max(latest, next(begun))
            return (yield from view(number))

        ahead = []
        stored = Stored()

        def store(outcomes: Sequence[bulk.Outcome[int, int]]) -> None:
            ahead.append(latest + 1 - len(stored.outcomes))
            stored(outcomes)

        bulk.view_all(Engineer(), range(100), view_counted, store)
        assert max(ahead) <= at_most


class TestAPhotoThatCannotBeUsed:
    @pytest.mark.parametrize("late", [False, True], ids=["before it is shown", "once its faces are known"])
    def test_is_a_result_among_the_others(self, processors: Processors, late: bool) -> None:
        processors(2)
        error = InvalidInput("No face was found.")

        def view_but_five(number: int) -> bulk.Viewing[int]:
            if number == 5 and not late:
                raise error
            result = yield from view(number)
            if number == 5:
                raise error
            return result

        stored = Stored()
        bulk.view_all(Engineer(), range(10), view_but_five, stored)
        assert stored.outcomes == [(item, error if item == 5 else 2 * item) for item in range(10)]


class TestAnythingElse:
    """A fault of the machine or of ours is nobody's photo's."""

    FAULTS = (DiskFull("full"), Unavailable("busy"), RuntimeError("a bug"), MemoryError())

    @pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
    @pytest.mark.parametrize("cores", [1, 3])
    def test_ends_it_with_everything_before_it_stored(
        self, processors: Processors, cores: int, fault: Exception
    ) -> None:
        processors(cores)

        def view_but_nine(number: int) -> bulk.Viewing[int]:
            result = yield from view(number)
            if number == 9:
                raise fault
            return result

        stored = Stored()
        with pytest.raises(type(fault)) as raised:
            bulk.view_all(Engineer(), range(1000), view_but_nine, stored)
        assert raised.value is fault
        assert stored.outcomes == [(item, 2 * item) for item in range(8)]

    def test_says_at_which_photos_it_happened(self, processors: Processors) -> None:
        processors(1)

        class Broken(Engineer):
            def look(self, photos: Sequence[Photo]) -> list[list[DetectedFace]]:
                raise RuntimeError("a bug")

        with pytest.raises(RuntimeError) as raised:
            bulk.view_all(Broken(), range(3), view, Stored())
        assert raised.value.__notes__ == ["while looking at 0, 1, 2"]

    @pytest.mark.parametrize("fault", [KeyboardInterrupt(), NamesakeError("no"), OSError("no")])
    def test_in_storing_ends_the_looking_at_the_next_photo(
        self, processors: Processors, monkeypatch: pytest.MonkeyPatch, fault: BaseException
    ) -> None:
        processors(1)
        second_chunk, ending = threading.Event(), threading.Event()
        begun: list[int] = []

        class Pool(ThreadPoolExecutor):
            def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
                ending.set()
                super().shutdown(wait, cancel_futures=cancel_futures)

        def view_slowly(number: int) -> bulk.Viewing[int]:
            begun.append(number)
            if number == bulk.CHUNK:
                second_chunk.set()
                assert ending.wait(PATIENCE_S)
            return (yield from view(number))

        def store(_outcomes: Sequence[bulk.Outcome[int, int]]) -> None:
            assert second_chunk.wait(PATIENCE_S)
            raise fault

        monkeypatch.setattr(bulk, "ThreadPoolExecutor", Pool)
        threads = threading.active_count()
        with pytest.raises(type(fault)):
            bulk.view_all(Engineer(), range(1000), view_slowly, store)
        assert threading.active_count() == threads
        assert begun == list(range(bulk.CHUNK + 1))


class TestTheProcessors:
    def test_are_those_that_this_process_may_use(self) -> None:
        import os

        assert 1 <= bulk.processors() <= len(os.sched_getaffinity(0))

    def test_can_be_limited(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
        assert bulk.processors() == 1


class TestWithRealPhotos:
    """The faces of a photo do not depend on which photos are looked at with it, before it or beside it."""

    PEOPLE = 9

    @pytest.fixture
    def photos(self, shared_faces: Path) -> list[Path]:
        folders = sorted((shared_faces / "people").iterdir())[: self.PEOPLE]
        scenes = sorted((shared_faces / "photos").iterdir())[:2]
        return [sorted(folder.iterdir())[0] for folder in folders] + scenes

    @pytest.fixture(params=["cnn", "hog"])
    def engine(self, request: pytest.FixtureRequest, load: Callable[..., Engine]) -> Engine:
        return load("onnx", request.param, detect_max_side=400)

    def see(self, engine: Engine, photos: Sequence[Path]) -> dict[Path, list[tuple[Any, bytes, bool]]]:
        def view_file(path: Path) -> bulk.Viewing[list[DetectedFace]]:
            return (yield images.decode(path.read_bytes(), max_pixels=10**8))

        seen = {}

        def store(outcomes: Sequence[bulk.Outcome[Path, list[DetectedFace]]]) -> None:
            for path, faces in outcomes:
                assert not isinstance(faces, NamesakeError), faces
                seen[path] = [(face.box, face.encoding.tobytes(), face.low_quality) for face in faces]

        bulk.view_all(engine, photos, view_file, store)
        return seen

    def test_more_processors_change_no_bit(self, engine: Engine, photos: list[Path], processors: Processors) -> None:
        seen = []
        for cores in (1, 2, 3):
            processors(cores)
            seen.append(self.see(engine, photos))
        assert seen[0] == seen[1] == seen[2]
        assert sum(len(faces) for faces in seen[0].values()) >= self.PEOPLE

    def test_beginning_further_on_changes_no_bit(
        self, engine: Engine, photos: list[Path], processors: Processors
    ) -> None:
        """As after an interruption: the chunks are other ones."""
        processors(2)
        whole = self.see(engine, photos)
        rest = self.see(engine, photos[3:])
        assert rest == {path: whole[path] for path in photos[3:]}

    def test_alone_and_together_are_the_same(self, engine: Engine, photos: list[Path], processors: Processors) -> None:
        processors(1)
        alone: dict[Path, Any] = {}
        for path in photos:
            alone |= self.see(engine, [path])
        assert alone == self.see(engine, photos)
