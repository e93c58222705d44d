"""Photos on disk: safe names, labels read from names, and moves that a crash cannot leave half done.

Every move is written to a journal first, together with the revision that the change will have once it is
committed. Whoever finds a journal knows what to do: the store has that revision, so the moves are right and the
journal is out of date; or it has not, so they are put back.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import unicodedata
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from app.errors import Conflict, DiskFull, InvalidInput, Unavailable

PHOTO_EXTENSIONS = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".heic", ".heif", ".avif"
}  # fmt: skip
SIDECAR_EXTENSION = ".xmp"
INCOMING, PARTIAL = ".incoming-", ".partial-"
"""how the names of files begin that are not complete"""
_MAX_STEM_BYTES = 120
_RESERVED = re.compile(r"(con|prn|aux|nul|com[\d¹²³]|lpt[\d¹²³])(\..*)?", re.IGNORECASE)
_NUMBERED = re.compile(r"(?P<label>.*?)[\s_.\-]*(\(\d+\)|\d+)")


@dataclass(frozen=True)
class Folders:
    """Where each kind of file lives. `written` holds the folders as the settings spell them, for image paths."""

    roots: dict[str, Path]
    written: dict[str, str]

    @classmethod
    def below(cls, home: Path, *, uploads: str, training: str, reserve: str) -> Folders:
        written = {"uploads": uploads, "training": training, "reserve": reserve}
        written["backup"] = str(PurePosixPath(training).parent / "backups")
        written["archives"] = str(PurePosixPath(training).parent / "archives")
        written["staging"] = str(PurePosixPath(training).parent / ".staging")
        return cls({kind: home / folder for kind, folder in written.items()}, written)

    def make(self) -> None:
        for kind in ("uploads", "training", "reserve"):
            make_folder(self.roots[kind])

    def path(self, folder: str, name: str) -> Path | None:
        """The file of a photo; None when it is known from an adopted pickle only."""
        return self.roots[folder] / name if folder in self.roots else None

    def image_path(self, folder: str, name: str) -> str:
        """What the outside calls a photo, such as datasets/uploads/photo.jpg."""
        return str(PurePosixPath(self.written[folder]) / name) if folder in self.written else name

    def parse(self, image_path: str) -> tuple[str, str]:
        """The (folder, name) that an image path stands for: to look up in the store, never to open."""
        path = PurePosixPath(image_path.replace("\\", "/"))
        for kind in ("uploads", "training"):
            for root in (PurePosixPath(self.written[kind]), PurePosixPath(self.roots[kind].as_posix())):
                if path.parent == root:
                    return kind, path.name
        return "elsewhere", str(path)


def safe_stem(text: str, fallback: str = "photo") -> str:
    """A file name's stem that keeps every script and nothing that a file system or a shell could mind."""
    text = unicodedata.normalize("NFC", text)
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" or c in " -_'.,&" else "_" for c in text)
    kept = kept.encode()[:_MAX_STEM_BYTES].decode(errors="ignore").strip(" .").lstrip("-. ")
    if not kept.strip(" ._-"):
        return fallback
    return f"{fallback}_{kept}" if _RESERVED.fullmatch(kept) else kept


def free_name(root: Path, stem: str, extension: str, taken: Iterable[str] = ()) -> str:
    """`stem.ext`, or the first of `stem_2.ext`, `stem_3.ext`... that neither exists nor is in `taken`."""
    taken = {name.casefold() for name in taken}
    number = 1
    while True:
        name = f"{stem}.{extension}" if number == 1 else f"{stem}_{number}.{extension}"
        if name.casefold() not in taken and not (root / name).exists():
            return name
        number += 1


def numbered_name(root: Path, stem: str, extension: str, taken: Collection[str] = ()) -> str:
    """`stem_01.ext`, `stem_02.ext`... with the first number that no file and nothing in `taken` has.

    A number is a person's, whatever the format: `ana_01.jpg` and `ana_01.png` would be two first photos of Ana.
    """
    stems = {name.rpartition(".")[0].casefold() for name in taken}
    number = len(stems) + 1
    while True:
        name = f"{stem}_{number:02d}.{extension}"
        if name.rpartition(".")[0].casefold() not in stems and not (root / name).exists():
            return name
        number += 1


def label_of(path: PurePosixPath, label_from: str = "person") -> str:
    """The label in the name of a file, given relative to the labelled folder.

    label_from: "person" takes the folder (`alice/any.jpg`), else the stem without its trailing number
    (`alice_01.jpg`, `alice (3).jpg` -> alice); "stem" takes the stem as it is.
    """
    if label_from == "stem":
        return path.stem
    if len(path.parts) > 1:
        return path.parts[0]
    numbered = _NUMBERED.fullmatch(path.stem)
    return numbered["label"] if numbered and numbered["label"] else path.stem


def labelled_files(root: Path, label_from: str = "person") -> list[tuple[Path, str]]:
    """Every file below `root` that is not hidden, in a fixed order, with its label; not the sidecars of photos."""
    found = []
    for path in sorted(root.rglob("*")):
        relative = PurePosixPath(path.relative_to(root).as_posix())
        hidden = any(part.startswith(".") for part in relative.parts)
        if path.is_file() and not hidden and path.suffix.lower() != SIDECAR_EXTENSION:
            found.append((path, label_of(relative, label_from)))
    return found


def photo_count(root: Path) -> tuple[int, int]:
    """(photos, people) in a labelled folder, judged by the names alone."""
    labels = [label for path, label in labelled_files(root) if path.suffix.lower() in PHOTO_EXTENSIONS]
    return len(labels), len(set(labels))


def read_bytes(path: Path) -> bytes:
    """A file that someone else put there. Raises InvalidInput."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput("The file cannot be read.") from error


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def takes(lock: int | IO[str]) -> bool:
    """Take a file's lock if nobody has it. It goes with whoever closes the file, or dies."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make what is in a file survive a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def make_folder(folder: Path) -> None:
    """Make a folder, and those it lies in, that survive a power cut: a photo in one that does not is gone with it."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def copy(source: Path, target: Path) -> None:
    """Copy a file so that the copy survives a power cut; its name is left to the caller. Raises OSError, and then there
    is no copy."""
    try:
        shutil.copy2(source, target)
        sync_file(target)
    except BaseException:
        discard(target)
        raise


def discard(path: Path) -> None:
    """Remove what is not complete, or not needed any more; where the disk will not, reconcile does one day. Never
    raises, for the reason why it is not needed is what counts."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def write_new(folder: Path, data: bytes, name: str | None = None, *, one_of_many: bool = False) -> Path:
    """Write a file that survives a power cut, hidden unless it is given a name.

    one_of_many: the folder is left to the caller, to be made to survive once for all.
    """
    path = folder / (name or f"{INCOMING}{uuid.uuid4().hex}")
    with translate_os_errors():
        make_folder(folder)
        file = path.open("xb")
        try:
            with file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if not one_of_many:
                sync_folder(folder)
        except BaseException:
            discard(path)
            raise
    return path


def link(source: Path | str, target: Path | str) -> bool:
    """Give a file that never changes another name; False where the file system cannot. Raises other OSErrors."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            return False
        raise
    return True


def link_or_copy(source: Path, target: Path) -> None:
    """Have a file that never changes in another place, too. Raises OSError."""
    if not link(source, target):
        shutil.copyfile(source, target)


@contextmanager
def translate_os_errors() -> Iterator[None]:
    """Say what the disk will not do without saying where."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("The disk is full. Nothing was changed.") from error
        if error.errno == errno.ENOENT:
            raise Conflict("The file of this photo is gone. Upload it again; nothing was changed.") from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise Unavailable("The folders of this installation cannot be written to. Nothing was changed.") from error
        raise


class Journal:
    """The moves of one change, in a file named after the revision the change will have.

    folder: the installation's `instance`. What lies beside it is written down as seen from there, for a home that is
    copied with a journal in it must not reach into the one it was copied from. Only the holder of the store's write
    lock moves files, so at most one journal is ever unsettled.
    """

    def __init__(self, folder: Path, revision: int) -> None:
        self._path = folder / f"journal-{revision}.jsonl"
        self._home = folder.parent
        self._moves: list[tuple[Path, Path]] = []

    def open(self) -> None:
        """From here on a crash is noticed by whoever changes something next."""
        if not self._path.exists():
            self._append([])
            sync_folder(self._path.parent)

    def move(self, moves: Sequence[tuple[Path, Path]]) -> None:
        """Move files in this order, after writing down how to undo it. A destination must not exist, unless an
        earlier move takes away what is there."""
        vacated = {source for source, _target in moves}
        with translate_os_errors():
            for _source, target in moves:
                if target.exists() and target not in vacated:
                    raise FileExistsError(target)
            self.open()
            self._append([{"from": self._from_home(source), "to": self._from_home(target)} for source, target in moves])
            for source, target in moves:
                make_folder(target.parent)
                self._moves.append((source, target))
                _rename(source, target)
            for folder in {path.parent for move in moves for path in move}:
                sync_folder(folder)

    def undo(self) -> None:
        """Put every file back."""
        _put_back(self._moves)
        self._moves = []

    def close(self) -> None:
        """Nothing is under way any more."""
        self._path.unlink(missing_ok=True)

    @staticmethod
    def settle(folder: Path, committed_revision: int) -> bool:
        """Settle what killed processes left. True when a change had not been committed and was put back."""
        interrupted = False
        for path in folder.glob("journal-*.jsonl"):
            if int(path.stem.removeprefix("journal-")) > committed_revision:
                interrupted = True
                _put_back([(folder.parent / line["from"], folder.parent / line["to"]) for line in _json_lines(path)])
            path.unlink(missing_ok=True)
        return interrupted

    def _from_home(self, path: Path) -> str:
        return str(path.relative_to(self._home) if path.is_relative_to(self._home) else path)

    def _append(self, lines: list[dict[str, str]]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())


def _json_lines(path: Path) -> Iterator[dict[str, str]]:
    for line in path.read_text("utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return  # cut off by the crash: the move it would have named had not begun


def _rename(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # Another file system: the copy is complete before the original goes.
        partial = target.with_name(f"{PARTIAL}{target.name}")
        copy(source, partial)
        partial.rename(target)
        sync_folder(target.parent)
        source.unlink()


def _put_back(moves: list[tuple[Path, Path]]) -> None:
    vacated = {source for source, _target in moves}  # what is there may be the file that has not moved yet
    for source, target in reversed(moves):
        if not target.exists():
            continue
        if not source.exists():
            make_folder(source.parent)
            _rename(target, source)
        elif target not in vacated and target.is_file() and source.is_file() and sha256(target) == sha256(source):
            target.unlink()  # copied to another file system, and killed before the original went
        sync_folder(source.parent)
