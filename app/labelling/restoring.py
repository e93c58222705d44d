"""Putting a backup in the place of what is there.

Everything is unpacked and checked first, in the staging folder. Then one change of the workspace does it: rows, photos
and train.pickle become those of the backup together or not at all, as with any decision, so that workers may go on
serving meanwhile and a kill at any moment leaves the old or the new. What is there before is kept as an automatic
backup, and only then does its last copy go.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from app.errors import Conflict
from app.labelling import archives, backups, disposing, verifying
from app.labelling.verifying import Report
from app.labelling.wording import many
from app.labelling.workspace import Work, Workspace
from app.store import backup, copying, files, jobs, people, queries, staging

Json = dict[str, Any]

_PREFIX = "restore-"
_SUPERSEDED = "A backup was restored while this waited or was under way. What it had not done yet was dropped."


def request_restore(workspace: Workspace, name: str) -> int:
    """Put the restore of a backup in the archives on the list of jobs; its id. Raises NotFound and Conflict."""
    found = archives.find(workspace, name)
    with workspace.database.write() as connection:
        running = jobs.unfinished(connection, "restore")
        if running:
            raise Conflict("A restore is under way already.", job_url=f"/jobs/{running[0].id}/")
        return jobs.add(connection, "restore", {"name": name}, found.manifest.photos, "Waiting to start")


def restore(workspace: Workspace, path: Path, report: Report, job_id: int | None = None) -> Json:
    """Do it: {"photos", "faces", "people", "missing", "before": the name of the automatic backup}.

    job_id: the job that asked for it; other work that waits is dropped, for it is about what was there before. Raises
    InvalidInput, UnsafePickle, TooLarge or DiskFull, saying what is wrong: nothing was changed then.
    """
    with workspace.database.read() as connection:
        done = [
            row for row in queries.decisions_of_kind(connection, "restore") if job_id and row.after["job"] == job_id
        ]
    if done:  # killed after the switch
        return {key: done[0].after[key] for key in ("photos", "faces", "people", "missing", "before")}
    with (
        _staging(workspace) as folder,
        backup.open_backup(path) as source,
        verifying.unpacked(workspace, source, folder, report) as copy,
    ):
        report(source.manifest.photos, source.manifest.photos, "Switching over")
        result = _Switch(workspace, folder, copy, job_id).make()
    disposing.dispose(workspace)
    return result


@dataclass
class _Switch:
    """folder: where the backup is unpacked. copy: its store."""

    workspace: Workspace
    folder: Path
    copy: Connection
    job_id: int | None
    dropped: list[int] = field(default_factory=list)

    def make(self) -> Json:
        workspace, copy = self.workspace, self.copy
        with workspace.changing(epoch=True, above=queries.revision(copy)) as work:
            before = backups.back_up_first(workspace, work.connection, backup.RESTORE)
            arriving, missing = self._arriving(work)
            work.move(*disposing.moves_of_everything(workspace, work.connection, work.revision), *arriving)
            self._drop_work(work.connection)
            copying.replace_rows(work.connection, copy, work.revision)
            work.rewrite = True
            counts = queries.count_faces(work.connection)
            result = {
                "photos": queries.count_photos(work.connection),
                "faces": sum(counts.values()),
                "people": people.count(work.connection),
                "missing": missing,
                "before": before,
            }
            queries.add_decision(work.connection, "restore", before={}, after=result | {"job": self.job_id})
        for job in self.dropped:  # what a reset has staged
            shutil.rmtree(workspace.folders.roots["staging"] / str(job), ignore_errors=True)
        return result

    def _arriving(self, work: Work) -> tuple[list[tuple[Path, Path]], int]:
        """(the moves of the backup's photos to their places, how many there are none of)."""
        roots = self.workspace.folders.roots
        known = queries.photos_with_files(work.connection)
        here = {photo.sha256: photo for photo in known}
        ours = {roots[photo.folder] / photo.name for photo in known if photo.folder in roots}
        unpacked = {path.stem: path for path in (self.folder / backup.PHOTOS).iterdir()}
        moves, missing = [], 0
        for photo in queries.photos_with_files(self.copy):
            target = self.workspace.folders.path(photo.folder, photo.name)
            source = self._one_more(unpacked, photo.sha256, here.get(photo.sha256))
            if source is None or target is None:
                missing += 1
                continue
            if target.exists() and target not in ours:  # a file that we know nothing of: it makes room
                moves.append((target, roots["backup"] / f"strays-{work.revision}" / photo.folder / target.name))
            moves.append((source, target))
        return moves, missing

    def _one_more(self, unpacked: dict[str, Path], sha256: str, here: Any) -> Path | None:
        """A file with these bytes that may go to its place: out of the backup, else as it is here."""
        path = self.folder / backup.PHOTOS / f"{sha256}.{uuid.uuid4().hex}"
        source = unpacked.get(sha256)
        if source is None and here is not None:
            source = self.workspace.folders.path(here.folder, here.name)
            if source is None or not source.is_file() or files.sha256(source) != sha256:
                return None
        if source is None:
            return None
        files.link_or_copy(source, path)
        return path

    def _drop_work(self, connection: Connection) -> None:
        for job in jobs.unfinished(connection):
            if job.id != self.job_id:
                staging.drop(connection, job.id)
                self.dropped.append(job.id)
                ended = {"finished_at": queries.now(), "result": {"skipped": [], "status": Conflict.status}}
                jobs.change(connection, job.id, state="failed", message=_SUPERSEDED, attempts=0, **ended)


@contextmanager
def _staging(workspace: Workspace) -> Iterator[Path]:
    """A folder for what is unpacked. One restore at a time: what a killed one has left goes."""
    root = workspace.folders.roots["staging"]
    folder = root / f"{_PREFIX}{uuid.uuid4().hex}"
    sweep(workspace)
    with files.translate_os_errors():
        folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(workspace: Workspace) -> None:
    """Remove what a killed restore has unpacked; the caller sees to it that none is under way."""
    for path in workspace.folders.roots["staging"].glob(f"{_PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)


def in_words(result: Json) -> str:
    """What came of it, for a person."""
    photos, faces = many(result["photos"], "photo"), many(result["faces"], "face")
    lost = f" Of {many(result['missing'], 'photo')} there was no file." if result["missing"] else ""
    return f"Restored: {photos} and {faces}.{lost} What was here before is in the backup {result['before']}."
