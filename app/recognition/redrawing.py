"""A photo drawn anew: the same picture in a file that says nothing else."""

from __future__ import annotations

import io

from PIL import Image

from app.recognition import decoder

_LOSSLESS = ("PNG", "BMP", "GIF", "TIFF")
_QUALITY = 95


def redraw(data: bytes, *, max_pixels: int) -> tuple[bytes, str]:
    """(the file, how such files end): the pixels of a photo, upright and in full size, and nothing besides: no place,
    no camera, no date, no colour profile, no second picture. What was kept without loss stays so.

    Raises what decoder.decode raises.
    """
    photo = decoder.decode(data, max_pixels=max_pixels)
    drawn = Image.fromarray(photo.pixels)
    out = io.BytesIO()
    if photo.format in _LOSSLESS:
        drawn.save(out, "PNG")
        return out.getvalue(), "png"
    drawn.save(out, "JPEG", quality=_QUALITY, subsampling=0)
    return out.getvalue(), "jpg"
