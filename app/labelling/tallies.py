"""What operators watch: how much there is of everything, and how much is still to do."""

from __future__ import annotations

from dataclasses import dataclass

from app.labelling.workspace import Workspace
from app.store import jobs, people, queries, recognised, tallies


@dataclass(frozen=True)
class Tallies:
    """faces: by status. gallery: faces used to recognise others. decisions: by kind, those taken back included.
    jobs: by state."""

    photos: int
    faces: dict[str, int]
    people: int
    gallery: int
    decisions: dict[str, int]
    jobs: dict[str, int]

    @property
    def waiting(self) -> int:
        """Jobs that are not finished."""
        return sum(self.jobs.get(state, 0) for state in jobs.UNFINISHED)


def read_tallies(workspace: Workspace) -> Tallies:
    with workspace.database.read() as connection:
        return Tallies(
            photos=queries.count_photos(connection),
            faces=queries.count_faces(connection),
            people=people.count(connection),
            gallery=recognised.count_used(connection),
            decisions=tallies.decisions_by_kind(connection),
            jobs=tallies.jobs_by_state(connection),
        )
