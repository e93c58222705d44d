"""What must hold of a home, whatever was done to its server. Read without a word of the product's own code."""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path
from typing import Any

from tests.labelling.consistency import assert_consistent, published, rows

_TABLES = ("people", "photos", "faces", "decisions", "changes", "rejections", "vouches", "calibrations")
_MOMENTS = ("created_at", "suggestion")
_INSTANCE = re.compile(
    r"(namesake|queue)\.sqlite(-wal|-shm)?|[a-z]+\.lock|secret|models|metrics|pictures|\.incoming|train\.pickle|README\.md"
)
_PICTURE = re.compile(r"(photo|face)-\d+\.jpg")

State = dict[str, Any]


def state(home: Path) -> State:
    """Everything that a change makes or leaves, but for the moments at which it did."""
    pickle = home / "instance" / "train.pickle"
    return {
        "files": tree(home / "datasets"),
        "pickle": published(home) if pickle.exists() else None,
        "revision": rows(home, "SELECT revision FROM state")[0]["revision"],
        **{table: [_timeless(row) for row in rows(home, f"SELECT * FROM {table} ORDER BY 1, 2")] for table in _TABLES},
    }


def essence(found: State) -> State:
    """The same without numbers and names that depend on the order in which photos came."""
    names = {person["id"]: person["name"] for person in found["people"]}
    photos = {photo["id"]: photo for photo in found["photos"] if photo["state"] == "live"}
    return {
        "files": sorted((path.split("/")[0], digest) for path, digest in found["files"].items()),
        "photos": sorted((photo["sha256"], photo["folder"], photo["encoded"]) for photo in photos.values()),
        "faces": sorted(
            (photos[face["photo_id"]]["sha256"], face["left"], face["status"], names.get(face["person_id"], ""))
            for face in found["faces"]
            if face["photo_id"] in photos
        ),
    }


def difference(one: State, other: State) -> str:
    """Where two states are not the same, in short."""
    return "; ".join(f"{key}: {_short(one[key], other[key])}" for key in one if one[key] != other[key])


def tree(folder: Path) -> dict[str, str]:
    """The sha256 of every file, hidden ones too, by path; backups that are made before a change are named after the
    moment, and have tests of their own."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != "archives"
    }


def age(home: Path) -> None:
    """Let two hours pass, as far as files are concerned."""
    past = time.time() - 7200
    for folder in ("instance", "datasets"):
        for path in (home / folder).rglob("*"):
            if not path.is_symlink() and ".sqlite" not in path.name:
                os.utime(path, (past, past))


def problems(home: Path) -> list[str]:
    """What is wrong with a home in which nothing is under way."""
    found = []
    try:
        assert_consistent(home)
    except (AssertionError, OSError, ValueError, EOFError) as error:
        found.append(f"inconsistent: {type(error).__name__} {str(error)[:600]}")
    return found + _photos_not_once(home) + _strays(home)


def _photos_not_once(home: Path) -> list[str]:
    """Photos of the past too."""
    there = {path: digest for path, digest in tree(home / "datasets").items() if not path.startswith("reserve/")}
    photos = rows(home, "SELECT state, folder, name, sha256 FROM photos WHERE sha256 IS NOT NULL")
    folders = {"backup": "backups", "staging": ".staging"}
    known = {f"{folders.get(photo['folder'], photo['folder'])}/{photo['name']}": photo["sha256"] for photo in photos}
    lost = [f"lost: {path}" for path in known.keys() - there.keys()]
    stray = [f"stray: {path}" for path in there.keys() - known.keys()]
    changed = [f"changed: {path}" for path in known.keys() & there.keys() if known[path] != there[path]]
    live = [photo["sha256"] for photo in photos if photo["state"] == "live"]
    doubled = [f"doubled: {digest}" for digest in set(live) if live.count(digest) > 1]
    return lost + stray + changed + doubled


def _strays(home: Path) -> list[str]:
    instance = home / "instance"
    found = [f"stray: instance/{path.name}" for path in instance.iterdir() if not _INSTANCE.fullmatch(path.name)]
    pictures = [path for path in (instance / "pictures").glob("*") if not _PICTURE.fullmatch(path.name)]
    found += [f"stray: pictures/{path.name}" for path in [*pictures, *(instance / ".incoming").glob("*")]]
    staging = home / "datasets" / ".staging"
    return found + [f"stray: .staging/{path.name}" for path in staging.glob("*") if path.is_dir()]


def _timeless(row: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in row.items() if key not in _MOMENTS}
    return kept | ({"undone_at": row["undone_at"] is not None} if "undone_at" in row else {})


def _short(one: Any, other: Any) -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [key for key in {*one, *other} if one.get(key) != other.get(key)]
        return ", ".join(f"{key}: {str(one.get(key))[:60]} / {str(other.get(key))[:60]}" for key in keys[:4])
    if isinstance(one, list) and isinstance(other, list):
        here, there = ([row for row in rows if row not in others][:2] for rows, others in ((one, other), (other, one)))
        return f"only here {here}, only there {there}"[:400]
    return f"{str(one)[:80]} / {str(other)[:80]}"
