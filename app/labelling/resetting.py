"""The reset: the training data becomes what the reserve folder says.

Everything is read and encoded first, beside what is there (rows in state "staged", files in a staging folder);
then one transaction swaps. Killed before it, the old training data is untouched and the job goes on where it
was; killed in it, the swap is put back. The old photos are kept in the backups folder with their rows.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from app.errors import Conflict, InvalidInput, NamesakeError
from app.labelling.labels import clean_label
from app.labelling.photos import add_faces
from app.labelling.workspace import Workspace
from app.recognition import images
from app.recognition.engine import most_prominent
from app.store import files, jobs, queries, staging

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
            f"{_count(counts.get('labelled', 0), 'named face')} of {_count(known, 'person', 'people')} "
            "will be replaced.",
            f"{_count(training, 'photo')} in training and {_count(uploads, 'photo')} in uploads will move to the "
            "backups folder. Nothing is deleted.",
            f"{_count(photos, 'photo')} of {_count(people, 'person', 'people')} in the reserve will be copied to "
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
        return {key: done.after[key] for key in ("faces", "people", "skipped")}
    reserve = workspace.folders.roots["reserve"]
    found = files.labelled_files(reserve)
    skipped: list[tuple[str, str]] = []
    seen: set[str] = set()
    for number, (path, label) in enumerate(found):
        report(number, len(found), f"Looking for faces in {path.relative_to(reserve)}")
        try:
            _stage(workspace, job_id, path, label, seen)
        except NamesakeError as error:
            skipped.append((str(path.relative_to(reserve)), error.message))
    report(len(found), len(found), "Switching over")
    result = _switch(workspace, job_id, skipped)
    shutil.rmtree(_staging_folder(workspace, job_id), ignore_errors=True)
    return result


def abandon_reset(workspace: Workspace, job_id: int) -> None:
    """Forget what was staged."""
    with workspace.database.write() as connection:
        staging.drop(connection, job_id)
    shutil.rmtree(_staging_folder(workspace, job_id), ignore_errors=True)


def _stage(workspace: Workspace, job_id: int, path: Path, label: str, seen: set[str]) -> None:
    name = clean_label(label)
    data = files.read_bytes(path)
    digest = hashlib.sha256(data).hexdigest()
    if digest in seen:
        raise Conflict("The same photo is in the reserve twice.")
    seen.add(digest)
    with workspace.database.read() as connection:
        if staging.has_photo(connection, job_id, digest):
            return  # before this job was killed
    photo = images.decode(data, max_pixels=workspace.settings.max_pixels)
    found = workspace.engine.faces(photo.pixels)
    if not found:
        raise InvalidInput("No face was found.")
    chosen = most_prominent([face.box for face in found], photo.width, photo.height)
    folder = _staging_folder(workspace, job_id)
    folder.mkdir(parents=True, exist_ok=True)
    file_name = files.numbered_name(folder, files.safe_stem(name, "person"), photo.extension)
    copy = files.write_new(folder, data, file_name)
    try:
        with workspace.database.write() as connection:
            person_id = queries.person_id(connection, name)
            photo_id = staging.add_photo(
                connection,
                job_id,
                folder="staging",
                name=f"{folder.name}/{file_name}",
                named_for=person_id,
                sha256=digest,
                size=len(data),
                width=photo.width,
                height=photo.height,
            )
            add_faces(connection, photo_id, found, revision=0, named={chosen: person_id})
    except BaseException:
        copy.unlink(missing_ok=True)
        raise


def _switch(workspace: Workspace, job_id: int, skipped: list[tuple[str, str]]) -> dict[str, Any]:
    roots = workspace.folders.roots
    with workspace.changing() as work:
        connection = work.connection
        staged = staging.photos(connection, job_id)
        if not staged:
            raise InvalidInput("No photo in the reserve has a face that could be used. Nothing was changed.")
        before = queries.count_faces(connection)
        decision = queries.add_decision(connection, "reset", before=before, after={"job": job_id})
        backup = f"reset-{decision}"
        moves = _clear(roots, roots["backup"] / backup)
        moves += [(roots["staging"] / photo.name, roots["training"] / Path(photo.name).name) for photo in staged]
        work.move(*moves)
        staging.retire_live(connection, decision, backup, work.revision)
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


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
