"""Engine: photos -> the faces in them. The one seam where what runs the networks is chosen."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from app.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.recognition.images import Photo

log = logging.getLogger("namesake.engine")

FACE_PIXELS = 100
"""the side of a face from which the encoder's 150-pixel chip, half again as large, is cut without enlarging"""

Box = tuple[int, int, int, int]
"""top, right, bottom, left, in pixels of the upright photo"""


@dataclass(frozen=True, eq=False)
class DetectedFace:
    """encoding: (128,) float32. flaws: why it is not to be trusted much, words of recognition.quality."""

    box: Box
    encoding: NDArray[np.float32]
    flaws: tuple[str, ...] = ()

    @property
    def low_quality(self) -> bool:
        return bool(self.flaws)


class Engine(Protocol):
    """Finds faces and encodes them. Safe to share between threads; not to be carried over a fork."""

    name: str
    note: str
    """why this engine serves though another was asked for; empty when it is the one"""

    def faces(self, photo: Photo) -> list[DetectedFace]:
        """Every face, left to right."""
        ...

    def look(self, photos: Sequence[Photo]) -> list[list[DetectedFace]]:
        """What `faces` gives for each photo; faster than one by one, and exactly the same."""
        ...

    def one_threaded(self) -> Engine:
        """The same engine for callers that bring threads of their own: each call then keeps to its thread."""
        ...

    def encode_box(self, photo: Photo, box: Box) -> DetectedFace:
        """The face in a box that a person drew. Raises InvalidInput when nothing of it lies in the photo."""
        ...


class EngineUnfit(Exception):
    """This engine cannot be had here, or does not compute what dlib computes. Says why in words."""


@dataclass(frozen=True)
class Eyesight:
    """How faces are looked for.

    method: "hog" or "cnn". detect_max_side: in a copy of the photo at most this many pixels long.
    smallest_face: the side of the smallest face found, in pixels of that copy.
    """

    method: str = "cnn"
    detect_max_side: int = 800
    smallest_face: int = 40

    @property
    def enough(self) -> int:
        """The long side beyond which a photo may be decoded smaller: the smallest face then has FACE_PIXELS."""
        return self.detect_max_side * FACE_PIXELS // self.smallest_face

    def __post_init__(self) -> None:
        if self.method not in ("hog", "cnn"):
            raise ConfigError(f"The detection method must be hog or cnn, not {self.method!r}.")


def load_engine(name: str, eyesight: Eyesight, models: Path) -> Engine:
    """The engine of that name, ready to be used. "onnx" gives the dlib engine, with a note, where it is unfit.

    models: the folder where converted networks are kept; made when missing. Raises ConfigError.
    """
    from app.recognition.dlib_engine import DlibEngine

    if name == "dlib":
        return DlibEngine(eyesight)
    if name != "onnx":
        raise ConfigError(f"There is no engine called {name!r}: it must be onnx or dlib.")
    try:
        from app.recognition.onnx_engine import OnnxEngine

        return OnnxEngine(eyesight, models)
    except (EngineUnfit, ImportError) as why:
        log.warning("The onnx engine cannot serve, so dlib's own does, far more slowly: %s", why)
        return DlibEngine(eyesight, note=str(why))


def most_prominent(boxes: Sequence[Box], width: int, height: int) -> int:
    """Which face the photo is of: a big one, and of two about as big the one nearer the middle.

    Returns an index into boxes. Raises ValueError when there are none.
    """
    if not boxes:
        raise ValueError("There are no boxes to choose from.")

    def prominence(box: Box) -> float:
        top, right, bottom, left = box
        aside = ((left + right) / width - 1) ** 2 + ((top + bottom) / height - 1) ** 2
        # aside is 0 in the middle and 2 in a corner: a face in the corner must be twice as large.
        return (bottom - top) * (right - left) / (1 + aside / 2)

    return max(range(len(boxes)), key=lambda index: prominence(boxes[index]))
