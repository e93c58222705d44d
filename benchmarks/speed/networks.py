"""The two networks alone: one chip encoded, one large photo searched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from app.recognition import chips, onnx_models
from app.recognition.engine import Box, Engine, Eyesight
from app.recognition.images import Photo, decode
from app.recognition.onnx_engine import OnnxEngine
from benchmarks.speed import alone, theirs
from benchmarks.speed.measuring import Row, by_turns, faces, megabytes, span, tell
from benchmarks.speed.photos import Photos, below

# The smallest face that is found at the photo's own size, and at twice that, which is one upsampling.
_AS_IT_IS, _DOUBLED = 80, 40
_SAME = 0.8


def encode_one_chip(photos: Photos, models: Path) -> Row:
    """With one thread each: ours takes all cores otherwise, dlib never.

    Three at a time, as the faces of a photo come: the first after the other network fetches 22 MB of weights anew.
    """
    network = onnx_models.load(models, threads=1)
    photo = read(below(photos.few)[0])
    chip = chips.cut([(photo.pixels, (70, 180, 180, 70))])
    encoder = theirs.api().face_encoder
    turns, a_turn = 12, 3
    ours, other = by_turns(
        turns,
        lambda: network.encode(chip),
        lambda: encoder.compute_face_descriptor(chip[0]),
        a_turn=a_turn,
        theirs_a_turn=a_turn,
    )
    runs = turns * a_turn
    ratio = other.seconds / ours.seconds
    return Row("encode one chip, one thread", span(ours.seconds), span(other.seconds), ratio, 12, (runs, runs))


def detect(photos: Photos, models: Path, *, quick: bool) -> Iterator[Row]:
    """By the cnn, in a large photo: as it is, its memory, and upsampled once, which takes dlib a minute."""
    photo = read(photos.portrait)
    plain = OnnxEngine(Eyesight("cnn", 10_000, _AS_IT_IS), models)
    yield _compared("cnn detection, no upsampling", plain, photo, 0, runs=2)
    tell("  memory of that")
    mine = alone.run(alone.our_detection_memory, models, photos.portrait, _AS_IT_IS)
    other = alone.run(alone.their_detection_memory, photos.portrait, 0)
    yield Row("cnn detection, no upsampling: memory", megabytes(mine), megabytes(other), other / mine, 10)
    if quick:
        return
    tell("  with one upsampling: dlib takes a minute or more")
    doubled = OnnxEngine(Eyesight("cnn", 10_000, _DOUBLED), models)
    yield _compared("cnn detection, one upsampling", doubled, photo, 1, runs=1)


def agreement(photos: Sequence[Path], found: Sequence[theirs.Found], engine: Engine) -> Row:
    """How much of what dlib's cnn found is found by ours too, and how far apart the encodings of it are."""
    paired, total, apart = 0, 0, []
    for path, (boxes, encodings) in zip(photos, found, strict=True):
        mine = engine.faces(read(path))
        total += len(boxes)
        for box, encoding in zip(boxes, encodings, strict=True):
            best = max(mine, key=lambda face: overlap(face.box, box), default=None)
            if best and overlap(best.box, box) >= _SAME:
                paired += 1
                apart.append(float(np.linalg.norm(best.encoding - encoding)))
    distance = f"{np.median(apart):.1g}" if apart else "none"
    said = f"{paired} of {total} faces, encodings {distance} apart (median)"
    return Row("agreement with dlib's cnn", said)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[1], other[1]) - max(one[3], other[3])
    shared = max(height, 0) * max(width, 0)
    areas = ((top - bottom) * (left - right) for top, right, bottom, left in (one, other))
    return shared / (sum(areas) - shared)


def read(path: Path) -> Photo:
    return decode(path.read_bytes(), max_pixels=100_000_000)


def _compared(what: str, engine: OnnxEngine, photo: Photo, upsamples: int, runs: int) -> Row:
    """Ours is called three times as often. The warm-up of dlib is a small picture."""
    engine._find(photo)
    theirs.detect(np.zeros((200, 200, 3), np.uint8), 0)
    ours, other = by_turns(
        runs,
        lambda: engine._find(photo),
        lambda: theirs.detect(photo.pixels, upsamples),
        a_turn=3,
        warm_up=False,
    )
    found = len(other.result)
    same = sum(any(overlap(mine, box) >= _SAME for mine in ours.result) for box in other.result)
    return Row(
        what,
        f"{span(ours.seconds)}, {faces(len(ours.result))}",
        f"{span(other.seconds)}, {faces(found)}",
        other.seconds / ours.seconds,
        30,
        (3 * runs, runs),
        holds=len(ours.result) == same == found,
    )
