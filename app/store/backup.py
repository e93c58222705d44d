"""The form of a backup: a folder, or a zip of the same files.

Photos are named by the sha256 of their bytes, which are checked against it; of every other file the manifest has the
hash. So a name says nothing, cannot lead outside, and the same photo is there once. A zip, because any computer opens
it and one photo comes out without the rest; nothing in it is packed, since photos do not shrink.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from app.errors import InvalidInput
from app.store import archive, files

MANIFEST, STORE, PICKLE, SETTINGS, PHOTOS = "manifest.json", "store.sqlite", "train.pickle", "config.toml", "photos/"
FORMAT = 1
BY_HAND, MERGE, RESET, RESTORE = "by hand", "merge", "reset", "restore"
_LISTED = (STORE, PICKLE, SETTINGS)
_PHOTO = re.compile(r"photos/(?P<sha256>[0-9a-f]{64})(\.[a-z0-9]{1,5})?")
_WHY = re.compile(r"[a-z ]{1,20}")
_LARGEST_MANIFEST = 1 << 16
_LARGEST_NUMBER = 10**15
_CHUNK = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself. revision: of the store, of which all of it is. photos: how many are in it.
    missing: how many more the store speaks of, whose files were gone or could not be taken in. bytes: in all.
    sha256: of every file but photos."""

    format: int
    version: str
    created: str
    why: str
    revision: int
    photos: int
    faces: int
    people: int
    missing: int
    bytes: int
    sha256: dict[str, str]

    @property
    def created_at(self) -> datetime:
        return datetime.fromisoformat(self.created.removesuffix("Z"))


def photo_name(sha256: str, file_name: str) -> str:
    """What a photo is called in a backup."""
    name = f"{PHOTOS}{sha256}{os.path.splitext(file_name)[1].lower()}"
    return name if _PHOTO.fullmatch(name) else f"{PHOTOS}{sha256}"


def photo_hash(name: str) -> str | None:
    """The sha256 that the file of this name must have; None where it is no photo."""
    found = _PHOTO.fullmatch(name)
    return found and found["sha256"]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    files.write_new(folder, json.dumps(asdict(manifest), indent=1).encode(), MANIFEST)


class Source:
    """The files of a backup, whichever form it has."""

    def __init__(self, names: set[str], opened: Callable[[str], Any], path: Path) -> None:
        self.names = names
        self.path = path
        self._opened = opened
        self.manifest = self._read_manifest()

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        with self._opened(name) as file:
            yield file

    @property
    def is_folder(self) -> bool:
        return self.path.is_dir()

    def _read_manifest(self) -> Manifest:
        if MANIFEST not in self.names:
            raise InvalidInput("This is no backup: it has no manifest.")
        with self._opened(MANIFEST) as file:
            return _manifest(file.read(_LARGEST_MANIFEST))


@contextmanager
def open_backup(path: Path) -> Iterator[Source]:
    """Raises InvalidInput for what is no backup of this product, or one of a later form."""
    if path.is_dir():
        yield Source(_names_in(path), lambda name: (path / name).open("rb"), path)
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise InvalidInput("There is no such backup, or it cannot be read.") from error
    with file, archive.open_archive(file, _belongs) as reader:
        yield Source(reader.names(), reader.open, path)


def _names_in(folder: Path) -> set[str]:
    found = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    names = {path.relative_to(folder).as_posix() for path in found if not path.is_symlink() and path.is_file()}
    if len(names) < len(found) or not all(map(_belongs, names)):
        raise InvalidInput("The backup has a file that does not belong in it.")
    return names


def _belongs(name: str) -> bool:
    return name == MANIFEST or name in _LISTED or photo_hash(name) is not None


def _manifest(data: bytes) -> Manifest:
    try:
        read = json.loads(data)
        if read.get("format") != FORMAT:
            raise InvalidInput("The backup is of a form that this program does not read: it may be of a later one.")
        manifest = Manifest(**{field.name: read[field.name] for field in fields(Manifest)})
        hashes = manifest.sha256
        numbers = (
            manifest.revision,
            manifest.photos,
            manifest.faces,
            manifest.people,
            manifest.missing,
            manifest.bytes,
        )
        texts = (manifest.version, manifest.created, manifest.why, *hashes.keys(), *hashes.values())
        if not all(type(number) is int and 0 <= number < _LARGEST_NUMBER for number in numbers):
            raise ValueError
        if not all(type(text) is str for text in texts) or manifest.created_at.tzinfo is not None:
            raise ValueError
        if not _WHY.fullmatch(manifest.why) or not hashes.keys() <= set(_LISTED):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInput("The manifest of the backup is damaged.") from error
    if STORE not in hashes:
        raise InvalidInput("The backup has no store.")
    return manifest


def copy_checked(source: Source, name: str, target: Path, sha256: str) -> bool:
    """Copy a file out of a backup, as a link where that is the same; whether it has this hash. If not, nothing is
    left of it."""
    if source.is_folder and photo_hash(name):
        files.link_or_copy(source.path / name, target)
        whole = files.sha256(target) == sha256
    else:
        digest = hashlib.sha256()
        with source.open(name) as file, target.open("xb") as copy:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                copy.write(chunk)
        whole = digest.hexdigest() == sha256
    if not whole:
        target.unlink()
    return whole


def is_whole(source: Source, name: str, sha256: str) -> bool:
    """Whether a file in a backup has this hash."""
    digest = hashlib.sha256()
    with source.open(name) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == sha256


def pack(folder: Path, target: Path, watch: Callable[[int, int], None]) -> Manifest:
    """Write a backup's folder into a zip, which only its owner may read; its manifest, without photos that are no
    longer what they were. watch: told how many photos are in, of how many."""
    manifest = _manifest((folder / MANIFEST).read_bytes())
    photos = sorted((folder / PHOTOS).iterdir())
    written, size = 0, 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        with zipfile.ZipFile(file, "w") as packed:
            for name in manifest.sha256:
                size += _add(packed, name, folder / name)
            for number, path in enumerate(photos, 1):
                # Read twice, and the second time from memory: what is in a zip cannot be taken out again.
                if files.sha256(path) == path.stem:
                    size += _add(packed, f"{PHOTOS}{path.name}", path)
                    written += 1
                watch(number, len(photos))
            missing = manifest.photos + manifest.missing - written
            manifest = Manifest(**asdict(manifest) | {"photos": written, "missing": missing, "bytes": size})
            packed.writestr(zipfile.ZipInfo(MANIFEST, _EPOCH), json.dumps(asdict(manifest), indent=1))
        file.flush()
        os.fsync(descriptor)
    return manifest


def stream(folder: Path) -> Iterator[bytes]:
    """The zip of a backup's folder, in pieces."""
    writer = archive.Writer()
    for name in sorted(_names_in(folder)):
        yield from writer.add_pieces(name, _pieces(folder / name), deflated=False)
    yield writer.finish()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _add(packed: zipfile.ZipFile, name: str, path: Path) -> int:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.external_attr = 0o600 << 16
    size = path.stat().st_size
    with path.open("rb") as source, packed.open(info, "w", force_zip64=size >= 1 << 31) as member:
        while chunk := source.read(_CHUNK):
            member.write(chunk)
    return size
