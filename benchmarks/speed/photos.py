"""The photos that everything is measured on."""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from app.sample import fetch_sample

_MANY = 200
# dlib's cnn takes seconds for each.
_FEW = 48
_SMALL = (250, 250)
# So that six sample photos keep all cores busy.
_COPIES = 8


@dataclass(frozen=True)
class Photos:
    """portrait: one large face. single, group: what the big uploads are enlarged from. many, few: folders of photos
    of 250 x 250 pixels, for hog and for the cnn. note: what to say about them."""

    portrait: Path
    single: Path
    group: Path
    many: Path
    few: Path
    note: str


def gather(faces: Path, work: Path) -> Photos:
    """The photos below `faces`, or the public sample photos where there is no such folder.

    work: where copies go. Raises Unavailable when not even the sample can be had.
    """
    if faces.is_dir():
        found = sorted(faces.glob("people/*/*.jpg")) + sorted(faces.glob("strangers/*.jpg"))
        scenes = faces / "photos"
        portrait, single, group = (scenes / f"{name}.jpg" for name in ("portrait_tall", "portrait_large", "group_tv_1"))
        stand_in = ""
    else:
        sample = fetch_sample()
        found = [path for path in sample.values() if path.suffix == ".jpg"] * _COPIES
        portrait, single, group = (sample[f"{name}.jpg"] for name in ("obama", "obama2", "biden"))
        stand_in = ", all from the public sample photos, for there was no folder of others"
    many, few = (_lay_out(evenly(found, count), work / str(count)) for count in (_MANY, _FEW))
    with Image.open(portrait) as image:
        size = f"the portrait has {image.width} x {image.height} pixels"
    folders = f"the folders hold {len(below(many))} and {len(below(few))} photos of 250 x 250"
    return Photos(portrait, single, group, many, few, f"{size}, {folders}{stand_in}")


def enlarged(path: Path, megapixels: float, kind: str = "JPEG") -> bytes:
    """A photo file of so many pixels, with the content of another."""
    with Image.open(path) as image:
        factor = math.sqrt(megapixels * 1e6 / (image.width * image.height))
        larger = image.convert("RGB").resize((round(image.width * factor), round(image.height * factor)))
    data = io.BytesIO()
    larger.save(data, kind, quality=90)
    return data.getvalue()


def evenly(paths: Sequence[Path], count: int) -> list[Path]:
    """At most so many, spread over all of them."""
    step = max(1.0, len(paths) / count)
    return [paths[int(index * step)] for index in range(min(count, len(paths)))]


def below(folder: Path) -> list[Path]:
    """The photos in a folder of people."""
    return sorted(folder.glob("*/*.jpg"))


def _lay_out(paths: Sequence[Path], folder: Path) -> Path:
    """A folder of small photos as `flask encode` reads it."""
    for index, path in enumerate(paths):
        copy = folder / path.parent.name / f"{index:03}-{path.name}"
        copy.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            if image.size == _SMALL:
                shutil.copyfile(path, copy)
            else:
                # Of a portrait the upper part: there the face is. No two copies have the same bytes.
                ImageOps.fit(image.convert("RGB"), _SMALL, centering=(0.5, 0.2)).save(copy, quality=95 - index)
    return folder
