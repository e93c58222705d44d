"""Many photos at once: read, decode, detect and encode over all cores, in the order given and in bounded memory.

Threads, not processes: decoders, detectors and ONNX Runtime let go of the interpreter while they work, there is
one copy of the models, and nothing is left behind when the process is killed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from app.errors import NamesakeError
from app.recognition.engine import DetectedFace, Engine
from app.recognition.images import Photo
from app.recognition.processors import processors

T = TypeVar("T")
R = TypeVar("R")

Viewing = Generator[Photo, list[DetectedFace], R]
"""What is done with one photo: yields it, is sent its faces, returns a result. It may end before it yields, with a
result or a NamesakeError: then no engine looks."""

Outcome = tuple[T, R | NamesakeError]

CHUNK = 8
"""Photos that are encoded in one batch and stored together. Four take 7 % longer: every change between networks empties
the processor's caches."""
# The end of long work is cut smaller: a processor that has finished waits for another's chunk.
_LONG, _END, _SMALL = 8 * CHUNK, 2 * CHUNK, 2
_PIXELS = 8_000_000
"""As soon as a worker holds so many, it has the engine look at what there is of its chunk."""


def view_all(
    engine: Engine,
    items: Sequence[T],
    view: Callable[[T], Viewing[R]],
    store: Callable[[Sequence[Outcome[T, R]]], None],
) -> None:
    """Go through view(item) for every item, on as many threads as there are processors.

    store: told in this thread, chunk by chunk and in the order of the items, what each view returned, or the
    NamesakeError it raised when that is about the photo (a status below 500). Chunks go by position alone: more
    processors change nothing but the time.

    Whatever else a view, the engine or store raises ends it and is raised here. Everything before the chunk that
    it happened in has been stored by then.
    """
    workers = processors()
    if len(items) > CHUNK:
        engine = engine.one_threaded()
    over = threading.Event()
    ahead: deque[Future[list[Outcome[T, R]]]] = deque()
    with ThreadPoolExecutor(workers, "bulk") as pool:
        try:
            for chunk in _chunks(items):
                # joblib's own generator would not wait: all results would pile up before a slow disk.
                if len(ahead) == 2 * workers:
                    store(ahead.popleft().result())
                ahead.append(pool.submit(_work, engine, chunk, view, over))
            while ahead:
                store(ahead.popleft().result())
        finally:
            over.set()
            pool.shutdown(cancel_futures=True)


def _work(
    engine: Engine, items: Sequence[T], view: Callable[[T], Viewing[R]], over: threading.Event
) -> list[Outcome[T, R]]:
    """One chunk."""
    viewings = [_UnderWay(view(item)) for item in items]
    shown: list[_UnderWay[R]] = []
    try:
        for viewing in viewings:
            if over.is_set():
                raise CancelledError
            viewing.go_on()
            shown += [viewing] if viewing.photo else []
            if viewing is viewings[-1] or sum(map(_pixels, shown)) >= _PIXELS:
                _look(engine, shown)
                shown = []
    except Exception as error:
        error.add_note(f"while looking at {', '.join(str(item) for item in items)}")
        raise
    return [(item, viewing.outcome) for item, viewing in zip(items, viewings, strict=True)]


class _UnderWay(Generic[R]):
    """A viewing that shows a photo or has an outcome."""

    outcome: R | NamesakeError

    def __init__(self, viewing: Viewing[R]) -> None:
        self._viewing = viewing
        self.photo: Photo | None = None

    def go_on(self, faces: list[DetectedFace] | None = None) -> None:
        """faces: those of the photo it shows; none at the beginning."""
        self.photo = None
        try:
            self.photo = next(self._viewing) if faces is None else self._viewing.send(faces)
        except StopIteration as end:
            self.outcome = end.value
        except NamesakeError as error:
            if error.status >= 500:
                raise
            self.outcome = error


def _look(engine: Engine, shown: Sequence[_UnderWay[R]]) -> None:
    photos = [viewing.photo for viewing in shown if viewing.photo]
    for viewing, faces in zip(shown, engine.look(photos) if photos else [], strict=True):
        viewing.go_on(faces)


def _pixels(viewing: _UnderWay[R]) -> int:
    return viewing.photo.pixels.size // 3 if viewing.photo else 0


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """By position alone: the same on any number of processors."""
    end = (len(items) - _END) // CHUNK * CHUNK if len(items) > _LONG else len(items)
    for first in range(0, end, CHUNK):
        yield items[first : min(first + CHUNK, end)]
    for first in range(end, len(items), _SMALL):
        yield items[first : first + _SMALL]
