"""How much can be trusted what a face shows."""

from __future__ import annotations

import cv2

from app.recognition.engine import Box
from app.recognition.images import Pixels, crop

# Below either a face is of low quality. Of 1,228 sharp faces of Labeled Faces in the Wild, shrunk or enlarged
# to 112 pixels, none has a variance of the Laplacian below 17; blurred until it is 10, a face has moved by
# 0.3 from its own encoding, half of what sets two people apart.
_SMALLEST_SIDE = 40
_LEAST_SHARPNESS = 10.0
_SHARPNESS_CHIP = 112


def is_low(pixels: Pixels, box: Box, in_photo: Box) -> bool:
    """Whether a face is tiny or blurred.

    box: in the pixels at hand. in_photo: the same box in the photo itself, of which they may be a reduction.
    """
    top, right, bottom, left = in_photo
    if min(bottom - top, right - left) < _SMALLEST_SIDE:
        return True
    chip = crop(pixels, box, margin=0.0, side=_SHARPNESS_CHIP)
    grey = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var()) < _LEAST_SHARPNESS
