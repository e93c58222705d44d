"""Photos larger than anyone needs them: how they are reduced, and what they may cost."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.config import PROJECT
from app.errors import InvalidInput, TooLarge
from app.recognition.images import Photo, decode, resize_to
from tests.recognition.test_images import BLUE, RED, assert_upright, quarters, saved

WIDTH, HEIGHT = 960, 640
ENOUGH = 4000
ROTATED = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def big(mode: str = "RGB") -> Image.Image:
    return quarters(mode, WIDTH, HEIGHT)


def sixteen_bit() -> Image.Image:
    return Image.fromarray(np.asarray(big("L")).astype(np.uint16) * 257)


def two_frames(kind: str) -> bytes:
    return saved(big(), kind, save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT))], quality=95)


COLOURED = {
    "JPEG": saved(big(), "JPEG", quality=95, subsampling=0),
    "JPEG, colours thinned out": saved(big(), "JPEG", quality=95, subsampling=2),
    "progressive JPEG": saved(big(), "JPEG", quality=95, progressive=True),
    "CMYK JPEG": saved(big("CMYK"), "JPEG", quality=95, subsampling=0),
    "JPEG with a second picture": two_frames("MPO"),
    "PNG": saved(big(), "PNG"),
    "PNG with transparency": saved(big("RGBA"), "PNG"),
    "palette PNG": saved(big().quantize(4), "PNG"),
    "palette GIF": saved(big().quantize(4), "GIF"),
    "WebP": saved(big(), "WEBP", quality=95),
    "lossless WebP": saved(big(), "WEBP", lossless=True),
    "WebP with transparency": saved(big("RGBA"), "WEBP", lossless=True),
    "animated WebP": two_frames("WEBP"),
    "animated GIF": two_frames("GIF"),
    "TIFF": saved(big(), "TIFF"),
    "packed TIFF": saved(big(), "TIFF", compression="tiff_lzw"),
    "CMYK TIFF": saved(big("CMYK"), "TIFF"),
    "JPEG in a TIFF": saved(big("YCbCr"), "TIFF", compression="jpeg"),
    "BMP": saved(big(), "BMP"),
    "HEIC": saved(big(), "HEIF", quality=95),
    "HEIC with transparency": saved(big("RGBA"), "HEIF", quality=95),
    "AVIF": saved(big(), "AVIF", quality=95),
}


@pytest.mark.parametrize("kind", COLOURED)
@pytest.mark.parametrize("enough", [100, 300, 480])
def test_a_large_photo_is_reduced_to_about_what_is_enough(kind: str, enough: int) -> None:
    photo = decode(COLOURED[kind], max_pixels=10**6, enough=enough)
    assert (photo.width, photo.height) == (WIDTH, HEIGHT), "the photo keeps its own size"
    rows, columns = photo.pixels.shape[:2]
    assert enough <= columns <= enough * 1.25
    assert rows == pytest.approx(columns * HEIGHT / WIDTH, abs=1)
    assert photo.pixels.flags.c_contiguous
    assert photo.pixels.flags.writeable
    assert_upright(photo.pixels, tolerance=30)


@pytest.mark.parametrize("kind", COLOURED)
def test_a_reduced_photo_looks_as_the_whole_one_does(kind: str) -> None:
    whole = resize_to(decode(COLOURED[kind], max_pixels=10**6).pixels, 480).astype(int)
    reduced = decode(COLOURED[kind], max_pixels=10**6, enough=480).pixels.astype(int)
    assert np.abs(whole - reduced).mean() < 1


@pytest.mark.parametrize("enough", [961, 960, 800, 770, None])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "HEIC"])
def test_a_photo_hardly_larger_than_what_is_enough_is_left_as_it_is(kind: str, enough: int | None) -> None:
    assert decode(COLOURED[kind], max_pixels=10**6, enough=enough).pixels.shape == (HEIGHT, WIDTH, 3)


GREY = {
    "grey JPEG": saved(big("L"), "JPEG", quality=95),
    "grey PNG": saved(big("L"), "PNG"),
    "16-bit PNG": saved(sixteen_bit(), "PNG"),
    "16-bit TIFF": saved(sixteen_bit(), "TIFF"),
    "TIFF of fractions": saved(Image.fromarray(np.asarray(big("L")).astype(np.float32) / 255), "TIFF"),
    "TIFF of 32-bit numbers": saved(Image.fromarray(np.asarray(big("L")).astype(np.int32) * 257), "TIFF"),
    "grey PNG with transparency": saved(big("LA"), "PNG"),
}


@pytest.mark.parametrize("kind", GREY)
def test_grey_photos_are_reduced_too(kind: str) -> None:
    photo = decode(GREY[kind], max_pixels=10**6, enough=300)
    assert (photo.width, photo.height) == (WIDTH, HEIGHT)
    rows, columns = photo.pixels.shape[:2]
    assert 300 <= columns <= 375
    levels = np.asarray(big("L"))[:: HEIGHT // 2, :: WIDTH // 2]
    found = photo.pixels[rows // 4 :: rows // 2, columns // 4 :: columns // 2]
    assert np.abs(found.astype(int) - levels[:, :, None]).max() <= 3


@pytest.mark.parametrize("levels", [[0.0, 0.5, 1.0], [-1.0, 0.0, 1.0], [0.0, 100.0, 200.0], [0.0, 1.0, 60_000.0]])
def test_the_range_of_levels_is_that_of_the_whole_photo_not_of_a_part(levels: list[float]) -> None:
    # Strips are a few hundred rows of so narrow a picture.
    column = np.repeat(levels, 4000).astype(np.float32)
    pixels = decode(saved(Image.fromarray(np.repeat(column[:, None], 300, 1)), "TIFF"), max_pixels=10**8).pixels
    assert pixels[[0, 4000, 8000], 0, 0].tolist() == pytest.approx(_expected(levels), abs=1)


def _expected(levels: list[float]) -> list[float]:
    white = next(white for white in (1, 255, 65535) if max(levels) <= white)
    return [(level - min(levels)) / (white - min(levels)) * 255 for level in levels]


@pytest.mark.parametrize("orientation", ROTATED)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("enough", [120, 300, 480])
def test_a_turned_photo_is_reduced_upright(kind: str, orientation: int, enough: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = decode(saved(big().transpose(ROTATED[orientation]), kind, exif=exif), max_pixels=10**6, enough=enough)
    assert (photo.width, photo.height) == (WIDTH, HEIGHT)
    assert enough <= photo.pixels.shape[1] <= enough * 1.25
    assert_upright(photo.pixels, tolerance=40)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "HEIF", "AVIF"])
@pytest.mark.parametrize("size", [(797, 533), (401, 799), (1001, 17), (17, 1001), (5, 1600)])
def test_any_shape_can_be_reduced(kind: str, size: tuple[int, int]) -> None:
    photo = decode(saved(quarters("RGB", *size), kind), max_pixels=10**6, enough=100)
    assert (photo.width, photo.height) == size
    assert 100 <= max(photo.pixels.shape[:2]) <= 125
    assert min(photo.pixels.shape[:2]) >= 1


def test_boxes_of_the_photo_are_found_in_what_was_decoded_of_it() -> None:
    photo = decode(COLOURED["PNG"], max_pixels=10**6, enough=480)
    assert photo.at_hand((0, WIDTH, HEIGHT, 0)) == (0, 480, 320, 0)
    assert photo.at_hand((100, 300, 200, 150)) == (50, 150, 100, 75)
    top, right, bottom, left = photo.at_hand((639, 960, 640, 959))
    assert photo.pixels[top:bottom, left:right].size, "even one pixel of the photo is somewhere"
    whole = Photo.of(np.zeros((50, 70, 3), np.uint8))
    assert whole.at_hand((3, 11, 9, 7)) == (3, 11, 9, 7)


# --- what opening them costs

# What a decode may add to the process, its file included, and what the allocator keeps besides.
ALLOWED = 250 + 24

MEASURE = """
    import json, pathlib, sys
    from app.errors import NamesakeError
    from app.recognition.images import decode

    ENOUGH = 4000

    def memory(what):
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))

    small, large = map(pathlib.Path, sys.argv[1:])
    decode(small.read_bytes(), max_pixels=10**9, enough=ENOUGH)  # loads what is loaded once
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before = memory("VmRSS")
    try:
        photo = decode(large.read_bytes(), max_pixels=10**9, enough=ENOUGH)
        found = {"photo": [photo.width, photo.height], "long": max(photo.pixels.shape)}
    except NamesakeError as refusal:
        found = {"refusal": type(refusal).__name__}
    print(json.dumps(found | {"peak": memory("VmHWM") - before}))
"""

Measure = Callable[[bytes, bytes], dict[str, object]]


@pytest.fixture
def measure(tmp_path: Path) -> Measure:
    """What becomes of a file in a process of its own, and the MB that its memory peaks at above what it had."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak of a process can be read on Linux only")

    def run(small: bytes, large: bytes) -> dict[str, object]:
        (tmp_path / "small").write_bytes(small)
        (tmp_path / "large").write_bytes(large)
        command = [sys.executable, "-c", textwrap.dedent(MEASURE), str(tmp_path / "small"), str(tmp_path / "large")]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
        found: dict[str, object] = json.loads(done.stdout)
        return found

    return run


def scene(width: int, height: int, mode: str = "RGB") -> Image.Image:
    return Image.radial_gradient("L").resize((width, height)).convert(mode)


def sideways(width: int, height: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(scene(height, width), "JPEG", exif=exif)


def heic(width: int, height: int) -> bytes:
    """As phones save them: tiles of 512 pixels."""
    return saved(scene(width, height), "HEIF", quality=30, tile_size=512, enc_params={"preset": "ultrafast"})


Make = Callable[[int, int], bytes]
LARGE: dict[str, tuple[Make, int, int]] = {
    "24 megapixels, JPEG": (lambda *size: saved(scene(*size), "JPEG"), 6000, 4000),
    "37 megapixels, JPEG": (lambda *size: saved(scene(*size), "JPEG"), 7040, 5280),
    "just too small to be halved": (lambda *size: saved(scene(*size), "JPEG"), 7980, 5985),
    "48 megapixels, JPEG": (lambda *size: saved(scene(*size), "JPEG"), 8064, 6048),
    "48 megapixels, turned": (sideways, 8064, 6048),
    "48 megapixels, progressive": (lambda *size: saved(scene(*size), "JPEG", progressive=True), 8064, 6048),
    "48 megapixels, HEIC": (heic, 8064, 6048),
    "108 megapixels, JPEG": (lambda *size: saved(scene(*size), "JPEG"), 12000, 9000),
    "200 megapixels, grey": (lambda *size: saved(scene(*size, "L"), "JPEG"), 16320, 12240),
    "24 megapixels, PNG": (lambda *size: saved(scene(*size), "PNG", compress_level=1), 6000, 4000),
    "24 megapixels, transparent": (lambda *size: saved(scene(*size, "RGBA"), "PNG", compress_level=1), 6000, 4000),
    "24 megapixels, WebP": (lambda *size: saved(scene(*size), "WEBP", method=0), 6000, 4000),
    "12 megapixels, AVIF": (lambda *size: saved(scene(*size), "AVIF", speed=10), 4032, 3024),
    "12 megapixels, animated": (
        lambda *size: saved(scene(*size), "WEBP", method=0, save_all=True, append_images=[scene(*size, "L")]),
        4032,
        3024,
    ),
    "24 megapixels, TIFF": (lambda *size: saved(scene(*size), "TIFF", compression="tiff_lzw"), 6000, 4000),
    "100 megapixels, GIF": (lambda *size: saved(scene(*size, "L"), "GIF"), 12000, 8400),
}


@pytest.mark.parametrize("what", LARGE)
def test_a_large_photo_is_opened_in_bounded_memory(measure: Measure, what: str) -> None:
    make, width, height = LARGE[what]
    found = measure(make(800, 600), make(width, height))
    assert found["photo"] == [width, height]
    assert found["peak"] < ALLOWED
    assert ENOUGH * 0.5 <= found["long"] <= ENOUGH * 1.25


def png(width: int, height: int, colour: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(999))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def claiming(data: bytes, width: int, height: int) -> bytes:
    """A JPEG that says it is larger than it is."""
    frame = next(at for at in range(len(data)) if data[at] == 0xFF and data[at + 1] in (0xC0, 0xC2))
    return data[: frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]


def in_several_scans() -> bytes:
    """A JPEG, not a progressive one, that says its first scan has one layer of three."""
    data = bytearray(saved(quarters(), "JPEG"))
    data[data.index(b"\xff\xda") + 4] = 1
    return bytes(data)


def webp(width: int, height: int) -> bytes:
    data = bytearray(saved(quarters(), "WEBP", lossless=True))
    data[21:25] = (width - 1 | height - 1 << 14).to_bytes(4, "little")
    return bytes(data)


def gif(width: int, height: int) -> bytes:
    data = bytearray(saved(quarters(), "GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


def bmp(width: int, height: int) -> bytes:
    data = bytearray(saved(quarters(), "BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def tiff(width: int, height: int) -> bytes:
    one_strip = {278: height}
    data = saved(quarters(), "TIFF", compression="tiff_lzw", tiffinfo=one_strip)
    found = Image.open(io.BytesIO(data))
    assert found.tag_v2[278] == height  # type: ignore[attr-defined]
    for tag, value in ((256, width), (257, height)):
        at = next(at for at in range(8, len(data), 2) if data[at : at + 8] in (_entry(tag, 4, 1), _entry(tag, 3, 1)))
        data = data[: at + 2] + struct.pack("<HII", 4, 1, value) + data[at + 12 :]
    return data


def _entry(tag: int, kind: int, count: int) -> bytes:
    return struct.pack("<HHI", tag, kind, count)


PROGRESSIVE = {"progressive": True, "subsampling": 0}
BEYOND = {
    "a progressive JPEG, colours in full": claiming(saved(quarters(), "JPEG", **PROGRESSIVE), 8064, 6048),
    "a JPEG in several scans": claiming(in_several_scans(), 15_000, 12_000),
    "a PNG": png(12_000, 9000, 2),
    "a PNG with transparency": png(12_000, 9000, 6),
    "a WebP": webp(12_000, 9000),
    "a GIF": gif(30_000, 20_000),
    "a BMP": bmp(12_000, 9000),
    "a TIFF in one strip": tiff(8000, 6000),
    "a row of a hundred million": png(100_000_000, 1, 0),
}


@pytest.mark.parametrize("what", BEYOND)
@pytest.mark.parametrize("enough", [ENOUGH, None])
def test_what_would_not_fit_is_refused_by_its_header_in_words_that_help(what: str, enough: int | None) -> None:
    with pytest.raises(TooLarge, match=r"too much memory\. Save it as a plain JPEG"):
        decode(BEYOND[what], max_pixels=10**9, enough=enough)


@pytest.mark.parametrize("what", BEYOND)
def test_refusing_it_takes_no_memory(measure: Measure, what: str) -> None:
    found = measure(saved(quarters(), "JPEG"), BEYOND[what])
    assert found["refusal"] == "TooLarge"
    assert found["peak"] < 16


HOLLOW = {
    "a JPEG": claiming(saved(quarters(), "JPEG"), 16_000, 12_000)[:-2],
    "a PNG": png(9000, 6000, 0),
    "a GIF": gif(12_000, 9000)[:-99],
    "a BMP": bmp(7000, 5000),
    "a WebP": webp(6000, 4000),
}


@pytest.mark.parametrize("what", HOLLOW)
def test_a_tiny_file_that_claims_a_size_that_fits_is_damaged_and_stays_within_bounds(
    measure: Measure, what: str
) -> None:
    with pytest.raises(InvalidInput, match="damaged"):
        decode(HOLLOW[what], max_pixels=10**9, enough=ENOUGH)
    assert measure(saved(quarters(), "JPEG"), HOLLOW[what])["peak"] < ALLOWED


def test_a_photo_that_fits_only_reduced_further_is_reduced_further() -> None:
    data = saved(scene(7980, 5985, "L").convert("RGB"), "JPEG", quality=30)
    assert decode(data, max_pixels=10**8, enough=ENOUGH).pixels.shape[1] == 3990
    with pytest.raises(TooLarge):
        decode(data, max_pixels=10**8)


def test_what_is_seen_at_a_place_is_what_is_there() -> None:
    image = Image.new("RGB", (6000, 4000), RED)
    image.paste(BLUE, (5400, 3600, 5460, 3660))
    photo = decode(saved(image, "JPEG", quality=90, subsampling=0), max_pixels=10**8, enough=ENOUGH)
    top, right, bottom, left = photo.at_hand((3600, 5460, 3660, 5400))
    inside = photo.pixels[top + 2 : bottom - 2, left + 2 : right - 2]
    assert np.abs(inside.astype(int) - BLUE).max() < 40
    assert np.abs(photo.pixels[top - 4, left - 4].astype(int) - RED).max() < 40
    assert np.abs(photo.pixels[bottom + 3, right + 3].astype(int) - RED).max() < 40


@pytest.mark.parametrize(("longest", "expected"), [(1720, 860), (1700, 1000), (2000, 1000), (900, 900)])
def test_a_jpeg_may_come_out_a_little_smaller_than_enough_where_that_saves_much(longest: int, expected: int) -> None:
    file = io.BytesIO()
    Image.new("RGB", (longest, 40), (200, 30, 30)).save(file, "JPEG")
    photo = decode(file.getvalue(), max_pixels=10**8, enough=1000)
    assert photo.pixels.shape[1] == expected
    assert photo.width == longest
