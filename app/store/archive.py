"""The zip around a training set: written as it is sent, and read as what it may be, an attack.

Written without ever holding more than one piece of it: photos as they are, since they are compressed already, and
beyond 4 GB or 65,535 files in the 64-bit form. What is read is measured first: names that lead outside, files that
grow when unpacked, and a directory that would fill the memory are refused before anything is unpacked.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

from app.errors import InvalidInput

MANIFEST, PICKLE, TABLE, PHOTOS = "manifest.json", "train.pickle", "labels.csv", "training/"
_LISTS = (MANIFEST, PICKLE, TABLE)
_EPOCH = (1980, 1, 1, 0, 0, 0)
# JSON and pickles of encodings shrink to about half, photos do not shrink.
_GROWTH = 20
_SMALL = 16 << 20
_LARGEST_DIRECTORY = 32 << 20
_CHUNK = 1 << 20
_NO_ZIP = "The file is not a zip archive, or it is damaged."


class Writer:
    """Makes a zip piece by piece: `take` gives what has come together since it was last asked."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w")  # type: ignore[call-overload]  # a file that cannot be sought

    def add(self, name: str, data: bytes, *, deflated: bool = False) -> bytes:
        """One file; what to send on."""
        info = _info(name, deflated)
        info.file_size = len(data)
        self._zip.writestr(info, data)
        return self._sink.take()

    def add_pieces(self, name: str, pieces: Iterator[bytes], *, deflated: bool = True) -> Iterator[bytes]:
        """A file that need not be there as a whole: what to send on."""
        with self._zip.open(_info(name, deflated), "w", force_zip64=True) as file:
            for piece in pieces:
                file.write(piece)
                yield self._sink.take()
        yield self._sink.take()

    def finish(self) -> bytes:
        """The directory; what to send on."""
        self._zip.close()
        return self._sink.take()


class _Sink:
    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _info(name: str, deflated: bool) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)  # the same content gives the same bytes
    info.compress_type = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    info.external_attr = 0o644 << 16
    return info


class Reader:
    """A zip that has been looked at: the names in it are the expected ones, and unpacking it fits."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._zip = archive
        self._infos = {info.filename: info for info in archive.infolist() if info.filename != PHOTOS}

    def __contains__(self, name: str) -> bool:
        return name in self._infos

    def names(self) -> set[str]:
        return set(self._infos)

    def photo_names(self) -> set[str]:
        """The files below training/, without the sidecars."""
        below = (name.removeprefix(PHOTOS) for name in self._infos if name.startswith(PHOTOS))
        return {name for name in below if not name.endswith(".xmp")}

    def size(self, name: str) -> int:
        """In bytes, unpacked."""
        return self._infos[name].file_size

    def read(self, name: str, limit: int) -> bytes:
        """A whole file. Raises InvalidInput when it is missing, larger than `limit` bytes, or damaged."""
        if name not in self._infos:
            raise InvalidInput(f"The archive has no {name}.")
        if self.size(name) > limit:
            raise InvalidInput(f"{name} in the archive is larger than {limit:,} bytes.")
        with self.open(name) as file:
            return file.read(limit)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """A file to read from: never more than the size it has by the directory. Raises InvalidInput."""
        try:
            with self._zip.open(self._infos[name]) as file:
                yield file
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, struct.error) as error:
            raise InvalidInput(f"{name} in the archive is damaged.") from error


def _is_expected(name: str) -> bool:
    """Files of our own names only, photos in one flat folder: nothing absolute, nothing that climbs."""
    if name in _LISTS or name == PHOTOS:
        return True
    folder, slash, file = name.partition("/")
    plain = not any(character in "/\\:" or not character.isprintable() for character in file)
    return folder + slash == PHOTOS and plain and bool(file) and not file.startswith(".")


@contextmanager
def open_archive(file: BinaryIO, belongs: Callable[[str], bool] = _is_expected) -> Iterator[Reader]:
    """Raises InvalidInput for what is no zip, or none that this product has written.

    belongs: whether a file of this name may be in it.
    """
    size = file.seek(0, 2)
    if _directory_size(file, size) > _LARGEST_DIRECTORY:
        raise InvalidInput("The archive lists more files than any of ours has.")
    file.seek(0)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error, OSError) as error:
        raise InvalidInput(_NO_ZIP) from error
    with archive:
        _check(archive.infolist(), size, belongs)
        yield Reader(archive)


def _check(infos: list[zipfile.ZipInfo], archive_size: int, belongs: Callable[[str], bool]) -> None:
    names = [info.orig_filename for info in infos]
    if len(set(names)) != len(names):
        raise InvalidInput("The archive has two files of one name.")
    for info in infos:
        if not 0 <= info.header_offset < archive_size:
            raise InvalidInput(_NO_ZIP)
        if not belongs(info.orig_filename):
            raise InvalidInput(f"The archive has a file that does not belong in it: {_printable(info.orig_filename)}.")
        if info.flag_bits & 0x1:
            raise InvalidInput("The archive is encrypted: unpack it, and pack it again without a password.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InvalidInput("The archive is packed in a way that is not read here: use an ordinary zip.")
    if sum(info.file_size for info in infos) > _GROWTH * archive_size + _SMALL:
        raise InvalidInput("The archive would grow too much when unpacked, so it was not.")


def _printable(name: str) -> str:
    shown = name if len(name) <= 60 else name[:59] + "…"
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in shown)


def _directory_size(file: BinaryIO, size: int) -> int:
    """How large the directory says it is, in bytes; 0 when there is none. (PKWARE's APPNOTE 4.3.14 to 4.3.16.)"""
    start = max(0, size - 0xFFFF - 22)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        return 0
    (directory,) = struct.unpack_from("<I", tail, at + 12)
    locator = start + at - 20
    if locator >= 0:
        file.seek(locator)
        if file.read(4) == b"PK\6\7":
            (record,) = struct.unpack("<Q", file.read(12)[4:])
            if record <= size - 56:
                file.seek(record + 40)
                (directory,) = struct.unpack("<Q", file.read(8))
    return int(directory)
