"""Backups: everything that a decision has made, of one moment, while decisions go on.

The write lock is held for as long as it takes to copy the rows and to give every photo a second name: photos never
change, so a link is as good as a copy until it is packed. Automatic backups stay as they are then, beside the photos;
those made by hand become a zip, which is a copy indeed. `archives` holds both.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row

from app.config import VERSION, table
from app.errors import Conflict
from app.labelling import archives
from app.labelling.workspace import Workspace
from app.store import backup, copying, files, jobs, people, queries, travelling
from app.store.backup import Manifest

Json = dict[str, Any]
Report = Callable[[int, int, str], None]


def back_up_first(workspace: Workspace, connection: Connection, why: str) -> str:
    """Keep what is there before a change replaces it, within that change's transaction; the name of the backup.

    why: backup.MERGE, RESET or RESTORE. Costs a link for every photo. Raises DiskFull: the change is to be given up.
    """
    with archives.partial(workspace) as folder:
        manifest, _apart = _snapshot(workspace, connection, folder, why)
        name = archives.put_in_place(workspace, folder, manifest)
    archives.prune(workspace)
    return name


def request_backup(workspace: Workspace) -> int:
    """Put a backup on the list of jobs; its id. Raises Conflict when one is under way."""
    with workspace.database.write() as connection:
        running = jobs.unfinished(connection, "backup")
        if running:
            raise Conflict("A backup is being made already.", job_url=f"/jobs/{running[0].id}/")
        return jobs.add(connection, "backup", {}, queries.count_photos(connection), "Waiting to start")


def make_backup(workspace: Workspace, report: Report) -> archives.Kept:
    """Make one by hand, in the archives."""
    with archives.partial(workspace) as folder:
        manifest = _pack(workspace, folder, folder / "packed.zip", report)
        name = archives.put_in_place(workspace, folder / "packed.zip", manifest, ".zip")
    return archives.Kept(name, archives.path_of(workspace, name), manifest)


def write_backup(workspace: Workspace, target: Path, report: Report, *, force: bool = False) -> Manifest:
    """Make one in a file of one's own, which is there whole or not at all.

    Raises Conflict when there is such a file already, unless force.
    """
    there = f"There is a file {target.name} already: choose another name, or say --force."
    if target.exists() and not force:
        raise Conflict(there)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.partial")
    with files.translate_os_errors(), archives.partial(workspace) as folder:
        try:
            manifest = _pack(workspace, folder, partial, report)
            # A link refuses what has come there meanwhile; a memory stick may know none.
            if force or not files.link(partial, target):
                os.replace(partial, target)
            files.sync_folder(target.parent)
        except FileExistsError:
            raise Conflict(there) from None
        finally:
            partial.unlink(missing_ok=True)
    return manifest


def _pack(workspace: Workspace, folder: Path, target: Path, report: Report) -> Manifest:
    with workspace.still() as connection:
        _manifest, apart = _snapshot(workspace, connection, folder, backup.BY_HAND)
    _copy_apart(workspace, folder, apart)
    with files.translate_os_errors():
        return backup.pack(folder, target, lambda done, total: report(done, total, "Packing photos"))


def _snapshot(workspace: Workspace, connection: Connection, folder: Path, why: str) -> tuple[Manifest, list[Row[Any]]]:
    """Fill a folder with everything of this moment: its manifest, and the photos that lie on another file system, which
    are not in it."""
    settings = workspace.settings
    with files.translate_os_errors():
        revision = copying.copy_store(settings.store_path, folder / backup.STORE)
        if settings.pickle_path.exists():
            shutil.copyfile(settings.pickle_path, folder / backup.PICKLE)
        files.write_new(folder, _settings(workspace).encode(), backup.SETTINGS)
        (folder / backup.PHOTOS).mkdir()
        linked, apart, missing = _link_photos(workspace, queries.photos_with_files(connection), folder)
        lists = [folder / name for name in (backup.STORE, backup.PICKLE, backup.SETTINGS) if (folder / name).exists()]
        for path in lists:
            files.sync_file(path)
        counts = queries.count_faces(connection)
        manifest = Manifest(
            format=backup.FORMAT,
            version=VERSION,
            created=travelling.as_text(queries.now()),
            why=why,
            revision=revision,
            photos=len(linked),
            faces=sum(counts.values()),
            people=people.count(connection),
            missing=missing + len({photo.sha256 for photo in apart}),
            bytes=sum(linked.values()) + sum(path.stat().st_size for path in lists),
            sha256={path.name: files.sha256(path) for path in lists},
        )
        backup.write_manifest(folder, manifest)
        files.sync_folder(folder / backup.PHOTOS)
    return manifest, apart


def _link_photos(
    workspace: Workspace, photos: Sequence[Row[Any]], folder: Path
) -> tuple[dict[str, int], list[Row[Any]], int]:
    """(the size of each photo that is in now, by hash; those that cannot be linked; how many are not there)."""
    linked: dict[str, int] = {}
    apart, missing = [], 0
    # As text: a change waits for this, and paths would take as long as the links.
    roots = {kind: str(root) for kind, root in workspace.folders.roots.items()}
    for photo in photos:
        if photo.sha256 in linked or photo.folder not in roots:
            continue
        try:
            name = backup.photo_name(photo.sha256, photo.name)
            if files.link(f"{roots[photo.folder]}/{photo.name}", f"{folder}/{name}"):
                linked[photo.sha256] = photo.size
            else:
                apart.append(photo)
        except FileNotFoundError:
            missing += 1
    return linked, apart, missing


def _copy_apart(workspace: Workspace, folder: Path, photos: Sequence[Row[Any]]) -> None:
    """Copy photos out of another file system, wherever they have moved meanwhile, while nobody waits."""
    for photo in photos:
        target = folder / backup.photo_name(photo.sha256, photo.name)
        for _attempt in range(3):
            with workspace.database.read() as connection:
                place = travelling.place_of(connection, photo.id)
            path = place and workspace.folders.path(*place)
            try:
                if path and not target.exists():
                    shutil.copyfile(path, target)
                break
            except FileNotFoundError:
                continue


def _settings(workspace: Workspace) -> str:
    """What was set in config.toml, without secrets, to be read by a person: a restore does not apply it."""
    settings = workspace.settings
    chosen = [
        name
        for name, source in sorted(settings.sources.items())
        if source == "config.toml" and not table()[name].metadata["secret"]
    ]
    return "".join(f"{name} = {json.dumps(getattr(settings, name.lower()))}\n" for name in chosen)
