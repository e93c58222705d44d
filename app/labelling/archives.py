"""The backups kept beside the photos: folders of links, which are automatic, and zips, which were made by hand or were
brought in as a file."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import NamesakeError, NotFound
from app.labelling.workspace import Workspace
from app.store import backup, files, queries
from app.store.backup import Manifest

Json = dict[str, Any]

_NAME = re.compile(r"\d{8}-\d{6}-(?P<why>[a-z-]{1,20})-(?P<revision>\d{1,15})(-\d{1,4})?")
_BROUGHT_IN = "brought-in"
_PARTIAL = ".partial-"


@dataclass(frozen=True)
class Kept:
    """A backup in the archives."""

    name: str
    path: Path
    manifest: Manifest

    @property
    def is_brought_in(self) -> bool:
        """Whether it came as a file, be it from here or from another installation, whose numbers mean nothing here."""
        named = _NAME.fullmatch(self.name)
        return named is not None and named["why"] == _BROUGHT_IN

    @property
    def is_automatic(self) -> bool:
        """Whether it goes when there are enough newer ones."""
        return self.manifest.why != backup.BY_HAND and not self.is_brought_in


def kept(workspace: Workspace) -> list[Kept]:
    """Those brought in first, for revisions of elsewhere do not tell what is newer than what; then newest first. What
    cannot be read is passed over."""
    found = []
    root = workspace.folders.roots["archives"]
    for path in root.iterdir() if root.is_dir() else ():
        name = path.name.removesuffix(".zip")
        if _NAME.fullmatch(name):
            try:
                with backup.open_backup(path) as source:
                    found.append(Kept(name, path, source.manifest))
            except (NamesakeError, OSError):
                continue
    return sorted(found, key=_place, reverse=True)


def _place(each: Kept) -> tuple[bool, int, str]:
    return each.is_brought_in, 0 if each.is_brought_in else each.manifest.revision, each.name


def find(workspace: Workspace, name: str) -> Kept:
    """Raises NotFound."""
    found = next((each for each in kept(workspace) if each.name == name), None) if _NAME.fullmatch(name) else None
    if found is None:
        raise NotFound("There is no such backup.")
    return found


def remove(workspace: Workspace, name: str) -> None:
    """Delete one for good. Raises NotFound."""
    found = find(workspace, name)
    with files.translate_os_errors():
        _remove(found.path)


def describe(each: Kept) -> Json:
    manifest = each.manifest
    return {
        "name": each.name,
        "created": manifest.created_at,
        "why": manifest.why,
        "automatic": each.is_automatic,
        "brought_in": each.is_brought_in,
        "photos": manifest.photos,
        "faces": manifest.faces,
        "people": manifest.people,
        "missing": manifest.missing,
        "bytes": manifest.bytes,
        "url": f"/backups/{each.name}.zip",
    }


def download(each: Kept) -> Iterator[bytes]:
    """The zip of a backup, in pieces."""
    if each.path.is_dir():
        yield from backup.stream(each.path)
        return
    with each.path.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk


def prune(workspace: Workspace) -> None:
    """Let the oldest automatic ones go, beyond as many as are kept: by revision, for the clock may have been wrong."""
    root = workspace.folders.roots["archives"]
    named = [(found, path) for path in root.iterdir() if (found := _NAME.fullmatch(path.name)) and path.is_dir()]
    named.sort(key=lambda each: int(each[0]["revision"]), reverse=True)
    for _found, path in named[workspace.settings.backups_kept :]:
        _remove(path)


def _remove(path: Path) -> None:
    """Out of the list first, so that none is ever there in part."""
    gone = path.with_name(f"{_PARTIAL}{uuid.uuid4().hex}")
    path.rename(gone)
    if gone.is_dir():
        shutil.rmtree(gone, ignore_errors=True)
    else:
        gone.unlink(missing_ok=True)


def path_of(workspace: Workspace, name: str) -> Path:
    root = workspace.folders.roots["archives"]
    folder = root / name
    return folder if folder.is_dir() else root / f"{name}.zip"


@contextmanager
def partial(workspace: Workspace) -> Iterator[Path]:
    """A folder to make a backup in, gone at the end unless it has found its place. It is locked by whoever fills it, so
    that others know what a killed process has left, and remove it."""
    root = workspace.folders.roots["archives"]
    folder = root / f"{_PARTIAL}{uuid.uuid4().hex}"
    with files.translate_os_errors():
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(root):
            _sweep(root)
            folder.mkdir(mode=0o700)
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def sweep(workspace: Workspace) -> None:
    """Remove what killed processes have left of backups that they were making, or that were coming in."""
    root = workspace.folders.roots["archives"]
    if root.is_dir():
        with _locked(root):
            _sweep(root)


def _sweep(root: Path) -> None:
    for path in root.glob(f"{_PARTIAL}*"):
        if path.is_file():
            path.unlink(missing_ok=True)
            continue
        try:
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # whoever filled it is done
        try:
            if files.takes(handle):
                shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(handle)


def put_in_place(
    workspace: Workspace, made: Path, manifest: Manifest, suffix: str = "", *, brought_in: bool = False
) -> str:
    """Give a backup that is complete its name, which it returns. brought_in: it is named after when it came, not after
    when and why it was made."""
    root = workspace.folders.roots["archives"]
    when, why = (queries.now(), _BROUGHT_IN) if brought_in else (manifest.created_at, manifest.why.replace(" ", "-"))
    first = f"{when:%Y%m%d-%H%M%S}-{why}-{manifest.revision}"
    with files.translate_os_errors(), _locked(root):  # of two at a time, one would take the other's place
        taken = {path.name.removesuffix(".zip") for path in root.iterdir()}
        name, number = first, 1
        while name in taken:
            number += 1
            name = f"{first}-{number}"
        files.sync_folder(made if made.is_dir() else made.parent)
        made.rename(root / f"{name}{suffix}")
        files.sync_folder(root)
    return name
