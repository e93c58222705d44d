"""The manifest of an exported training set: what the store knows of its photos and faces, exactly, as JSON.

Encodings are base64 of 128 little-endian float32, so that they come back bit for bit. A manifest out of foreign
hands is believed in nothing: every value is checked before anything is made of it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, NoReturn

import numpy as np

from app.errors import InvalidInput
from app.store import files
from app.store.artifact import ENCODING_SIZE
from app.store.queries import Box

FORMAT = "namesake-training"
VERSION = 1
STATUSES = ("inbox", "labelled", "ignored", "not_a_face")
_HASH = re.compile(r"[0-9a-f]{64}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_NUMBERED = re.compile(r"(.+?)(_\d+)?")
_LARGEST = 1 << 63


@dataclass(frozen=True)
class ArchivedPhoto:
    """file: its name below training/ in the archive, None when the archive has none. path: what train.pickle calls
    it. named_for: the person whose name its file has."""

    file: str | None
    path: str
    sha256: str | None
    size: int | None
    width: int | None
    height: int | None
    upload_name: str | None
    named_for: str | None


@dataclass(frozen=True)
class ArchivedFace:
    """photo, twin: numbers of a photo and of another face in the manifest. decided: when it got its name. rejected:
    who it is not. vouched: the names of it that a human stands by."""

    photo: int
    box: Box
    encoding: bytes
    status: str
    person: str | None
    decided: str | None
    flaws: tuple[str, ...] | None
    low_quality: bool
    recognise: bool | None
    twin: int | None
    rejected: tuple[str, ...]
    vouched: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """Labelled faces come first, in the order of train.pickle."""

    photos: Sequence[ArchivedPhoto]
    faces: Sequence[ArchivedFace]


def safe_file_name(name: str) -> bool:
    """Whether a photo may have this name in an archive and on disk: one that this product gives."""
    path = PurePosixPath(name)
    numbered = _NUMBERED.fullmatch(path.stem)
    return (
        name == path.name
        and path.suffix.lower() in files.PHOTO_EXTENSIONS
        and numbered is not None
        and files.safe_stem(numbered[1]) == numbered[1]
    )


def dump(manifest: Manifest) -> Iterator[str]:
    """The JSON in pieces, one row a line. The same manifest gives the same text."""
    yield f'{{"format": "{FORMAT}", "version": {VERSION},\n"photos": ['
    yield from _rows(asdict(photo) for photo in manifest.photos)
    yield '],\n"faces": ['
    yield from _rows(
        asdict(face) | {"encoding": base64.b64encode(face.encoding).decode("ascii")} for face in manifest.faces
    )
    yield "]}\n"


def load(data: bytes) -> Manifest:
    """Raises InvalidInput, naming the row."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The manifest of the archive is damaged.") from error
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        raise InvalidInput("The archive is not an exported training set.")
    if tree.get("version") != VERSION:
        raise InvalidInput("The archive was written by another version, in a form this one does not know.")
    photos = [_photo(_Row(row, f"photo {n}")) for n, row in enumerate(_list(tree.get("photos"), "photos"))]
    rows = _list(tree.get("faces"), "faces")
    faces = [_face(_Row(row, f"face {n}"), len(photos), len(rows)) for n, row in enumerate(rows)]
    _check_labelled_first(faces)
    _check_unique([photo.sha256 for photo in photos], "the same photo twice")
    _check_unique([photo.file for photo in photos], "two photos of one name")
    _check_unique([photo.path for photo in photos], "two photos in one place")
    _check_unique([(face.photo, face.box) for face in faces], "the same face twice")
    return Manifest(photos, faces)


def _rows(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    separator = "\n"
    for row in rows:
        yield separator + json.dumps(row, ensure_ascii=False)
        separator = ",\n"


def _refuse(what: str) -> NoReturn:
    raise InvalidInput(f"The manifest of the archive cannot be right: {what}.")


def _check_labelled_first(faces: Sequence[ArchivedFace]) -> None:
    labelled = [face.status == "labelled" for face in faces]
    if labelled != sorted(labelled, reverse=True):
        _refuse("the faces are not in order")


def _check_unique(keys: Sequence[object], what: str) -> None:
    given = [key for key in keys if key is not None]
    if len(given) != len(set(given)):
        _refuse(f"it has {what}")


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        _refuse(f"{where} is not a list")
    return value


class _Row:
    """One row of the manifest, read field by field."""

    def __init__(self, row: object, where: str) -> None:
        if not isinstance(row, dict):
            _refuse(f"{where} is not a row")
        self._row = row
        self._where = where

    def bad(self, key: str) -> NoReturn:
        _refuse(f"{self._where} has no usable {key}")

    def get(self, key: str, fits: Callable[[Any], bool], *, optional: bool = False) -> Any:
        value = self._row.get(key)
        if value is None and optional:
            return None
        if not fits(value):
            self.bad(key)
        return value

    def names(self, key: str) -> tuple[str, ...]:
        return tuple(self.get(key, lambda value: isinstance(value, list) and all(map(_is_text, value))))


def _photo(row: _Row) -> ArchivedPhoto:
    return ArchivedPhoto(
        file=row.get("file", lambda name: _is_text(name) and safe_file_name(name), optional=True),
        path=row.get("path", lambda path: _is_text(path) and 0 < len(path) <= 1024),
        sha256=row.get(
            "sha256", lambda digest: isinstance(digest, str) and bool(_HASH.fullmatch(digest)), optional=True
        ),
        size=row.get("size", _is_count, optional=True),
        width=row.get("width", _is_count, optional=True),
        height=row.get("height", _is_count, optional=True),
        upload_name=row.get("upload_name", lambda name: _is_text(name) and safe_file_name(name), optional=True),
        named_for=row.get("named_for", _is_text, optional=True),
    )


def _face(row: _Row, photos: int, faces: int) -> ArchivedFace:
    status = row.get("status", lambda word: word in STATUSES)
    flaws = row.get("flaws", lambda words: isinstance(words, list) and all(map(_is_word, words)), optional=True)
    box = row.get("box", lambda sides: isinstance(sides, list) and len(sides) == 4 and all(map(_is_whole, sides)))
    return ArchivedFace(
        photo=row.get("photo", lambda number: _is_index(number, photos)),
        box=(box[0], box[1], box[2], box[3]),
        encoding=_encoding(row),
        status=status,
        person=row.get("person", _is_text if status == "labelled" else lambda person: person is None),
        decided=row.get("decided", lambda text: isinstance(text, str) and bool(_MOMENT.fullmatch(text)), optional=True),
        flaws=None if flaws is None else tuple(flaws),
        low_quality=row.get("low_quality", lambda value: isinstance(value, bool)),
        recognise=row.get("recognise", lambda value: isinstance(value, bool), optional=True),
        twin=row.get("twin", lambda number: _is_index(number, faces), optional=True),
        rejected=row.names("rejected"),
        vouched=row.names("vouched"),
    )


def _encoding(row: _Row) -> bytes:
    text = row.get("encoding", lambda value: isinstance(value, str))
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        row.bad("encoding")
    if len(data) != 4 * ENCODING_SIZE or not np.isfinite(np.frombuffer(data, "<f4")).all():
        row.bad("encoding")
    return data


def _is_text(value: object) -> bool:
    """Text that can be stored: a lone surrogate cannot."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[a-z_]{1,15}", value))


def _is_whole(value: object) -> bool:
    return type(value) is int and -_LARGEST <= value < _LARGEST


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < _LARGEST


def _is_index(value: object, length: int) -> bool:
    return type(value) is int and 0 <= value < length
