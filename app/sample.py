"""Public sample photos: those that the source package of face-recognition carries for its own tests.

They are downloaded with pip, checked, and cached outside the repository. None is part of this project.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from app.config import PROJECT, Settings
from app.errors import Conflict, Unavailable

_PACKAGE = "face-recognition==1.3.0"
_SHA256 = "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec"
_FOLDER = "tests/test_images"
_RESERVE = {
    "Barack Obama": ("obama.jpg", "obama2.jpg"),
    "Joe Biden": ("biden.jpg",),
}
CACHE = PROJECT / "instance" / "sample"


def fetch_sample(cache: Path = CACHE) -> dict[str, Path]:
    """The sample photos by file name, downloaded when they are not in the cache. Raises Unavailable."""
    if not cache.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache.parent) as folder:
            photos = Path(folder, "photos")
            _unpack(_download(Path(folder)), photos)
            try:
                photos.rename(cache)
            except OSError:
                if not cache.exists():  # else another process was faster
                    raise
    return {path.name: path for path in sorted(cache.iterdir())}


def lay_out_sample(settings: Settings) -> Path:
    """Put named sample photos into a reserve that holds nothing else; the folder of those to try next.

    Raises Conflict and Unavailable.
    """
    reserve = settings.reserve
    sample = {reserve / person / name for person, names in _RESERVE.items() for name in names}
    if any(path.is_file() and path not in sample and not path.name.startswith(".") for path in reserve.rglob("*")):
        raise Conflict("The reserve folder has photos of its own: the sample was left out. Run reset to use them.")
    photos = fetch_sample()
    for path in sorted(sample):
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(photos[path.name], path)
    return next(iter(photos.values())).parent


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", ":all:", "--dest", str(folder), _PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    packages = list(folder.glob("*.tar.gz"))
    if done.returncode or not packages:
        raise Unavailable(f"The sample photos could not be downloaded: {done.stderr.strip()[-300:]}")
    if hashlib.sha256(packages[0].read_bytes()).hexdigest() != _SHA256:
        raise Unavailable("The sample photos are not the ones expected. They were not used.")
    return packages[0]


def _unpack(package: Path, target: Path) -> None:
    target.mkdir()
    with tarfile.open(package) as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            content = archive.extractfile(member) if str(path.parent).endswith(_FOLDER) else None
            if content is not None:
                (target / path.name).write_bytes(content.read())
