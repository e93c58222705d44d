"""Photos with faces that nobody has decided yet."""

from __future__ import annotations

from typing import Any

from app.labelling.workspace import Workspace
from app.store import jobs, queries


def waiting_photos(workspace: Workspace, limit: int = 24) -> list[dict[str, Any]]:
    """The newest of them, for a page to link to."""
    with workspace.database.read() as connection:
        rows = queries.photos_with_inbox(connection, limit)
    return [
        {
            "id": row.id,
            "url": f"/photos/{row.id}/",
            "display": f"/photos/{row.id}/image.jpg",
            "name": row.upload_name or row.name,
            "faces": row.faces,
            "waiting": row.waiting,
            "width": row.width,
            "height": row.height,
        }
        for row in rows
    ]


def next_waiting(workspace: Workspace, photo_id: int) -> int | None:
    """Another photo to go on with."""
    with workspace.database.read() as connection:
        rows = queries.photos_with_inbox(connection, 1, after=photo_id)
    return rows[0].id if rows else None


def count_inbox(workspace: Workspace) -> int:
    with workspace.database.read() as connection:
        return queries.count_faces(connection).get("inbox", 0)


def is_searching(workspace: Workspace) -> bool:
    """Whether photos are still being looked at in the background, so that more faces will come."""
    with workspace.database.read() as connection:
        return any(job.kind != "reset" for job in jobs.unfinished(connection))
