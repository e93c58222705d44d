"""Small pictures of every kind that is taken, with everything in them that real files have: made by the libraries that
the product reads them with, and by hand where those cannot write it."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

pillow_heif.register_heif_opener()

XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:title="A"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
SIZE = (48, 32)


@functools.cache
def seeds() -> dict[str, list[bytes]]:
    """The pictures by kind."""
    return {
        "JPEG": _jpegs(),
        "MPO": [_saved(_picture(), "MPO", save_all=True, append_images=[_picture("L").convert("RGB")])],
        "PNG": _pngs(),
        "WebP": _webps(),
        "GIF": _gifs(),
        "TIFF": _tiffs(),
        "HEIC": _heics("HEIF"),
        "AVIF": [*_heics("AVIF"), _animated("AVIF"), _saved(_picture(), "AVIF", subsampling="4:4:4")],
        "BMP": [_saved(_picture(mode), "BMP") for mode in ("RGB", "L", "P", "1", "RGBA")] + [_run_length_bmp()],
    }


def _picture(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    noise = np.random.default_rng(3).integers(0, 256, (size[1] // 4, size[0] // 4, 3), np.uint8)
    image = Image.fromarray(noise).resize(size).convert(mode)
    if "A" in image.getbands() and mode != "LAB":
        image.putalpha(Image.linear_gradient("L").resize(size))
    return image


def _saved(image: Image.Image, kind: str, **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def _animated(kind: str) -> bytes:
    return _saved(_picture(), kind, save_all=True, append_images=[_picture("L").convert("RGB")] * 2, duration=40)


def _metadata() -> dict[str, Any]:
    """Orientation, a thumbnail's worth of camera, a place; a colour profile; XMP."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0132] = 6, "Maker \N{SNOWMAN}", "2024:01:02 03:04:05"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.6), 3: "E", 4: (2.0, 17.0, 40.2)})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return {"exif": exif.tobytes(), "icc_profile": profile}


def _jpegs() -> list[bytes]:
    return [
        _saved(_picture(), "JPEG"),
        _saved(_picture(), "JPEG", progressive=True, subsampling=0),
        _saved(_picture("CMYK"), "JPEG"),
        _saved(_picture("L"), "JPEG", optimize=True),
        _saved(_picture(), "JPEG", restart_marker_blocks=2, subsampling=2, comment=b"hello"),
        _saved(_picture(), "JPEG", xmp=XMP, **_metadata()),
    ]


def _pngs() -> list[bytes]:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    info.add_text("Comment", "x" * 200, zip=True)
    sixteen = Image.fromarray(np.asarray(_picture("L")).astype(np.uint16) * 257)
    return [
        *(_saved(_picture(mode), "PNG") for mode in ("RGB", "RGBA", "P", "1", "LA")),
        _saved(sixteen, "PNG"),
        _saved(_picture(), "PNG", pnginfo=info, **_metadata()),
        _saved(_picture("L"), "PNG", transparency=3),
        _animated("PNG"),
        _interlaced_png(),
    ]


def _webps() -> list[bytes]:
    return [
        _saved(_picture(), "WEBP"),
        _saved(_picture(), "WEBP", lossless=True),
        _saved(_picture("RGBA"), "WEBP"),
        _saved(_picture(), "WEBP", xmp=XMP, **_metadata()),
        _animated("WEBP"),
    ]


def _gifs() -> list[bytes]:
    return [
        _saved(_picture("P"), "GIF", interlace=0),
        _saved(_picture("P"), "GIF", interlace=1, comment=b"hello"),
        _saved(_picture("P"), "GIF", transparency=1),
        _animated("GIF"),
    ]


def _tiffs() -> list[bytes]:
    fractions = Image.fromarray(np.asarray(_picture("L")).astype(np.float32) / 255)
    return [
        *(_saved(_picture(mode), "TIFF") for mode in ("RGB", "L", "1", "P", "CMYK", "LAB")),
        *(_saved(_picture(), "TIFF", compression=f"tiff_{how}") for how in ("lzw", "adobe_deflate")),
        _saved(_picture("YCbCr"), "TIFF", compression="jpeg"),
        _saved(_picture("1"), "TIFF", compression="group4"),
        _saved(_picture(), "TIFF", compression="packbits", tiffinfo={278: 5, 274: 3, 700: XMP}),
        _saved(Image.fromarray(np.asarray(_picture("L")).astype(np.uint16) * 257), "TIFF"),
        _saved(fractions, "TIFF"),
        _saved(_picture(), "TIFF", big_tiff=True),
        _saved(_picture(), "TIFF", save_all=True, append_images=[_picture()]),
        _tiled_tiff(),
    ]


def _heics(kind: str) -> list[bytes]:
    return [
        _saved(_picture(), kind, quality=60),
        _saved(_picture("RGBA"), kind, quality=60),
        _saved(_picture("L"), kind, quality=60),
        _saved(_picture(), kind, quality=60, xmp=XMP, **_metadata()),
        *([_saved(_picture(size=(160, 96)), kind, tile_size=64, quality=60)] if kind == "HEIF" else []),
    ]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _interlaced_png() -> bytes:
    """By Adam7, which Pillow does not write."""
    grey = np.asarray(_picture("L"))
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b"".join(
        b"\0" + row.tobytes() for top, left, down, right in passes for row in grey[top::down, left::right] if row.size
    )
    header = struct.pack(">IIBBBBB", *SIZE, 8, 0, 0, 0, 1)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


def _tiled_tiff() -> bytes:
    """Six tiles of 16 x 16, grey."""
    grey = np.asarray(_picture("L"))
    tiles = [grey[y : y + 16, x : x + 16].tobytes() for y in (0, 16) for x in (0, 16, 32)]
    tags = [(256, 48), (257, 32), (258, 8), (259, 1), (262, 1), (277, 1), (322, 16), (323, 16)]
    after = 8 + 2 + 12 * (len(tags) + 2) + 4
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags]
    entries.append(struct.pack("<HHII", 324, 4, 6, after))
    entries.append(struct.pack("<HHII", 325, 4, 6, after + 24))
    offsets = struct.pack("<6I", *(after + 48 + 256 * number for number in range(6)))
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries) + bytes(4)
    return head + offsets + struct.pack("<6I", *[256] * 6) + b"".join(tiles)


def _run_length_bmp() -> bytes:
    """Eight bits, packed, which Pillow reads but does not write."""
    rows = b"".join(bytes([48, row % 7, 0, 0]) for row in range(32)) + b"\0\1"
    palette = b"".join(bytes([grey, grey, grey, 0]) for grey in range(256))
    offset = 14 + 40 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", offset + len(rows), 0, 0, offset)
    return head + struct.pack("<IiiHHIIiiII", 40, 48, 32, 1, 8, 1, len(rows), 0, 0, 256, 0) + palette + rows
