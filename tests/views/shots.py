"""Photos made from the sample photos: side by side, turned, in other formats, damaged, or not photos at all."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

_ORIENTATION = 0x0112


def opened(path: Path, height: int | None = None) -> Image.Image:
    """A photo in RGB, `height` pixels high if asked for."""
    with Image.open(path) as image:
        photo = image.convert("RGB")
    return photo if height is None else photo.resize((round(photo.width * height / photo.height), height))


def saved(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def side_by_side(*images: Image.Image) -> Image.Image:
    both = Image.new("RGB", (sum(image.width for image in images), max(image.height for image in images)), "white")
    left = 0
    for image in images:
        both.paste(image, (left, 0))
        left += image.width
    return both


def landscape(width: int = 320, height: int = 200) -> Image.Image:
    """Sky above grass: nobody in it."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2], picture[height // 2 :] = (120, 170, 230), (60, 140, 60)
    return Image.fromarray(picture)


def sixteen_bit(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)


def turned(image: Image.Image, orientation: int) -> bytes:
    """What a phone held the other way saves: the pixels lie on their side or head, and EXIF says so."""
    lay = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}[orientation]
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    return saved(image.transpose(lay), exif=exif, quality=92)


def bomb(side: int = 30_000) -> bytes:
    """A PNG of a few bytes that says it has side x side pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def overlap(one: list[int], other: list[int]) -> float:
    """Intersection over union of two boxes (top, right, bottom, left)."""

    def area(top: int, right: int, bottom: int, left: int) -> int:
        return max(0, bottom - top) * max(0, right - left)

    common = area(max(one[0], other[0]), min(one[1], other[1]), min(one[2], other[2]), max(one[3], other[3]))
    return common / (area(*one) + area(*other) - common)
