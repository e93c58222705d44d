"""Pictures of squares as a camera stores them: turned, with the EXIF orientation that turns them back."""

from __future__ import annotations

import io

from PIL import Image

from tests.labelling.squares import picture

_TURN = Image.Transpose
# What turns the upright picture into the stored one.
TURNS = {
    1: None,
    2: _TURN.FLIP_LEFT_RIGHT,
    3: _TURN.ROTATE_180,
    4: _TURN.FLIP_TOP_BOTTOM,
    5: _TURN.TRANSPOSE,
    6: _TURN.ROTATE_90,
    7: _TURN.TRANSVERSE,
    8: _TURN.ROTATE_270,
}


def turned_picture(orientation: int, *people: str | None, take: int = 0, xmp: bytes | None = None) -> bytes:
    """As squares.picture, stored as a camera held that way stores it."""
    upright = Image.open(io.BytesIO(picture(*people, take=take)))
    turn = TURNS[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    more = {} if xmp is None else {"xmp": xmp}
    stored.save(file, "WEBP", lossless=True, exact=True, exif=exif, **more)
    return file.getvalue()


def stored_colour(data: bytes, x: float, y: float) -> tuple[int, ...]:
    """The colour at a share of the width and height of the picture as it is stored, EXIF left alone."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    found = image.getpixel((int(x * image.width), int(y * image.height)))
    assert isinstance(found, tuple)
    return found
