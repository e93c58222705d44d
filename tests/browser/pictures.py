"""Photos for these tests, made from the public sample: small, because looking for faces takes its time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image, ImageFilter, ImageOps

# Where the heads are in the sample photos: left, top, right, bottom.
_HEADS = {
    "obama.jpg": (215, 0, 798, 563),
    "obama2.jpg": (0, 88, 626, 824),
    "obama3.jpg": (505, 156, 1078, 729),
    "biden.jpg": (210, 0, 993, 757),
}
_BACKGROUND = (121, 138, 150)


class Pictures:
    """Makes photos in a folder. Every one has bytes of its own, so none is taken for one that was sent before."""

    def __init__(self, folder: Path, samples: dict[str, Path]) -> None:
        self._folder = folder
        self._samples = samples
        self._made = 0

    def sample(self, name: str) -> Path:
        return self._samples[name]

    def head(
        self, sample: str, *, side: int = 360, mirrored: bool = False, stretched: float = 1, name: str = ""
    ) -> Path:
        """A photo with the one face of a sample photo; stretched: by how much it is wider than it should be."""
        head = self._head(sample, side, mirrored)
        return self._save(head.resize((round(side * stretched), side)), name or sample)

    def blurred(self, sample: str) -> Path:
        """A photo with the face of a sample photo, out of focus."""
        return self._save(self._head(sample, 360, False).filter(ImageFilter.GaussianBlur(7)), sample)

    def side_by_side(self, *samples: str, side: int = 360, below: int = 0, name: str = "group.jpg") -> Path:
        """A photo with several faces, from left to right, and with so much more room below them."""
        gap = side // 5
        photo = Image.new("RGB", (gap + len(samples) * (side + gap), side + 2 * gap + below), _BACKGROUND)
        for number, sample in enumerate(samples):
            photo.paste(self._head(sample, side, False), (gap + number * (side + gap), gap))
        return self._save(photo, name)

    def sideways(self, sample: str, name: str = "sideways.jpg") -> Path:
        """As a phone writes it: turned, with an EXIF note on how to turn it back."""
        photo = self._head(sample, 360, False).crop((0, 0, 360, 340)).transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6
        return self._save(photo, name, exif=exif)

    def nobody(self, name: str = "wall.jpg") -> Path:
        return self._save(Image.linear_gradient("L").convert("RGB").resize((400, 300)), name)

    def text(self, name: str = "letter.jpg") -> Path:
        path = self._folder / name
        path.write_text("Dear all, this is not a photo.\n")
        return path

    def size(self, photo: Path) -> tuple[int, int]:
        """Width and height, upright."""
        with Image.open(photo) as opened:
            return ImageOps.exif_transpose(opened).size

    def _head(self, sample: str, side: int, mirrored: bool) -> Image.Image:
        with Image.open(self._samples[sample]) as photo:
            head = photo.convert("RGB").crop(_HEADS[sample])
        head = ImageOps.pad(head, (side, side), color=_BACKGROUND)
        return ImageOps.mirror(head) if mirrored else head

    def _save(self, photo: Image.Image, name: str, **how: Any) -> Path:
        self._made += 1
        folder = self._folder / str(self._made)
        folder.mkdir()
        photo.putpixel((0, 0), (self._made % 256, self._made // 256, 99))
        photo.save(folder / name, quality=80 + self._made % 16, **how)
        return folder / name
