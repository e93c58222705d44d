"""What must hold after whatever happened: the store, the folders and train.pickle tell one story.

The store is read with sqlite3 and the file with plain pickle, so that no code of the product vouches for itself.
"""

from __future__ import annotations

import hashlib
import pickle
import sqlite3
import struct
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

from app.labelling.workspace import Workspace

FOLDERS = ("uploads", "training")


def rows(home: Path, query: str, *values: Any) -> list[dict[str, Any]]:
    """What the store answers, without a word of the product's own queries."""
    with closing(sqlite3.connect(home / "instance" / "namesake.sqlite")) as store:
        store.row_factory = sqlite3.Row
        return [dict(row) for row in store.execute(query, values)]


def published(home: Path) -> Any:
    """train.pickle as anyone reads it."""
    return pickle.loads((home / "instance" / "train.pickle").read_bytes())


def files_in(home: Path) -> dict[str, str]:
    """The sha256 of every file in uploads and training, by path from datasets."""
    root = home / "datasets"
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in FOLDERS
        for path in (root / folder).rglob("*")
        if path.is_file()
    }


def names_in(home: Path) -> list[str]:
    """The people of train.pickle's faces, in the order of the file."""
    content = published(home)
    return [content["label_encoder"]["classes_"][face["label"]] for face in content["encodings"]]


def snapshot(home: Path) -> dict[str, Any]:
    """Everything that a change which fails must leave as it was."""
    tables = ("state", "people", "photos", "faces", "decisions", "rejections")
    path = home / "instance" / "train.pickle"
    return {
        "pickle": path.read_bytes() if path.exists() else None,
        "files": files_in(home),
        "rows": {table: rows(home, f"SELECT * FROM {table} ORDER BY 1") for table in tables},
    }


def assert_consistent(where: Workspace | Path, *, foreign: Collection[str] = ()) -> None:
    """foreign: files in the folders that are not the product's, by path from datasets."""
    home = where if isinstance(where, Path) else where.settings.home
    _assert_published(home)
    _assert_placed(home, foreign)
    hidden = [path.name for path in (home / "instance").iterdir() if path.name.startswith((".train", "journal-"))]
    assert not hidden, "something was left behind"


def _assert_published(home: Path) -> None:
    faces = rows(
        home,
        "SELECT photos.folder, photos.name AS file, top, right, bottom, left, encoding, people.name AS person"
        " FROM faces JOIN photos ON photos.id = photo_id JOIN people ON people.id = person_id"
        " WHERE photos.state = 'live' AND status = 'labelled' ORDER BY labelled_at_revision, faces.id",
    )
    if not (home / "instance" / "train.pickle").exists():
        assert not faces, "labelled faces and no train.pickle"
        return
    classes = sorted({face["person"] for face in faces})
    expected = {
        "encodings": [
            {
                "imagePath": f"datasets/{face['folder']}/{face['file']}" if face["folder"] in FOLDERS else face["file"],
                "loc": (face["top"], face["right"], face["bottom"], face["left"]),
                "encoding": list(struct.unpack("<128f", face["encoding"])),
                "label": classes.index(face["person"]),
            }
            for face in faces
        ],
        "label_encoder": {"classes_": classes},
    }
    assert published(home) == expected


def _assert_placed(home: Path, foreign: Collection[str]) -> None:
    photos = rows(
        home,
        "SELECT folder, name, sha256, EXISTS(SELECT 1 FROM faces WHERE photo_id = photos.id AND status = 'labelled')"
        " AS named FROM photos WHERE state = 'live' AND sha256 IS NOT NULL",
    )
    there = files_in(home)
    assert {f"{photo['folder']}/{photo['name']}": photo["sha256"] for photo in photos} == {
        path: digest for path, digest in there.items() if path not in foreign
    }
    assert set(foreign) <= set(there)
    for photo in photos:
        assert photo["folder"] == ("training" if photo["named"] else "uploads"), photo["name"]
