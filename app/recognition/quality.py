"""How much can be trusted what a face shows.

Every limit stands where the encoding has moved by about 0.3, half of what sets two people apart, or where faces are
confused with other people's. Measured on 1,237 photos of Labeled Faces in the Wild, of 120 people and 400 strangers.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from app.recognition.engine import Box
from app.recognition.images import Pixels, crop

SAME_PICTURE_DISTANCE = 0.2
"""Nearer than this, two encodings are of the same picture: saved again (JPEG at 80 or 50), at three quarters or half
of its size, or without a tenth of its edge, 99 % of 80 faces stay nearer; of 3,056 pairs of different pictures of one
person one is, at 0.13, and the next are 0.20 and 0.21 apart."""

SMALL, BLURRED, TURNED, HIDDEN = "small", "blurred", "turned", "hidden"

_SMALLEST_SIDE = 40
# Of 1,228 sharp faces, shrunk or enlarged to 112 pixels, none has a variance of the Laplacian below 17; blurred until
# it is 10, a face has moved by 0.3 from its own encoding.
_LEAST_SHARPNESS = 10.0
_SHARPNESS_CHIP = 112
# Of 837 faces with others of the same person, 7 are turned farther than either. Their nearest own one is 0.55 away,
# not 0.36, and 3 of them are nearer to someone else; so are 8 in 1,000 of the rest. Up to here being turned hardly
# tells (between 0.28 and 0.40: 0.39), and neither does a head held aslant by up to 25 degrees: the chip is turned
# upright.
_NOSE_ASIDE = 0.4
_EYES_UNEQUAL = 0.4
# Of 40 faces cut off at each edge by a tenth to four tenths, those with more outside have moved by 0.37 on average,
# seven in ten of them by more than 0.3. Half of those that lack a third are found: cut off at the top, a face hardly
# tells, for dlib then sees the landmarks farther down. Of 1,414 faces as they are 26 are marked, bystanders all.
_MOST_OUTSIDE = 0.25


def flaws(pixels: Pixels, box: Box, in_photo: Box, points: NDArray[np.float64], outside: float) -> tuple[str, ...]:
    """What speaks against using a face to recognise others, of SMALL, BLURRED, TURNED and HIDDEN.

    box: in the pixels at hand. in_photo: the same box in the photo itself, of which they may be a reduction. points:
    (5, 2), the landmarks as chips has them. outside: the share of the chip that lies outside the picture. Half a face
    behind a hand is not noticed: of 200 covered by half, 3 are marked, for dlib puts the landmarks where they would be.
    """
    top, right, bottom, left = in_photo
    found = {
        SMALL: min(bottom - top, right - left) < _SMALLEST_SIDE,
        BLURRED: _sharpness(pixels, box) < _LEAST_SHARPNESS,
        TURNED: is_turned(points),
        HIDDEN: outside > _MOST_OUTSIDE,
    }
    return tuple(flaw for flaw, applies in found.items() if applies)


def is_turned(points: NDArray[np.float64]) -> bool:
    """Whether a face looks so far aside that little of it is left to see: the nose leaves the middle between the
    eyes, or one eye looks half again as wide as the other. points: (5, 2), the landmarks as chips has them."""
    right_outer, right_inner, left_outer, left_inner, nose = points
    right, left = (right_outer + right_inner) / 2, (left_outer + left_inner) / 2
    apart = float(np.linalg.norm(right - left))
    widths = np.linalg.norm([right_outer - right_inner, left_outer - left_inner], axis=1)
    if not apart or not widths.all():
        return True
    aside = (nose - (right + left) / 2) @ (right - left) / apart**2
    return bool(abs(aside) > _NOSE_ASIDE or abs(np.log(widths[0] / widths[1])) > _EYES_UNEQUAL)


def _sharpness(pixels: Pixels, box: Box) -> float:
    """The variance of the Laplacian of a face at one size."""
    chip = crop(pixels, box, margin=0.0, side=_SHARPNESS_CHIP)
    return float(cv2.Laplacian(cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())
