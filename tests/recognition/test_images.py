from __future__ import annotations

import contextlib
import io
import struct
import subprocess
import sys
import textwrap
import threading
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from app.config import PROJECT
from app.errors import InvalidInput, TooLarge, UnsupportedType
from app.recognition.images import Pixels, crop, decode, read_header, resize_to, scale, to_jpeg

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters(mode: str = "RGB", width: int = 96, height: int = 64) -> Image.Image:
    """Red and green above blue and white, wider than high: shows how it is turned."""
    picture = np.zeros((height, width, 3), np.uint8)
    y, x = height // 2, width // 2
    picture[:y, :x], picture[:y, x:], picture[y:, :x], picture[y:, x:] = RED, GREEN, BLUE, WHITE
    return Image.fromarray(picture).convert(mode)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def opened(data: bytes) -> Pixels:
    return decode(data, max_pixels=1_000_000).pixels


def assert_upright(pixels: Pixels, tolerance: int = 12) -> None:
    height, width = pixels.shape[:2]
    corners = [(0.25, 0.25, RED), (0.25, 0.75, GREEN), (0.75, 0.25, BLUE), (0.75, 0.75, WHITE)]
    for y, x, colour in corners:
        found = pixels[int(y * height), int(x * width)].astype(int)
        assert np.abs(found - colour).max() <= tolerance, (y, x, found)


def png(width: int, height: int, bits: int = 8, colour: int = 2, pixels: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize(
    ("kind", "options", "extension"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, "jpg"),
        ("PNG", {}, "png"),
        ("WEBP", {"lossless": True}, "webp"),
        ("GIF", {}, "gif"),
        ("TIFF", {}, "tif"),
        ("BMP", {}, "bmp"),
        ("HEIF", {"quality": 95}, "heic"),
        ("AVIF", {"quality": 95}, "avif"),
    ],
)
def test_every_kind_on_the_list_is_read(kind: str, options: dict[str, object], extension: str) -> None:
    photo = decode(saved(quarters(), kind, **options), max_pixels=1_000_000)
    assert (photo.format, photo.extension, photo.width, photo.height) == (kind, extension, 96, 64)
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.flags.c_contiguous
    assert photo.pixels.flags.writeable
    assert_upright(photo.pixels)


def test_a_jpeg_with_a_second_picture_is_a_jpeg() -> None:
    photo = decode(
        saved(quarters(), "MPO", save_all=True, append_images=[Image.new("RGB", (96, 64))]), max_pixels=10**6
    )
    assert (photo.format, photo.extension) == ("JPEG", "jpg")
    assert_upright(photo.pixels)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_counts(kind: str) -> None:
    frames = [Image.new("RGB", (96, 64), "black")]
    assert_upright(opened(saved(quarters(), kind, save_all=True, append_images=frames)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = quarters()
    if orientation in undo:
        image = image.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = opened(saved(image, kind, exif=exif))
    assert pixels.shape == (64, 96, 3)
    assert_upright(pixels, tolerance=40)


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_a_turned_phone_photo_is_turned_once(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = quarters().transpose(Image.Transpose.ROTATE_90)
    pixels = opened(saved(turned, kind, exif=exif.tobytes(), quality=95))
    assert pixels.shape == (64, 96, 3)
    assert_upright(pixels, tolerance=40)


@pytest.mark.parametrize("mode", ["RGB", "P", "CMYK", "RGBA"])
def test_colour_modes_keep_their_colours(mode: str) -> None:
    assert_upright(opened(saved(quarters(mode), "TIFF")))


def test_a_cmyk_jpeg_is_not_a_negative() -> None:
    assert_upright(opened(saved(quarters("CMYK"), "JPEG", quality=95, subsampling=0)), tolerance=30)


def test_a_palette_gif_keeps_its_colours() -> None:
    image = quarters().quantize(4)
    assert_upright(opened(saved(image, "GIF")))


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_becomes_three_equal_channels(mode: str) -> None:
    pixels = opened(saved(Image.new(mode, (5, 4), 1 if mode == "1" else 77), "PNG"))
    assert np.all(pixels == (255 if mode == "1" else 77))
    assert pixels.shape == (4, 5, 3)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_not_clipped(kind: str) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    pixels = opened(saved(Image.fromarray(ramp), kind))
    assert np.array_equal(pixels[:, :, 0].ravel(), np.arange(256))


def test_sixteen_bit_colour_is_scaled() -> None:
    row = b"\x00" + struct.pack(">6H", 65535, 0, 0, 0, 32896, 65535)
    assert opened(png(2, 1, bits=16, pixels=row)).tolist() == [[[255, 0, 0], [0, 128, 255]]]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 200.0], [0, 100, 200]),
        ([0.0, 32896.0, 65535.0], [0, 128, 255]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([np.nan, np.inf, 1.0], [0, 0, 255]),
    ],
)
def test_float_levels_are_scaled_to_the_range_they_fill(levels: list[float], expected: list[int]) -> None:
    image = Image.fromarray(np.array([levels], np.float32))
    assert opened(saved(image, "TIFF"))[0, :, 0].tolist() == expected


def test_whole_numbers_of_32_bits_are_scaled() -> None:
    image = Image.fromarray(np.array([[0, 32896, 65535]], np.int32))
    assert opened(saved(image, "TIFF"))[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_becomes_white(mode: str) -> None:
    assert np.all(opened(saved(Image.new(mode, (3, 3), 0), "PNG")) == 255)


def test_a_transparent_colour_of_a_palette_becomes_white() -> None:
    image = Image.new("P", (3, 3), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    assert np.all(opened(saved(image, "GIF", transparency=0)) == 255)


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1)])
def test_a_picture_one_pixel_wide_is_a_picture(size: tuple[int, int]) -> None:
    assert opened(saved(Image.new("RGB", size), "PNG")).shape == (size[1], size[0], 3)


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (0, 0)])
def test_a_picture_without_pixels_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InvalidInput):
        opened(png(*size))


def test_no_data_is_refused_as_empty() -> None:
    with pytest.raises(InvalidInput, match=r"^The file is empty\.$"):
        opened(b"")


@pytest.mark.parametrize("data", [b"Dear diary,\n", b"<html></html>", b"\x00", b"\xff\xd8", b"%PDF-1.7", bytes(999)])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="not an image"):
        opened(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "HEIF", "AVIF"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.9])
def test_a_file_cut_short_is_refused(kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = saved(Image.fromarray(noise), kind)
    with pytest.raises(InvalidInput, match="damaged"):
        opened(data[: int(share * len(data))])


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_file_cut_short_is_refused_even_after_another_library_has_asked_pillow_to_accept_it(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = saved(Image.fromarray(noise), kind)
    half = data[: len(data) * 3 // 4]
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    Image.open(io.BytesIO(half)).load()
    with pytest.raises(InvalidInput):
        opened(half)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "HEIF", "AVIF"])
def test_a_file_with_flipped_bytes_is_read_or_refused_and_nothing_else(kind: str) -> None:
    rng = np.random.default_rng(1)
    data = np.frombuffer(saved(quarters(), kind), np.uint8)
    for _ in range(60):
        damaged = data.copy()
        damaged[rng.integers(0, len(data), 8)] = rng.integers(0, 256, 8)
        with contextlib.suppress(InvalidInput, TooLarge, UnsupportedType):
            assert opened(damaged.tobytes()).shape[2] == 3


@pytest.mark.parametrize("kind", ["ICO", "PPM", "PCX", "JPEG2000", "EPS", "ICNS"])
def test_images_of_other_kinds_are_unsupported(kind: str) -> None:
    with pytest.raises(UnsupportedType, match="JPG"):
        opened(saved(quarters(), kind))


def test_a_photoshop_file_is_unsupported() -> None:
    header = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 4, 4, 8, 3)
    with pytest.raises(UnsupportedType):
        opened(header + bytes(12) + b"\x00\x00" + bytes(48))


@pytest.mark.parametrize("side", [9_000, 15_000, 30_000])
def test_a_bomb_is_refused_by_its_header_without_memory_or_warning(side: int) -> None:
    data = png(side, side, pixels=bytes(10_000))
    assert len(data) < 5_000
    tracemalloc.start()
    with pytest.raises(TooLarge, match=f"{side} x {side}"):
        decode(data, max_pixels=50_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_the_limit_is_the_number_of_pixels_and_includes_itself() -> None:
    data = saved(quarters(), "PNG")
    assert decode(data, max_pixels=96 * 64).width == 96
    with pytest.raises(TooLarge):
        decode(data, max_pixels=96 * 64 - 1)


def test_broken_exif_costs_the_orientation_not_the_photo() -> None:
    assert_upright(opened(broken_exif()))


def test_threads_decoding_at_once_leave_the_warning_filters_as_one_does() -> None:
    data = saved(quarters(), "PNG")
    opened(data)
    before = list(warnings.filters)
    threads = [threading.Thread(target=lambda: [opened(data) for _ in range(20)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


def test_two_photos_are_decoded_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2)
    prepare = PngImagePlugin.PngImageFile.load_prepare

    def meet(image: PngImagePlugin.PngImageFile) -> None:
        # Who waits alone for a minute will wait for ever: one decode keeps the other out.
        both.wait(timeout=60)
        prepare(image)

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load_prepare", meet)
    data = saved(quarters(), "PNG")
    with ThreadPoolExecutor(2) as pool:
        for pixels in pool.map(opened, [data, data]):
            assert_upright(pixels)


def broken_animation() -> bytes:
    """A PNG that says it is animated, with no frames: Pillow warns, and takes it for a plain one."""
    data = saved(quarters(), "PNG")
    body = b"acTL" + bytes(8)
    return data[:33] + struct.pack(">I", 8) + body + struct.pack(">I", zlib.crc32(body)) + data[33:]


def broken_exif() -> bytes:
    broken = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff" + b"\x12\x01\x03\x00" + bytes(10)
    return saved(quarters(), "JPEG", exif=broken, quality=95, subsampling=0)


WARNED_OF = {"a broken animation": broken_animation(), "broken EXIF": broken_exif()}


@pytest.mark.parametrize("what", WARNED_OF)
def test_pillow_does_warn_of(what: str) -> None:
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        Image.open(io.BytesIO(WARNED_OF[what])).getexif()
    assert given


@pytest.mark.parametrize("what", WARNED_OF)
@pytest.mark.parametrize("filters", ["error", "always", "default"])
def test_what_pillow_warns_of_is_no_error_and_is_not_heard(what: str, filters: str) -> None:
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter(filters)  # type: ignore[arg-type]
        assert_upright(opened(WARNED_OF[what]))
        assert read_header(WARNED_OF[what]).size == (96, 64)
    assert not given


@pytest.mark.parametrize("filters", ["error", "always"])
def test_nothing_is_printed_however_python_was_started(tmp_path: Path, filters: str) -> None:
    files = []
    for name, data in {
        **WARNED_OF,
        "half": saved(quarters(), "WEBP")[:-9],
        "cut": saved(quarters(), "TIFF")[:-9],
    }.items():
        files.append(tmp_path / name)
        files[-1].write_bytes(data)
    code = """
        import sys, pathlib
        from app.errors import InvalidInput
        from app.recognition.images import decode
        for name in sys.argv[1:]:
            try:
                print(decode(pathlib.Path(name).read_bytes(), max_pixels=10**6).width)
            except InvalidInput:
                print("refused")
    """
    command = [sys.executable, "-W", filters, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(code)]
    done = subprocess.run([*command, *map(str, files)], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["96", "96", "refused", "refused"]
    assert done.stderr == ""


def test_resizing_bounds_the_long_side_and_leaves_small_pictures_alone() -> None:
    pixels = np.zeros((50, 200, 3), np.uint8)
    assert resize_to(pixels, 100).shape == (25, 100, 3)
    assert resize_to(pixels, 200) is pixels
    assert resize_to(np.zeros((1, 5000, 3), np.uint8), 100).shape == (1, 100, 3)


def test_scaling_keeps_a_pixel_each_way() -> None:
    assert scale(np.zeros((1, 1, 3), np.uint8), 0.1).shape == (1, 1, 3)
    assert scale(np.zeros((10, 20, 3), np.uint8), 2).shape == (20, 40, 3)


@pytest.mark.parametrize(
    "box",
    [
        (10, 30, 30, 10),
        (-50, 20, 20, -50),
        (40, 500, 90, 60),
        (900, 950, 950, 900),
        (20, 20, 20, 20),
        (30, 10, 10, 30),
        (-999, 999, 999, -999),
    ],
)
@pytest.mark.parametrize("shape", [(64, 96), (1, 96), (64, 1), (1, 1)])
def test_a_crop_never_fails(box: tuple[int, int, int, int], shape: tuple[int, int]) -> None:
    chip = crop(np.zeros((*shape, 3), np.uint8), box, side=32)
    assert chip.shape == (32, 32, 3)
    assert chip.flags.c_contiguous


def test_a_crop_shows_what_is_in_the_box() -> None:
    pixels = np.array(quarters())
    assert np.all(crop(pixels, (4, 28, 28, 4), margin=0.0, side=10) == RED)
    assert np.all(crop(pixels, (36, 90, 60, 66), margin=0.1, side=10) == WHITE)


def test_a_crop_has_a_margin_on_each_side() -> None:
    pixels = np.zeros((200, 200, 3), np.uint8)
    pixels[80:120, 80:120] = 255
    chip = crop(pixels, (80, 120, 120, 80), margin=0.5, side=80)
    assert np.all(chip[22:58, 22:58] == 255)
    assert np.all(chip[:18] == 0)
    assert np.all(chip[:, 62:] == 0)


def test_a_jpeg_made_here_has_no_metadata() -> None:
    image = Image.open(io.BytesIO(to_jpeg(np.array(quarters()))))
    assert (image.format, image.size) == ("JPEG", (96, 64))
    assert not image.getexif()


@pytest.mark.parametrize("field", [16, 24])
def test_a_heic_whose_pixels_are_of_another_size_than_it_says_is_damaged(field: int) -> None:
    """Boxes would lie elsewhere than the faces: its clean aperture, which libheif applies to the one and not the other,
    lies outside of the picture."""
    data = bytearray(saved(quarters("RGB", 48, 32), "HEIF"))
    at = data.index(b"clap") + 4 + field
    data[at : at + 4] = b"\xbf\xff\xff\xf0"
    with pytest.raises(InvalidInput, match="damaged"):
        decode(bytes(data), max_pixels=1_000_000)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_the_size_by_the_header_is_the_size_once_decoded(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(quarters(), kind, exif=exif.tobytes())
    photo = decode(data, max_pixels=1_000_000)
    assert read_header(data).size == (photo.width, photo.height)
