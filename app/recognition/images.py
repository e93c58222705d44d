"""Bytes that someone sent -> an upright RGB picture, or a refusal in words that help."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageFile

from app.errors import InvalidInput, NamesakeError, TooLarge, UnsupportedType
from app.recognition.quiet import quiet

Pixels = NDArray[np.uint8]

# Pillow's name for the format -> how its files end. MPO is a JPEG with a second picture behind the first.
_EXTENSIONS = {
    "JPEG": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
    "TIFF": "tif",
    "BMP": "bmp",
    "HEIF": "heic",
    "AVIF": "avif",
}

# EXIF orientation -> what makes the picture upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = {_UPRIGHT[orientation] for orientation in (5, 6, 7, 8)}
_ORIENTATION = 0x0112

_UNREADABLE = "The image cannot be read: it is damaged, incomplete or of a rare kind."

pillow_heif.register_heif_opener()
Image.init()
# Pillow's own limit is fixed and warns; decode() compares the header with the limit it is given.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Photo:
    """A decoded picture.

    pixels: (height, width, 3) RGB, upright, C-contiguous. format: Pillow's name for it, such as "JPEG".
    extension: how such files end, without the dot.
    """

    pixels: Pixels
    format: str
    extension: str

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])


def decode(data: bytes, *, max_pixels: int) -> Photo:
    """The first picture in a file, as someone would look at it.

    Raises InvalidInput (empty, no image, damaged), UnsupportedType (an image of another kind) and TooLarge
    (more than `max_pixels` by its header: decided before any pixel is decoded).
    """
    if not data:
        raise InvalidInput("The file is empty.")
    with quiet():
        # Importing face_recognition switches this on for the whole process: half a photo would pass for a
        # whole.
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            image = _open(data)
            _check_size(*image.size, max_pixels)
            image.load()
            name = "JPEG" if image.format == "MPO" else str(image.format)
            return Photo(_rgb(_upright(image)), name, _EXTENSIONS[name])
        except NamesakeError:
            raise
        except Exception as error:
            # A decoder of foreign bytes may raise anything at all.
            raise InvalidInput(_UNREADABLE) from error


def measure(data: bytes) -> tuple[int, int]:
    """(width, height) as decode would give them, from the header alone. Raises what decode raises for it."""
    with quiet():
        try:
            image = _open(data)
            width, height = image.size
            return (height, width) if _turn(image) in _SIDEWAYS else (width, height)
        except NamesakeError:
            raise
        except Exception as error:
            raise InvalidInput(_UNREADABLE) from error


def resize_to(pixels: Pixels, max_side: int) -> Pixels:
    """The picture with its long side at most `max_side`; the same array when it is small enough already."""
    height, width = pixels.shape[:2]
    if max(height, width) <= max_side:
        return pixels
    return scale(pixels, max_side / max(height, width))


def scale(pixels: Pixels, factor: float) -> Pixels:
    """The picture `factor` times as large, at least one pixel each way."""
    height, width = pixels.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return _resize(pixels, size)


def crop(pixels: Pixels, box: tuple[int, int, int, int], margin: float = 0.35, side: int = 160) -> Pixels:
    """A square of `side` pixels around a box (top, right, bottom, left).

    `margin` is added on each side, as a share of the box's longer side. Where the square would leave the
    picture it is shifted inside, and shrunk when the picture is smaller than it. Any box will do, even one
    outside.
    """
    height, width = pixels.shape[:2]
    top, right, bottom, left = box
    wanted = round(max(bottom - top, right - left) * (1 + 2 * margin))
    length = max(1, min(wanted, height, width))
    y = min(max(round((top + bottom - length) / 2), 0), height - length)
    x = min(max(round((left + right - length) / 2), 0), width - length)
    return _resize(pixels[y : y + length, x : x + length], (side, side))


def to_jpeg(pixels: Pixels, quality: int = 85) -> bytes:
    """The picture as a JPEG file without any metadata."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality)
    return out.getvalue()


def _open(data: bytes) -> ImageFile.ImageFile:
    known = set(_sniff(data))
    allowed = sorted(known & _EXTENSIONS.keys())
    if allowed:
        return Image.open(io.BytesIO(data), formats=allowed)
    if known:
        kinds = ", ".join(extension.upper() for extension in _EXTENSIONS.values())
        raise UnsupportedType(f"Images of this kind are not taken. These are: {kinds}.")
    raise InvalidInput("The file is not an image.")


def _sniff(data: bytes) -> list[str]:
    """The formats whose signature the data begins with. Only looks: no plugin opens anything."""
    # Some signatures are looked up at fixed places; no image is shorter than this.
    prefix = data[:16].ljust(16, b"\0")
    names = []
    for name, (_, accepts) in Image.OPEN.items():
        # A string is Pillow's way to say "I know it but this build cannot read it".
        if accepts is not None and accepts(prefix):
            names.append(name)
    return names


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise InvalidInput("The image has no pixels.")
    if width * height > max_pixels:
        raise TooLarge(
            f"The image is too large: it has {width} x {height} pixels, "
            f"and {max_pixels / 1e6:g} million is the most that is taken."
        )


def _upright(image: Image.Image) -> Image.Image:
    turn = _turn(image)
    return image if turn is None else image.transpose(turn)


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - a picture with broken EXIF is still a picture
        return None
    return _UPRIGHT.get(orientation) if isinstance(orientation, int) else None


def _rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I") or image.mode == "F":
        return np.repeat(_eight_bit(np.asarray(image))[:, :, np.newaxis], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    # PIL hands out its memory read-only: np.array makes an array of our own.
    return np.array(image.convert("RGB"))


def _eight_bit(values: NDArray[Any]) -> Pixels:
    """Grey levels of more than 8 bits, or of no fixed range, as bytes. (Pillow would clip them to 255.)"""
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        high_bytes: Pixels = (values >> 8).astype(np.uint8)
        return high_bytes
    levels = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = min(0.0, float(levels.min())), float(levels.max())
    # Files do not say what white is: the smallest of the usual whites that nothing exceeds.
    white = next((usual for usual in (1.0, 255.0, 65535.0) if high <= usual), high)
    scaled = (levels - low) * (255.0 / (white - low))
    rounded: Pixels = np.rint(scaled).astype(np.uint8)
    return rounded


def _resize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    shrinking = size[0] * size[1] < pixels.shape[0] * pixels.shape[1]
    resized = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    return np.ascontiguousarray(resized, dtype=np.uint8)
