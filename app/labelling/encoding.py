"""A labelled folder -> the entries of a train.pickle, without the store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.config import Settings
from app.errors import InvalidInput, NamesakeError
from app.labelling.labels import clean_label
from app.recognition import bulk
from app.recognition.engine import DetectedFace, Engine, most_prominent
from app.recognition.images import Photo
from app.store import files
from app.store.artifact import Entry
from app.store.partial import Finding, Partial


@dataclass
class Encoded:
    """skipped: (file, why). crowded: files with more than one face, of which the most prominent was taken. known:
    how many files did not have to be looked at."""

    entries: list[Entry] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    crowded: list[str] = field(default_factory=list)
    known: int = 0


@dataclass(frozen=True)
class _Viewed:
    label: str
    finding: Finding
    known: bool


File = tuple[Path, str]
"""with its label"""


def basis(settings: Settings, engine: Engine, method: str) -> dict[str, Any]:
    """What the encodings of a folder depend on, besides the photos."""
    return {
        "engine": engine.name,
        "method": method,
        "detect_max_side": settings.detect_max_side,
        "smallest_face": settings.smallest_face,
        "max_pixels": settings.max_pixels,
    }


def encode_folder(
    folder: Path,
    engine: Engine,
    decode: Callable[[bytes], Photo],
    partial: Partial,
    *,
    label_from: str,
    watch: Callable[[int, int], None],
) -> Encoded:
    """One entry for every photo in a folder laid out as files.label_of reads it, in the order of the names.

    The rest is as for encode_files.
    """
    found = files.labelled_files(folder, label_from)
    return encode_files(found, folder, engine, decode, partial, watch=watch)


def encode_files(
    found: Sequence[File],
    folder: Path,
    engine: Engine,
    decode: Callable[[bytes], Photo],
    partial: Partial,
    *,
    watch: Callable[[int, int], None],
) -> Encoded:
    """One entry for every photo in which there is a face.

    found: the files, all of them below folder. partial: photos it knows are not looked at; what is found in the
    others is added to it on the way. watch: told how many files are done and how many there are, without those
    known. Raises InvalidInput when there are no files.
    """
    if not found:
        raise InvalidInput("There are no files in this folder.")
    encoded = Encoded()

    def view(file: File) -> bulk.Viewing[_Viewed]:
        path, label = file
        name = clean_label(label)
        data = files.read_bytes(path)
        digest = hashlib.sha256(data).hexdigest()
        known = partial.get(digest)
        if known is not None:
            return _Viewed(name, known, known=True)
        photo = decode(data)
        faces = yield photo
        return _Viewed(name, _finding(digest, photo, faces), known=False)

    def store(outcomes: Sequence[bulk.Outcome[File, _Viewed]]) -> None:
        partial.add(viewed.finding for _file, viewed in outcomes if isinstance(viewed, _Viewed))
        for (path, _label), viewed in outcomes:
            _enter(encoded, path, str(path.relative_to(folder)), viewed)
        watch(len(encoded.entries) + len(encoded.skipped) - encoded.known, len(found) - encoded.known)

    watch(0, len(found))
    bulk.view_all(engine, found, view, store)
    return encoded


def _finding(digest: str, photo: Photo, faces: Sequence[DetectedFace]) -> Finding:
    if not faces:
        return Finding(digest, 0)
    face = faces[most_prominent([face.box for face in faces], photo.width, photo.height)]
    return Finding(digest, len(faces), face.box, face.encoding)


def _enter(encoded: Encoded, path: Path, name: str, viewed: _Viewed | NamesakeError) -> None:
    if isinstance(viewed, NamesakeError):
        encoded.skipped.append((name, viewed.message))
        return
    encoded.known += viewed.known
    finding = viewed.finding
    if finding.box is None or finding.encoding is None:
        encoded.skipped.append((name, "No face was found."))
        return
    if finding.faces > 1:
        encoded.crowded.append(name)
    encoded.entries.append(Entry(path.as_posix(), finding.box, finding.encoding, viewed.label))
