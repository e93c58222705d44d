"""The faces that wait, with who they may be and which belong together: kept in memory, and current.

Every process has one. After a change it looks again only at what the change can have touched; where few faces are
waiting or known, at everything.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row

from app.labelling.workspace import Workspace
from app.recognition.gallery import DIMENSIONS, View
from app.recognition.grouping import Grouping
from app.recognition.offering import Offer, Waiting, offers
from app.recognition.openset import Suggestion
from app.recognition.propagation import squared_distances
from app.store import inbox, queries

# A face farther than this from whoever came or went is suggested as before: nobody that far is ever named.
_REACH = 0.62
# So many pairs of a waiting and a known face are looked at in a tenth of a second.
_QUICK = 1_000_000
# A face of less than this share of the area of the largest one in the photo is in its background.
_BACKGROUND = 0.7
_BLOCK = 512


@dataclass(frozen=True)
class _Face:
    photo_id: int
    encoding: NDArray[np.float32]
    skipped: int | None
    low_quality: bool


class Inbox:
    """Every method may be called from any thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._calibration = workspace.calibration
        self._forget()

    def _forget(self) -> None:
        """Begin anew, as with rows of which nothing is known."""
        self._revision = 0
        self._faces: dict[int, _Face] = {}
        self._suggestions: dict[int, Suggestion] = {}
        self._sizes: dict[int, dict[int, int]] = {}  # photo, face: area in pixels
        self._named: dict[int, dict[int, int]] = {}  # photo, face: person
        self._grouping = Grouping()
        self._view: View | None = None
        self._read: tuple[list[Offer], dict[int, Suggestion]] | None = None
        self._counts: dict[int, int] = {}  # of each person's faces in the view
        self._distances: dict[tuple[int, int, int, int], float] = {}

    def read(self) -> tuple[list[Offer], dict[int, Suggestion]]:
        """Everything to ask, best first, and the suggestion for each face, without whom it is said not to be."""
        with self._lock:
            with self._workspace.database.read() as connection:
                revision = queries.revision(connection)
                if self._read is not None and revision == self._revision:
                    return self._read
                if not queries.same_epoch(revision, self._revision):
                    self._forget()
                changed = inbox.changed_faces(connection, self._revision)
                rejected = inbox.rejections_of_waiting(connection)
            fresh = self._follow(changed)
            self._revision = revision
            self._suggest(fresh)
            behind = {face_id: self._is_behind(face_id) for face_id in self._faces}
            self._group(fresh, behind)
            suggestions = {
                face_id: suggestion.without(frozenset(rejected.get(face_id, ())))
                for face_id, suggestion in self._suggestions.items()
            }
            self._read = self._offers(suggestions, behind), suggestions
            return self._read

    def _follow(self, changed: Sequence[Row[Any]]) -> set[int]:
        """Take over what changed; the faces that have to look for a group."""
        fresh = set()
        for row in changed:
            self._sizes.setdefault(row.photo_id, {}).pop(row.id, None)
            self._named.setdefault(row.photo_id, {}).pop(row.id, None)
            before = self._faces.pop(row.id, None)
            if not row.there or row.status == "not_a_face":
                continue
            self._sizes[row.photo_id][row.id] = (row.bottom - row.top) * (row.right - row.left)
            if row.status == "labelled":
                self._named[row.photo_id][row.id] = row.person_id
            if row.status == "inbox":
                self._faces[row.id] = _Face(row.photo_id, queries.unpack(row.encoding), row.skipped, row.low_quality)
                if before is None or before.skipped == row.skipped:
                    fresh.add(row.id)
        self._faces = dict(sorted(self._faces.items()))
        for gone in self._suggestions.keys() - self._faces.keys():
            del self._suggestions[gone]
        return fresh

    def _suggest(self, fresh: set[int]) -> None:
        view = self._workspace.view_gallery()
        learnt = self._workspace.calibration
        if self._calibration != learnt:
            again = self._workspace.recalibrate(list(self._suggestions.values()))
            self._suggestions = dict(zip(self._suggestions, again, strict=True))
        touched = self._touched(view) if self._view is not view else set()
        wanted = [face_id for face_id in self._faces if face_id in touched or face_id in fresh]
        found = self._workspace.recognise(self._stacked(wanted)) if wanted else []
        self._suggestions |= dict(zip(wanted, found, strict=True))
        if self._view is not view:
            self._counts = dict(zip(view.people.tolist(), view.counts.tolist(), strict=True))
        self._view, self._calibration = view, learnt

    def _touched(self, view: View) -> set[int]:
        """The faces whose suggestion may be another now that the gallery is `view`."""
        before = self._view
        if before is None or len(self._faces) * max(len(view), 1) <= _QUICK:
            return set(self._faces)
        moved = _moved(before, view)
        near = set()
        ids = list(self._faces)
        encodings = self._stacked(ids)
        for start in range(0, len(moved), _BLOCK):
            apart = squared_distances(encodings, moved[start : start + _BLOCK])
            near |= {ids[row] for row in np.flatnonzero((apart < _REACH**2).any(axis=1))}
        return near

    def _group(self, fresh: set[int], behind: dict[int, bool]) -> None:
        ids = list(self._faces)
        photos = np.array([face.photo_id for face in self._faces.values()], np.int64)
        background = np.array(list(behind.values()), np.bool_)
        self._grouping.follow(ids, self._stacked(ids), photos, background, fresh)

    def _offers(self, suggestions: dict[int, Suggestion], behind: dict[int, bool]) -> list[Offer]:
        waiting = {
            face_id: Waiting(
                face_id,
                face.photo_id,
                suggestions[face_id],
                behind[face_id],
                frozenset(self._named.get(face.photo_id, {}).values()),
                face.skipped,
            )
            for face_id, face in self._faces.items()
        }
        groups = [[waiting[face_id] for face_id in group] for group in self._grouping.groups()]
        return offers(groups, self._distance)

    def _distance(self, face_ids: Sequence[int], person: int) -> float:
        """On average over all pairs; worked out again when the group or the person has another number of faces."""
        assert self._view is not None  # noqa: S101  (whoever is suggested is in it)
        key = (face_ids[0], len(face_ids), person, self._counts.get(person, 0))
        if key not in self._distances:
            known = self._view.encodings[self._view.persons == person]
            apart = np.linalg.norm(self._stacked(face_ids)[:, np.newaxis] - known, axis=2)
            self._distances[key] = float(apart.mean()) if len(known) else float("inf")
        return self._distances[key]

    def _is_behind(self, face_id: int) -> bool:
        face = self._faces[face_id]
        sizes = self._sizes[face.photo_id]
        return face.low_quality or sizes[face_id] < _BACKGROUND * max(sizes.values())

    def _stacked(self, face_ids: Sequence[int]) -> NDArray[np.float32]:
        if not face_ids:
            return np.empty((0, DIMENSIONS), np.float32)
        return np.stack([self._faces[face_id].encoding for face_id in face_ids])


def _moved(before: View, view: View) -> NDArray[np.float32]:
    """The encodings that came into the gallery, left it, or are of someone else now."""
    _both, old, new = np.intersect1d(before.face_ids, view.face_ids, assume_unique=True, return_indices=True)
    other = before.persons[old] != view.persons[new]
    stayed_old, stayed_new = np.zeros(len(before), bool), np.zeros(len(view), bool)
    stayed_old[old[~other]] = True
    stayed_new[new[~other]] = True
    return np.concatenate([before.encodings[~stayed_old], view.encodings[~stayed_new]])
