"""The reset: the training data becomes what the reserve folder says.

Everything is read and encoded first, beside what is there (rows in state "staged", files in a staging folder);
then one transaction swaps. Killed before it, the old training data is untouched and the job goes on where it
was; killed in it, the swap is put back. The old photos are kept in the backups folder with their rows.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from app.errors import Conflict, InvalidInput, NamesakeError
from app.labelling import backups
from app.labelling.finding import add_faces
from app.labelling.labels import clean_label
from app.labelling.wording import many
from app.labelling.workspace import Workspace
from app.recognition import bulk
from app.recognition.engine import DetectedFace, most_prominent
from app.store import backup, files, jobs, queries, staging
from app.store.changes import PHOTO

Report = Callable[[int, int, str], None]


def describe_reset(workspace: Workspace) -> dict[str, Any]:
    """What a reset would do, in plain numbers: {"possible", "why_not", "sentences"}."""
    photos, people = files.photo_count(workspace.folders.roots["reserve"])
    with workspace.database.read() as connection:
        training, uploads = (queries.count_photos(connection, folder) for folder in ("training", "uploads"))
        counts = queries.count_faces(connection)
        known = len(queries.known_people(connection))
        running = jobs.unfinished(connection, "reset")
    why_not = None
    if not photos:
        why_not = "The reserve folder has no photos, so there is nothing to reset to."
    elif running:
        why_not = "A reset is under way."
    return {
        "possible": why_not is None,
        "why_not": why_not,
        "sentences": [
            f"{many(counts.get('labelled', 0), 'named face')} of {many(known, 'person', 'people')} will be replaced.",
            f"{many(training, 'photo')} in training and {many(uploads, 'photo')} in uploads will move to the "
            "backups folder. Nothing is deleted.",
            f"{many(photos, 'photo')} of {many(people, 'person', 'people')} in the reserve will be copied to "
            "training and encoded.",
            "Until that is finished, everything stays as it is and can be used.",
        ],
    }


def request_reset(workspace: Workspace) -> int:
    """Put a reset on the list of jobs; its id. Raises InvalidInput and Conflict."""
    photos, _people = files.photo_count(workspace.folders.roots["reserve"])
    if not photos:
        raise InvalidInput("The reserve folder has no photos, so there is nothing to reset to. Nothing was changed.")
    with workspace.database.write() as connection:
        running = jobs.unfinished(connection, "reset")
        if running:
            raise Conflict("A reset is already under way.", job_url=f"/jobs/{running[0].id}/")
        return jobs.add(connection, "reset", {}, photos, "Waiting to start")


def run_reset(workspace: Workspace, job_id: int, report: Report) -> dict[str, Any]:
    """Do it, or go on where a killed run stopped: {"faces", "people", "skipped": [[file, why], ...]}.

    Raises InvalidInput when no photo of the reserve has a usable face; what was there then stays.
    """
    with workspace.database.read() as connection:
        done = queries.reset_of_job(connection, job_id)
    if done is not None:  # killed after the switch: doing it again would take away what was decided since
        shutil.rmtree(_staging_folder(workspace, job_id), ignore_errors=True)
        return {key: done.after[key] for key in ("faces", "people", "skipped")}
    reserve = workspace.folders.roots["reserve"]
    found = files.labelled_files(reserve)
    stage = _Stage(workspace, job_id)

    def store(outcomes: Sequence[bulk.Outcome[_File, _Candidate]]) -> None:
        stage.store(outcomes)
        report(stage.done, len(found), "Looking for faces in the reserve")

    report(0, len(found), "Looking for faces in the reserve")
    bulk.view_all(workspace.engine, found, stage.view, store)
    report(len(found), len(found), "Switching over")
    skipped = [(str(path.relative_to(reserve)), why) for path, why in stage.skipped]
    result = _switch(workspace, job_id, skipped)
    shutil.rmtree(_staging_folder(workspace, job_id), ignore_errors=True)
    return result


def abandon_reset(workspace: Workspace, job_id: int) -> None:
    """Forget what was staged."""
    with workspace.database.write() as connection:
        staging.drop(connection, job_id)
    shutil.rmtree(_staging_folder(workspace, job_id), ignore_errors=True)


_File = tuple[Path, str]
"""with its label"""


@dataclass(frozen=True)
class _New:
    """A photo that is not staged yet. copy: the hidden file in the staging folder. named: an index into faces."""

    label: str
    copy: Path
    photo: dict[str, Any]
    extension: str
    faces: list[DetectedFace]
    named: int


@dataclass(frozen=True)
class _Candidate:
    """A photo of the reserve; `new` unless it was staged before this job was killed."""

    sha256: str
    new: _New | None = None


class _Stage:
    """What a reset has read, beside what is there: rows in state "staged", files in a folder of their own."""

    def __init__(self, workspace: Workspace, job_id: int) -> None:
        self.skipped: list[tuple[Path, str]] = []
        self._workspace = workspace
        self._job_id = job_id
        self._folder = _staging_folder(workspace, job_id)
        with workspace.database.read() as connection:
            photos = staging.photos(connection, job_id)
        self._staged = {photo.sha256 for photo in photos}
        self._met: set[str] = set()
        names = {Path(photo.name).name for photo in photos}
        for path in self._folder.glob("*"):
            if path.name not in names:
                path.unlink()  # its row was not committed when the job was killed

    @property
    def done(self) -> int:
        """Files that are staged or skipped."""
        return len(self._met) + len(self.skipped)

    def view(self, file: _File) -> bulk.Viewing[_Candidate]:
        path, label = file
        label = clean_label(label)
        data = files.read_bytes(path)
        digest = hashlib.sha256(data).hexdigest()
        if digest in self._staged:
            return _Candidate(digest)
        photo = self._workspace.decode(data)
        faces = yield photo
        if not faces:
            raise InvalidInput("No face was found.")
        named = most_prominent([face.box for face in faces], photo.width, photo.height)
        copy = files.write_new(self._folder, data)
        facts = {"sha256": digest, "size": len(data), "width": photo.width, "height": photo.height}
        return _Candidate(digest, _New(label, copy, facts, photo.extension, faces, named))

    def store(self, outcomes: Sequence[bulk.Outcome[_File, _Candidate]]) -> None:
        new = []
        for (path, _label), candidate in outcomes:
            if isinstance(candidate, NamesakeError):
                self.skipped.append((path, candidate.message))
            elif candidate.sha256 in self._met:
                self.skipped.append((path, "The same photo is in the reserve twice."))
            else:
                self._met.add(candidate.sha256)
                new += [candidate.new] if candidate.new else []
        if new:
            with files.translate_os_errors(), self._workspace.database.write() as connection:
                for photo in new:
                    self._add(connection, photo)
                files.sync_folder(self._folder)
            self._staged |= {photo.photo["sha256"] for photo in new}

    def _add(self, connection: Connection, new: _New) -> None:
        name = files.numbered_name(self._folder, files.safe_stem(new.label, "person"), new.extension)
        new.copy.rename(self._folder / name)
        person_id = queries.person_id(connection, new.label)
        photo_id = staging.add_photo(
            connection,
            self._job_id,
            folder="staging",
            name=f"{self._folder.name}/{name}",
            named_for=person_id,
            **new.photo,
        )
        add_faces(connection, photo_id, new.faces, revision=0, named={new.named: person_id})


def _switch(workspace: Workspace, job_id: int, skipped: list[tuple[str, str]]) -> dict[str, Any]:
    roots = workspace.folders.roots
    with workspace.changing() as work:
        connection = work.connection
        staged = staging.photos(connection, job_id)
        if not staged:
            raise InvalidInput("No photo in the reserve has a face that could be used. Nothing was changed.")
        backups.back_up_first(workspace, connection, backup.RESET)
        before = queries.count_faces(connection)
        decision = work.decide("reset", before=before, after={"job": job_id})
        work.watch(PHOTO, *staging.live(connection), *(photo.id for photo in staged))
        aside = f"reset-{decision}"
        moves = _clear(roots, roots["backup"] / aside)
        moves += [(roots["staging"] / photo.name, roots["training"] / Path(photo.name).name) for photo in staged]
        work.move(*moves)
        staging.retire_live(connection, decision, aside, work.revision)
        staging.publish(connection, job_id, work.revision)
        work.rewrite = True
        result = _result(connection) | {"skipped": skipped}
        queries.update_decision(connection, decision, after=result | {"job": job_id})
    return result


def _clear(roots: dict[str, Path], backup: Path) -> list[tuple[Path, Path]]:
    """The moves that empty uploads and training, of files the store does not know too."""
    return [
        (path, backup / kind / path.name)
        for kind in ("uploads", "training")
        for path in sorted(roots[kind].iterdir())
        if not path.name.startswith(".")
    ]


def _result(connection: Connection) -> dict[str, Any]:
    labelled = queries.count_faces(connection).get("labelled", 0)
    return {"faces": labelled, "people": len(queries.known_people(connection))}


def _staging_folder(workspace: Workspace, job_id: int) -> Path:
    return workspace.folders.roots["staging"] / str(job_id)
