"""Resizing as dlib does it, so that both engines see what dlib would see."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.recognition.images import Pixels, scale


def resample(pixels: Pixels, factor: float) -> Pixels:
    """The picture `factor` times as large; the same array when that changes nothing.

    Enlarged as dlib's pyramid_up does: bilinear, corner pixels on corner pixels, and a pixel or two larger than
    asked for (250 x 250 becomes 502 x 501). Reduced by averaging.
    """
    if factor <= 1:
        return scale(pixels, factor)
    height, width = pixels.shape[:2]
    rows, columns = (math.floor(factor * side + 1.5) for side in (height - 0.25, width + 0.25))
    larger = np.empty((rows, columns, 3), np.uint16)
    stretch(pixels * np.uint16(256), into=larger)
    return (larger >> 8).astype(np.uint8)


def stretch(pixels: NDArray[Any], into: NDArray[Any]) -> None:
    """Fill one picture with another: bilinear, corner pixels on corner pixels, as dlib's resize_image does it.

    Both are (height, width, 3) of one type; `into` may be a part of a larger array.
    """
    (height, width), (rows, columns) = pixels.shape[:2], into.shape[:2]
    across, down = (width - 1) / max(columns - 1, 1), (height - 1) / max(rows - 1, 1)
    inverse = np.array([[across, 0.0, 0.0], [0.0, down, 0.0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    made = cv2.warpAffine(pixels, inverse, (columns, rows), dst=into, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    if not np.shares_memory(made, into):
        into[:] = made
