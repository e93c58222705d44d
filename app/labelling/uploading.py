"""Bulk uploads: photos that come in many requests are stored at once, and looked at by one job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import InvalidInput, NotFound
from app.labelling import finding
from app.labelling.photos import Refusal, Taken, Upload, request_encoding, take_each
from app.labelling.turns import DEADLY, Turn
from app.labelling.workspace import Workspace
from app.store import jobs
from app.store.uploads import not_looked_at


@dataclass(frozen=True)
class Batch:
    """What became of one request. job_id: None while no photo of the upload has to be looked at."""

    job_id: int | None
    taken: list[Taken]
    refusals: list[Refusal]


def check_job(workspace: Workspace, job_id: int) -> None:
    """Whether photos can be added to what a job looks at. Raises NotFound and InvalidInput."""
    with workspace.database.read() as connection:
        job = jobs.shown(connection, job_id)
    if job is None:
        raise NotFound("There is no such job.")
    if job.kind != "encode":
        raise InvalidInput("Photos can only be added to the job of an upload.")


def take_batch(workspace: Workspace, uploads: Iterable[Upload], job_id: int | None) -> Batch:
    """Store some photos of a bulk upload, and have a job look at those that nobody has looked at.

    job_id: the job of the upload's other photos, if it has one. Raises as check_job does, and nothing is stored then.
    """
    if job_id is not None:
        check_job(workspace, job_id)
    taken, refusals = take_each(workspace, uploads)
    with workspace.database.read() as connection:
        ids = not_looked_at(connection, dict.fromkeys(photo.photo_id for photo in taken))
    if ids and (job_id is None or not _append(workspace, job_id, ids)):
        job_id = request_encoding(workspace, ids)
    return Batch(job_id, taken, refusals)


def _append(workspace: Workspace, job_id: int, photo_ids: Sequence[int]) -> bool:
    """Have a job look at more photos, also when it has just finished. False when it has failed."""
    with workspace.database.write() as connection:
        job = jobs.get(connection, job_id)
        if job is None or job.state == "failed":
            return False
        there = set(job.payload["photo_ids"][job.done :])
        listed = job.payload["photo_ids"] + [photo_id for photo_id in photo_ids if photo_id not in there]
        jobs.change(connection, job_id, payload={"photo_ids": listed}, total=len(listed))
        if job.state == "done":
            jobs.change(connection, job_id, state="queued", message="Waiting to start", finished_at=None)
        return True


def look_at_next(workspace: Workspace, payload: dict[str, Any], turn: Turn) -> None:
    """Find the faces of the next photos of an upload."""
    ids = turn.take(payload["photo_ids"])
    if turn.is_deadly():
        turn.note(1, [(f"photo {ids[0]}", DEADLY)])
        return

    def watch(done: int, problems: Sequence[finding.Problem]) -> None:
        turn.note(done, [(f"photo {photo_id}", error.message) for photo_id, error in problems])

    finding.find_faces(workspace, ids, watch)
