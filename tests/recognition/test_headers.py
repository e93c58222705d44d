"""What a photo says of itself before its pixels: size, orientation, and the XMP in it."""

from __future__ import annotations

import io
from typing import Any

import pillow_heif
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from app.errors import InvalidInput
from app.recognition import images

pillow_heif.register_heif_opener()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><!-- \xe4\xb8\xad --></x:xmpmeta>'
FORMATS = ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "TIFF"]


def saved(format_: str, *, xmp: bytes | None = None, orientation: int | None = None) -> bytes:
    """A picture of 64 x 48 pixels, as it is stored."""
    exif, more = Image.Exif(), dict[str, Any]()
    if orientation:
        exif[0x0112] = orientation
    if xmp and format_ == "PNG":
        more["pnginfo"] = PngInfo()
        more["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
    elif xmp and format_ == "TIFF":
        exif[700] = xmp
    elif xmp:
        more["xmp"] = xmp
    file = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 10, 10)).save(file, format_, exif=exif, **more)
    return file.getvalue()


@pytest.mark.parametrize("format_", FORMATS)
def test_xmp_is_found_in_the_photo(format_: str) -> None:
    assert images.read_header(saved(format_, xmp=XMP)).xmp == XMP


@pytest.mark.parametrize("format_", [*FORMATS, "GIF", "BMP"])
def test_there_may_be_none(format_: str) -> None:
    assert images.read_header(saved(format_)) == images.Header(64, 48, 1, None)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_upright_photo(format_: str, orientation: int) -> None:
    data = saved(format_, orientation=orientation)
    width, height = (48, 64) if orientation > 4 else (64, 48)
    assert images.read_header(data) == images.Header(width, height, orientation, None)
    photo = images.decode(data, max_pixels=10_000)
    assert (photo.width, photo.height) == (width, height) == images.read_header(data).size


def test_a_heic_is_decoded_upright_so_that_nothing_is_left_to_turn() -> None:
    """Its own rotation counts, and the decoder applies it: the EXIF in it says so no more."""
    header = images.read_header(saved("HEIF", orientation=6))
    photo = images.decode(saved("HEIF", orientation=6), max_pixels=10_000)
    assert header.orientation == 1
    assert (header.width, header.height) == (photo.width, photo.height)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_turns_nothing(orientation: int) -> None:
    assert images.read_header(saved("JPEG", orientation=orientation)).orientation == 1


@pytest.mark.parametrize("data", [b"", b"no picture", saved("JPEG")[:20]])
def test_what_is_no_picture_has_none(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        images.read_header(data)
