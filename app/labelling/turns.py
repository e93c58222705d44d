"""Long work on many photos in turns: a small job does not wait for a big one, and one photo does not stop the rest.

A turn is a few photos, and what it has done is stored with how far it came, so that a killed one is done again from
where it was. Photos that are stored or looked at already are passed by then.

After a turn whose process was killed the photos are taken one at a time. The one at which it happens again and again
is passed over, and said to be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from app.labelling import progress
from app.labelling.workspace import Workspace
from app.recognition import bulk

T = TypeVar("T")

TURN = 4 * bulk.CHUNK
"""Photos a turn: some seconds, of which the last, when processors wait for each other, is a small part."""

Problem = tuple[str, str]
"""What could not be done: the photo, in words, and why."""

Result = dict[str, Any]
"""Of the job so far: {"photos": those that could be used, "skipped": [problem, ...]}, and what it remembers from turn
to turn, under names that begin with _."""

Watch = Callable[[int, int, str], None]

DEADLY = "The program was stopped again and again while it looked at this photo, which was passed over."


class Turn:
    """The next photos of a job, and where they are noted as done."""

    def __init__(self, workspace: Workspace, begun: progress.Begun, message: str, watch: Watch | None) -> None:
        self._workspace = workspace
        self._job = begun.job
        self._message = message
        self._watch = watch
        self.done: int = begun.job.done
        self.result: Result = {"photos": 0, "skipped": []} | (begun.job.result or {})
        if begun.killed:
            self._note_death()
        self.note(0)

    def take(self, items: Sequence[T]) -> Sequence[T]:
        """Out of all that the job is about, what this turn is for."""
        return items[self.done : self.done + (1 if self.is_careful() else TURN)]

    def is_deadly(self) -> bool:
        """Whether the next photo has killed too many processes."""
        died = self.result.get("_died")
        return bool(died and died["at"] == self.done and died["times"] >= progress.MAX_ATTEMPTS)

    def note(self, photos: int, problems: Sequence[Problem] = ()) -> None:
        """So many more photos are done, some of which could not be used."""
        self.done += photos
        self.result["photos"] += photos - len(problems)
        self.result["skipped"] += [list(problem) for problem in problems]
        progress.report(self._workspace, self._job.id, done=self.done, message=self._message, result=self.result)
        if self._watch is not None:
            self._watch(self.done, self._job.total, self._message)

    def is_careful(self) -> bool:
        """Whether photos are taken one at a time, for one of the next has killed a process."""
        died = self.result.get("_died")
        return died is not None and self.done < died["at"] + TURN

    def _note_death(self) -> None:
        before = self.result.get("_died") or {"at": -1, "times": 0}
        times = before["times"] + 1 if before["at"] == self.done else 1
        self.result["_died"] = {"at": self.done, "times": times}
