"""The labelled faces in memory, kept current by revision."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 128

_Scalar = TypeVar("_Scalar", bound=np.generic)

_FIRST_CAPACITY = 64
_NOBODY = -1


@dataclass(frozen=True, eq=False)
class Change:
    """What became of one face. person None: it is no longer labelled, and its encoding does not matter."""

    face_id: int
    person: int | None
    encoding: NDArray[np.float32] | None


@dataclass(frozen=True, eq=False)
class View:
    """The gallery at one revision. Its arrays never change: read them while others apply changes.

    face_ids, persons: (n,) int64. encodings: (n, 128) float32. people: (c,) int64, everyone with a face here, and -1
    where there was someone once; codes: (n,), whose each face is, as a place in `people`; counts: (c,) faces of each;
    sums: (c, 128) float64, of their encodings.
    generation: two views of one generation hold the same faces in the same rows, as far as the shorter one
    goes (who they are may differ). churn: how many encodings have come or gone since the gallery was made.
    """

    revision: int
    generation: int
    churn: int
    face_ids: NDArray[np.int64]
    persons: NDArray[np.int64]
    encodings: NDArray[np.float32]
    people: NDArray[np.int64]
    codes: NDArray[np.intp]
    counts: NDArray[np.int64]
    sums: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.face_ids)


class Gallery:
    """Labelled encodings; every method may be called from any thread.

    A change costs the same however many faces there are, except for the first removal or relabelling after a
    snapshot, which copies what the snapshot is reading. New faces are written behind the rows that snapshots
    see; of what is there only the table of people is copied, once after a snapshot.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._lock = threading.Lock()
        self._rows: dict[int, int] = {}
        self._face_ids = np.empty(_FIRST_CAPACITY, np.int64)
        self._persons = np.empty(_FIRST_CAPACITY, np.int64)
        self._encodings = np.empty((_FIRST_CAPACITY, DIMENSIONS), np.float32)
        self._codes = np.empty(_FIRST_CAPACITY, np.intp)
        self._people = _People()
        self._generation = 0
        self._churn = 0
        # Rows below these are being read by the newest snapshot: copy before writing.
        self._shared_faces = 0
        self._shared_persons = 0
        self._view: View | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def person_of(self, face_id: int) -> int | None:
        """Whose face it is; None for one that is not here."""
        with self._lock:
            row = self._rows.get(face_id)
            return None if row is None else int(self._persons[row])

    def apply(self, changes: Iterable[Change], revision: int) -> None:
        """Bring the gallery to a revision. One it already has, or an older one, changes nothing."""
        with self._lock:
            if revision <= self.revision:
                return
            for change in changes:
                self._apply(change)
            self.revision = revision
            self._view = None

    def snapshot(self) -> View:
        with self._lock:
            if self._view is None:
                size = len(self._rows)
                faces = (self._face_ids[:size], self._persons[:size], self._encodings[:size])
                people, counts, sums = self._people.share()
                arrays = (*faces, people, self._codes[:size], counts, sums)
                for array in arrays:
                    array.flags.writeable = False
                self._view = View(self.revision, self._generation, self._churn, *arrays)
                self._shared_faces = self._shared_persons = size
            return self._view

    def _apply(self, change: Change) -> None:
        row = self._rows.get(change.face_id)
        if change.person is None:
            if row is not None:
                self._remove(row)
            return
        if row is None:
            if change.encoding is None:
                raise ValueError(f"face {change.face_id} is new to the gallery and comes without an encoding")
            self._add(change.face_id, change.person, change.encoding)
            return
        if self._persons[row] != change.person:
            self._own_persons(row)
            self._people.lose(int(self._persons[row]), self._encodings[row])
            self._persons[row] = change.person
            self._codes[row] = self._people.gain(change.person, self._encodings[row])
        if change.encoding is not None and not np.array_equal(self._encodings[row], change.encoding):
            self._own_faces(row)
            self._people.gain(change.person, change.encoding)
            self._people.lose(change.person, self._encodings[row])
            self._encodings[row] = change.encoding
            self._churn += 1

    def _add(self, face_id: int, person: int, encoding: NDArray[np.float32]) -> None:
        row = len(self._rows)
        if row == len(self._face_ids):
            self._face_ids = doubled(self._face_ids)
            self._persons = doubled(self._persons)
            self._codes = doubled(self._codes)
            self._encodings = doubled(self._encodings)
        self._encodings[row] = encoding
        self._codes[row] = self._people.gain(person, encoding)
        self._face_ids[row] = face_id
        self._persons[row] = person
        self._rows[face_id] = row
        self._churn += 1

    def _remove(self, row: int) -> None:
        self._own_faces(row)
        self._own_persons(row)
        last = len(self._rows) - 1
        self._people.lose(int(self._persons[row]), self._encodings[row])
        del self._rows[int(self._face_ids[row])]
        if row != last:
            for array in (self._face_ids, self._persons, self._codes, self._encodings):
                array[row] = array[last]
            self._rows[int(self._face_ids[row])] = row
        self._churn += 1

    def _own_faces(self, row: int) -> None:
        if row < self._shared_faces:
            self._face_ids, self._encodings = self._face_ids.copy(), self._encodings.copy()
            self._shared_faces = 0
            self._generation += 1

    def _own_persons(self, row: int) -> None:
        if row < self._shared_persons:
            self._persons, self._codes = self._persons.copy(), self._codes.copy()
            self._shared_persons = 0


class _People:
    """Who has faces, how many, and the sum of their encodings: a mean follows every change without being taken anew."""

    def __init__(self) -> None:
        self._places: dict[int, int] = {}
        self._vacant: list[int] = []
        self._people = np.full(_FIRST_CAPACITY, _NOBODY, np.int64)
        self._counts = np.zeros(_FIRST_CAPACITY, np.int64)
        self._sums = np.zeros((_FIRST_CAPACITY, DIMENSIONS))
        self._size = 0
        self._shared = False

    def share(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """people, counts, sums as they are: from now on changes go to copies."""
        self._shared = True
        return self._people[: self._size], self._counts[: self._size], self._sums[: self._size]

    def gain(self, person: int, encoding: NDArray[np.float32]) -> int:
        """One more face of a person; their place."""
        self._own()
        place = self._places.get(person)
        if place is None:
            place = self._places[person] = self._vacant.pop() if self._vacant else self._grow()
            self._people[place] = person
        self._counts[place] += 1
        self._sums[place] += encoding
        return place

    def lose(self, person: int, encoding: NDArray[np.float32]) -> None:
        """One face less."""
        self._own()
        place = self._places[person]
        self._counts[place] -= 1
        self._sums[place] -= encoding
        if not self._counts[place]:
            self._sums[place] = 0  # what rounding has left
            self._people[place] = _NOBODY
            self._vacant.append(self._places.pop(person))

    def _grow(self) -> int:
        if self._size == len(self._people):
            self._people, self._counts = doubled(self._people), doubled(self._counts)
            self._sums = doubled(self._sums)
            self._people[self._size :] = _NOBODY
            self._counts[self._size :] = 0
            self._sums[self._size :] = 0
        self._size += 1
        return self._size - 1

    def _own(self) -> None:
        if self._shared:
            self._people, self._counts, self._sums = self._people.copy(), self._counts.copy(), self._sums.copy()
            self._shared = False


def doubled(array: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """A copy of the array with room for twice as many rows."""
    larger = np.empty((2 * len(array), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
