"""A labelled folder -> the entries of a train.pickle, without the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import InvalidInput, NamesakeError
from app.labelling.labels import clean_label
from app.recognition import images
from app.recognition.engine import Engine, most_prominent
from app.store import files
from app.store.artifact import Entry


@dataclass
class Encoded:
    """skipped: (file, why). crowded: files with more than one face, of which the most prominent was taken."""

    entries: list[Entry] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    crowded: list[str] = field(default_factory=list)


def encode_folder(
    folder: Path, engine: Engine, *, label_from: str, max_pixels: int, each: Callable[[str], None]
) -> Encoded:
    """One entry for every photo in a folder laid out as files.label_of reads it.

    each: called with a file's name before it is read. Raises InvalidInput when the folder has no files.
    """
    found = files.labelled_files(folder, label_from)
    if not found:
        raise InvalidInput("There are no files in this folder.")
    encoded = Encoded()
    for path, label in found:
        name = str(path.relative_to(folder))
        each(name)
        try:
            photo = images.decode(files.read_bytes(path), max_pixels=max_pixels)
            label = clean_label(label)
            faces = engine.faces(photo.pixels)
        except NamesakeError as error:
            encoded.skipped.append((name, error.message))
            continue
        if not faces:
            encoded.skipped.append((name, "No face was found."))
            continue
        if len(faces) > 1:
            encoded.crowded.append(name)
        face = faces[most_prominent([face.box for face in faces], photo.width, photo.height)]
        encoded.entries.append(Entry(path.as_posix(), face.box, face.encoding, label))
    return encoded
