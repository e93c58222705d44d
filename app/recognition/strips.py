"""An opened picture -> RGB pixels, strip by strip: nothing but the decoder's own memory is paid at full size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageFile

from app.recognition.footprint import reduced, strip_rows

Cut = Callable[[int, int], Image.Image]
"""Some rows of a picture, from the first to before the second."""


Empty = Callable[[tuple[int, int, int]], NDArray[np.uint8]]
"""Makes an array of that shape to be filled."""


def make_empty(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.empty(shape, np.uint8)


def load(image: ImageFile.ImageFile, data: bytes, factor: int, empty: Empty = make_empty) -> NDArray[np.uint8]:
    """(rows, columns, 3): the picture as it lies in the file, reduced by a whole factor, rounded up.

    image: what Pillow opened in `data`. empty: makes the array for the result. A JPEG is reduced by libjpeg, which
    knows 1, 2, 4 and 8 only. Raises what the decoder raises.
    """
    if image.format in ("JPEG", "MPO"):
        image.draft(None, (max(1, image.width // factor), max(1, image.height // factor)))
        factor = 1
    said = image.size
    (width, height), cut = _source(image, data)
    if image.format in ("HEIF", "WEBP") and (width, height) != said:
        raise OSError("this is another size than the file says")
    pixels = empty((reduced(height, factor), reduced(width, factor), 3))
    step = strip_rows(width, factor)
    levels = _levels(cut, height, step) if image.mode in ("I", "F") else None
    for top in range(0, height, step):
        strip = _rgb(cut(top, min(top + step, height)), levels)
        part = np.asarray(strip.reduce(factor) if factor > 1 else strip)
        pixels[top // factor : top // factor + len(part)] = part
    return pixels


def _source(image: Any, data: bytes) -> tuple[tuple[int, int], Cut]:
    """The size of the decoded picture, and what cuts strips from it."""
    if image.format == "HEIF":
        return _heif(data)
    if image.format == "WEBP" and not image.is_animated:
        return _webp(data)
    return _pillow(image)


def _pillow(image: ImageFile.ImageFile) -> tuple[tuple[int, int], Cut]:
    image.load()
    return image.size, lambda top, bottom: image.crop((0, top, image.width, bottom))


def _heif(data: bytes) -> tuple[tuple[int, int], Cut]:
    """Past Pillow: there is no room for its copy of a photo of 48 megapixels."""
    heif = pillow_heif.open_heif(data)
    rows, stride, mode = memoryview(heif.data), heif.stride, heif.mode
    width, height = heif.size

    def cut(top: int, bottom: int) -> Image.Image:
        return Image.frombytes(mode, (width, bottom - top), rows[top * stride : bottom * stride], "raw", mode, stride)

    return (width, height), cut


def _webp(data: bytes) -> tuple[tuple[int, int], Cut]:
    """By OpenCV, with the same library, to the same pixels: Pillow takes all for animations and holds four frames."""
    frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if frame is None:
        raise OSError("this WebP cannot be decoded")
    height, width, bands = frame.shape
    order = cv2.COLOR_BGRA2RGBA if bands == 4 else cv2.COLOR_BGR2RGB
    return (width, height), lambda top, bottom: Image.fromarray(cv2.cvtColor(frame[top:bottom], order))


def _rgb(strip: Image.Image, levels: tuple[float, float] | None) -> Image.Image:
    if strip.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(strip) >> 8).astype(np.uint8)).convert("RGB")
    if levels is not None:
        return Image.fromarray(_eight_bit(strip, *levels)).convert("RGB")
    if strip.has_transparency_data:
        strip = strip.convert("RGBA")
        strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
    return strip.convert("RGB")


def _levels(cut: Cut, height: int, step: int) -> tuple[float, float]:
    """What is black and what is white in grey of 32 bits, whole numbers or not. (Pillow would clip it to 255.)"""
    low, high = 0.0, 0.0
    for top in range(0, height, step):
        values = _finite(cut(top, min(top + step, height)))
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    # Files do not say what white is: the smallest of the usual whites that nothing exceeds.
    return low, next((usual for usual in (1.0, 255.0, 65535.0) if high <= usual), high)


def _eight_bit(strip: Image.Image, low: float, white: float) -> NDArray[np.uint8]:
    return np.rint((_finite(strip) - low) * (255.0 / (white - low))).astype(np.uint8)


def _finite(strip: Image.Image) -> NDArray[Any]:
    return np.nan_to_num(np.asarray(strip).astype(np.float64), posinf=0.0, neginf=0.0)
