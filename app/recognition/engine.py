"""Engine: a picture -> the faces in it. The one seam where what runs the networks is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from app.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""top, right, bottom, left, in pixels of the upright photo"""


@dataclass(frozen=True, eq=False)
class DetectedFace:
    """encoding: (128,) float32. low_quality: too small or too blurred to be trusted much."""

    box: Box
    encoding: NDArray[np.float32]
    low_quality: bool


class Engine(Protocol):
    """Finds faces and encodes them. Safe to share between threads; pixels are (height, width, 3) RGB."""

    name: str

    def faces(self, pixels: NDArray[np.uint8]) -> list[DetectedFace]:
        """Every face, left to right."""
        ...

    def encode_box(self, pixels: NDArray[np.uint8], box: Box) -> DetectedFace:
        """The face in a box that a person drew. Raises InvalidInput when nothing of it lies in the photo."""
        ...


def load_engine(name: str, *, method: str, detect_max_side: int) -> Engine:
    """The engine of that name. Cheap: its models are loaded when they are first used.

    method: "hog" or "cnn". detect_max_side: faces are looked for in a copy of the photo at most this long.
    Raises ConfigError.
    """
    if name == "dlib":
        from app.recognition.dlib_engine import DlibEngine

        return DlibEngine(method, detect_max_side)
    raise ConfigError(f"There is no engine called {name!r}: it must be dlib.")


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
