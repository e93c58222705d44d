"""Bytes that someone sent -> an upright RGB picture, or a refusal in words that help."""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageFile

from app.errors import InvalidInput, NamesakeError, TooLarge, UnsupportedType
from app.recognition import allocator, footprint, strips
from app.recognition.quiet import silence

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

FORMATS = tuple(_EXTENSIONS)
"""of a Photo"""

# EXIF orientation -> what makes the picture upright: whether rows become columns, then which way it is flipped, as
# OpenCV counts (0: upside down, 1: left to right, -1: both).
_UPRIGHT = {2: (False, 1), 3: (False, -1), 4: (False, 0), 5: (True, None), 6: (True, 1), 7: (True, -1), 8: (True, 0)}
_AS_IT_IS = (False, None)
_ORIENTATION = 0x0112

MEMORY = 250 * 2**20
"""What decoding a photo may take, the file and the result included. The rest of the process has 235 MB, networks and
all, and half a gigabyte is the most that one upload is to have."""
LARGEST = MEMORY // 2
"""bytes of a result: turning it upright takes it twice"""
# From here on it is worth while to make room first.
_MUCH = 64 * 2**20
# How much larger than enough a result may stay: resampling by so little costs more than it saves.
_SLACK = 1.25
# How much smaller a JPEG may come out when that saves decoding four times the pixels. Encodings of faces of 100 pixels
# move by 0.08 (median of ten), of the same at 86 pixels by 0.09.
_NEARLY = 0.86

_UNREADABLE = "The image cannot be read: it is damaged, incomplete or of a rare kind."

pillow_heif.register_heif_opener()
Image.init()
# Pillow's own limit is fixed and warns; decode() compares the header with the limit it is given.
Image.MAX_IMAGE_PIXELS = None
allocator.share_memory()


@dataclass(frozen=True)
class Photo:
    """A decoded picture.

    pixels: (rows, columns, 3) RGB, upright, C-contiguous: the photo, or a reduction of it. width, height: of the
    photo itself, upright. format: Pillow's name for it, one of FORMATS.
    """

    pixels: Pixels
    width: int
    height: int
    format: str

    @classmethod
    def of(cls, pixels: Pixels) -> Photo:
        """A picture that is at hand already."""
        return cls(pixels, int(pixels.shape[1]), int(pixels.shape[0]), "PNG")

    @property
    def extension(self) -> str:
        """How such files end, without the dot."""
        return _EXTENSIONS[self.format]

    def at_hand(self, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """Where a box in the photo (top, right, bottom, left) lies in `pixels`: at least one of them is in it."""
        rows, columns = self.pixels.shape[:2]
        down, across = rows / self.height, columns / self.width
        top, left = min(round(box[0] * down), rows - 1), min(round(box[3] * across), columns - 1)
        return top, max(round(box[1] * across), left + 1), max(round(box[2] * down), top + 1), left


def decode(
    data: bytes, *, max_pixels: int, enough: int | None = None, empty: strips.Empty = strips.make_empty
) -> Photo:
    """The first picture in a file, as someone would look at it.

    enough: a long side, in pixels. A longer photo is reduced, to about that and not far below it, which saves time
    and memory; where nothing else fits into memory the long side may be as short as half of that. None: never reduced.
    empty: makes the array for the pixels, of LARGEST bytes at most; those turned or resized come in another.

    Raises InvalidInput (empty, no image, damaged), UnsupportedType (an image of another kind) and TooLarge (more
    than `max_pixels`, or more than memory allows: judged by the header, before any pixel is decoded).
    """
    if not data:
        raise InvalidInput("The file is empty.")
    _settle()
    try:
        image = _open(data)
        width, height = image.size
        _check_size(width, height, max_pixels)
        pixels = strips.load(image, data, _reduction(image, data, enough), empty)
        transposed, flip = _turn(image)
        name = "JPEG" if image.format == "MPO" else str(image.format)
        # With the decoder goes its memory, before there are copies of the result.
        del image
        if enough is not None and max(pixels.shape) > enough * _SLACK:
            pixels = resize_to(pixels, enough)
        if transposed:
            width, height = height, width
        return Photo(_upright(pixels, transposed, flip), width, height, name)
    except NamesakeError:
        raise
    except Exception as error:
        # A decoder of foreign bytes may raise anything at all.
        raise InvalidInput(_UNREADABLE) from error


@dataclass(frozen=True)
class Header:
    """What a photo says of itself before its pixels: width and height, as decode gives them; the EXIF orientation, 1
    to 8, that made it upright; and the XMP in it, if any."""

    width: int
    height: int
    orientation: int
    xmp: bytes | None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)"""
        return self.width, self.height


def read_header(data: bytes) -> Header:
    """The header alone. Raises what decode raises for it."""
    _settle()
    try:
        image = _open(data)
        width, height = image.size
        orientation, xmp = _orientation(image), image.info.get("xmp")
        # Pillow gives the size of a TIFF as it will be once upright.
        if _turn(image)[0] and image.format != "TIFF":
            width, height = height, width
        return Header(width, height, orientation, xmp if isinstance(xmp, bytes) else None)
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
    """The picture `factor` times as large, at least one pixel each way; the same array when that changes nothing."""
    height, width = pixels.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return pixels if size == (width, height) else _resize(pixels, size)


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


def _settle() -> None:
    """Make Pillow strict and silent. Both are settings of the whole process that others may have changed since."""
    silence(r"(PIL|pillow_heif)\.")
    # Importing face_recognition switches this on: half a photo would pass for a whole.
    ImageFile.LOAD_TRUNCATED_IMAGES = False


def _open(data: bytes) -> ImageFile.ImageFile:
    known = set(_sniff(data))
    allowed = sorted(known & _EXTENSIONS.keys())
    if "WEBP" in allowed:
        # Pillow takes two whole canvases before it says how large they are.
        width, height = footprint.webp_canvas(data)
        if footprint.WEBP_LEAST * width * height > MEMORY:
            raise _too_much(width, height)
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


def _reduction(image: ImageFile.ImageFile, data: bytes, enough: int | None) -> int:
    """The whole factor to reduce a picture by while it is decoded. Raises TooLarge when it does not fit even so."""
    for factor in _reductions(image, enough):
        needed = footprint.needed(image, data, factor)
        if needed > _MUCH:
            allocator.make_room()
        if needed <= MEMORY:
            return factor
    raise _too_much(image.width, image.height)


def _too_much(width: int, height: int) -> TooLarge:
    return TooLarge(
        f"The image is too large: opening its {width} x {height} pixels would take too much memory. "
        "Save it as a plain JPEG, not a progressive one, or make it smaller."
    )


def _reductions(image: ImageFile.ImageFile, enough: int | None) -> tuple[int, ...]:
    """The largest factor that leaves nearly enough; and the next, for when memory is short."""
    if enough is None:
        return (1,)
    longest = max(image.size)
    if image.format in ("JPEG", "MPO"):
        nearly = enough * _NEARLY
        largest = next((draft for draft in (8, 4, 2) if footprint.reduced(longest, draft) >= nearly), 1)
        return largest, min(2 * largest, 8)
    largest = max(1, longest // enough)
    return largest, largest + 1


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - a picture with broken EXIF is still a picture
        return 1
    return orientation if isinstance(orientation, int) and orientation in _UPRIGHT else 1


def _turn(image: Image.Image) -> tuple[bool, int | None]:
    return _UPRIGHT.get(_orientation(image), _AS_IT_IS)


def _upright(pixels: Pixels, transposed: bool, flip: int | None) -> Pixels:
    if transposed:
        pixels = np.asarray(cv2.transpose(pixels))
    return pixels if flip is None else np.asarray(cv2.flip(pixels, flip))


def _resize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    shrinking = size[0] * size[1] < pixels.shape[0] * pixels.shape[1]
    resized = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    return np.ascontiguousarray(resized, dtype=np.uint8)
