"""What it takes to decode a picture: bytes of memory, judged by its header alone.

Shares are bytes a pixel, measured with Pillow 13 and pillow-heif 1.8, and rounded up.
"""

from __future__ import annotations

import math
from typing import Any

from PIL import ImageFile

# A pixel of each mode in Pillow's memory; it has four bytes in any other.
_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
# So many pixels of a picture, or a row if that has more, are brought to RGB at a time: cut out, converted and laid on
# white, which takes so many bytes for each.
_STRIP_PIXELS = 2**18
_STRIP = 16
# JPEG markers that have no length, and bytes that only look like markers.
_BARE = {0x00, 0x01, 0xFF, *range(0xD0, 0xD9)}
WEBP_LEAST = 6
"""what a pixel of any WebP takes"""
# Samples a pixel, by how far the colours of a HEIC are thinned out.
_SAMPLES = {"monochrome": 1.0, "420": 1.5, "422": 2.0}


def needed(image: ImageFile.ImageFile, data: bytes, factor: int) -> int:
    """Bytes at the height of decoding `data` to RGB reduced by a whole factor. The data itself counts."""
    width, height = image.size
    result = 3 * reduced(width, factor) * reduced(height, factor)
    strip = _STRIP * width * min(strip_rows(width, factor), height)
    peak, held = _decoder(image, data, factor)
    # What the decoder held is let go before the result is turned upright, which takes it twice.
    return int(len(data) + max(peak, held + strip + result, 2 * result))


def reduced(side: int, factor: int) -> int:
    """The length of a side reduced by a whole factor."""
    return -(-side // factor)


def strip_rows(width: int, factor: int) -> int:
    """How many rows of a picture of that width are reduced by a whole factor at a time: a multiple of it."""
    return factor * max(1, _STRIP_PIXELS // (width * factor))


def webp_canvas(data: bytes) -> tuple[int, int]:
    """(width, height) by the first chunk of a WebP (RFC 9649)."""
    match data[12:16]:
        case b"VP8X":
            return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
        case b"VP8L":
            sides = int.from_bytes(data[21:25], "little")
            return (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1
        case _:
            return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def _decoder(image: ImageFile.ImageFile, data: bytes, factor: int) -> tuple[float, float]:
    """(the most that the decoder takes, what is left of it while the result is made)"""
    width, height = image.size
    pixels = width * height
    stored = float(_STORED.get(image.mode, 4) * pixels)
    match image.format:
        case "JPEG" | "MPO":
            drafted = stored / factor**2
            return drafted + _coefficients(image, data), drafted
        case "WEBP":
            # Pillow copies the data, and OpenCV does.
            peak, held = _webp(image)
            return peak * pixels + 2 * len(data), held * pixels + 2 * len(data)
        case "AVIF":
            return _avif(image, data) * pixels, 8 * pixels
        case "HEIF":
            return _heif(image, pixels)
        case "TIFF":
            return stored + _tiff_strip(image), stored
        case "BMP" if image.tile[0].codec_name == "bmp_rle":
            return stored + 3 * pixels, stored
    return stored, stored


def _coefficients(image: Any, data: bytes) -> int:
    """What libjpeg keeps of a JPEG that comes in several scans: two bytes a sample, however small the result."""
    if not image.info.get("progressive") and _in_one_scan(data, image.layers):
        return 0
    across = max(1, *(layer[1] for layer in image.layer))
    down = max(1, *(layer[2] for layer in image.layer))
    columns, rows = reduced(image.width, 8 * across), reduced(image.height, 8 * down)
    return sum(128 * columns * layer[1] * rows * layer[2] for layer in image.layer)


def _in_one_scan(data: bytes, layers: int) -> bool:
    """Whether the first scan of a JPEG has all its layers."""
    at = 2
    while at + 5 <= len(data):
        if data[at] != 0xFF or data[at + 1] in _BARE:
            at += 1
        elif data[at + 1] == 0xDA:
            return data[at + 4] == layers
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return False


def _webp(image: Any) -> tuple[int, int]:
    if image.is_animated:
        # Two canvases, the frame as bytes, and once more in Pillow's memory.
        return 16, 12
    return (WEBP_LEAST, 3) if image.mode == "RGB" else (9, 4)


def _avif(image: Any, data: bytes) -> float:
    """What is plain, 8 bits and colours thinned out both ways, takes less. Pillow does not say."""
    configuration = data.find(b"av1C")
    plain = image.mode == "RGB" and configuration >= 0 and data[configuration + 6] & 0x7C == 0x0C
    return 9.4 if plain else 13


def _heif(image: Any, pixels: int) -> tuple[float, float]:
    """Samples as they were coded, brought to 8 bits, and to full colour; the frame as bytes; alpha."""
    chroma = str(image.info.get("chroma"))
    samples = _SAMPLES.get(chroma, 3.0)
    if image.info.get("bit_depth", 8) > 8:
        samples *= 3
    if chroma != "420":
        samples += 3
    # In tiles, as phones save it, fewer planes are there at once; decoded whole, now and then one more than needed.
    more, held = (0.3, 3.7) if image.info.get("tiling") else (1.7, 4.5)
    interleaved = 6.5 if image.mode.endswith(("A", "a")) else 3
    return (samples + interleaved + more) * pixels, held * pixels


def _tiff_strip(image: Any) -> int:
    """What libtiff unpacks at a time; and the copy that Pillow makes to turn the picture upright."""
    tags = image.tag_v2
    width, height = tags[256], tags[257]
    turned = 0 if tags.get(0x0112, 1) == 1 else _STORED.get(image.mode, 4) * width * height
    if not image.tile or image.tile[0].codec_name != "libtiff":
        return turned
    unpacked = tags[322] * tags[323] if 322 in tags else width * min(tags.get(278, height), height)
    return max(int(unpacked * math.ceil(sum(tags.get(258, (1,))) / 8)), turned)
