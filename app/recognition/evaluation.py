"""The protocol of an evaluation: who is known, who asks, and what becomes of it.

In each draw everyone with more than k photos gives k of them, chosen at random, to the gallery. Their other photos
ask who they are, and so do strangers: people with a single photo, or said to be strangers. Where there are few of
those, a third of the people is kept out of the gallery, others in each draw. Every system answers the same draws, and
the same faces give the same draws again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from app.recognition.metrics import (
    Answers,
    Estimate,
    Flags,
    People,
    dir_at_fpir,
    estimates,
    expected_calibration_error,
    rank_1,
)
from app.recognition.propagation import Floats
from app.recognition.systems import System

SHOTS = (1, 2, 3, 5)
DRAWS = 20
SEED = 0
ENOUGH_STRANGERS = 20
"""people who are strangers in every draw; with fewer, known people take turns"""
_WITHHELD = 3
_FEWEST_KNOWN = 2
# Asked a row at most, as far as that leaves one draw: with so many, another draw tells nothing new.
_QUESTIONS = 20_000

METRICS = {
    "rank_1": rank_1,
    "dir_at_fpir_1": dir_at_fpir(0.01),
    "dir_at_fpir_10": dir_at_fpir(0.10),
    "ece": expected_calibration_error,
}

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Faces:
    """encodings: (n, 128). people: (n,), whose each is. strange: (n,), whether never to be known."""

    encodings: Floats
    people: People
    strange: Flags

    @classmethod
    def of(cls, encodings: ArrayLike, names: Sequence[str], strange: ArrayLike | None = None) -> Faces:
        """strange: faces of people who are strangers, whatever their names; besides, everyone with one face is.

        The same face of the same person twice counts once: it would know itself.
        """
        rows = np.asarray(encodings, np.float64)
        given = np.zeros(len(rows), bool) if strange is None else np.asarray(strange, bool)
        everyone = [f"{'?' if out else '='}{name}" for name, out in zip(names, given, strict=True)]
        people = np.unique(np.array(everyone, np.str_), return_inverse=True)[1].astype(np.int64)
        faces = np.column_stack([people, rows])
        kept = np.sort(np.unique(faces, axis=0, return_index=True)[1])
        rows, people, given = rows[kept], people[kept], given[kept]
        return cls(rows, people, given | (np.bincount(people)[people] == 1))


@dataclass(frozen=True, eq=False)
class Draw:
    """labelled, asking: which faces are in the gallery, and which ask. withheld: how many people who could be known
    are strangers this time."""

    labelled: Rows
    asking: Rows
    withheld: int


@dataclass(frozen=True)
class Row:
    """What came of it with so many labelled photos a person.

    people: how many were known in some draw. strangers: how many people were nobody in the gallery in some draw.
    withheld: how many of the people were strangers in each draw. questions, strange_questions: about known faces and
    about strangers, in all draws. figures: by system, then by metric; None where it is not defined.
    """

    labelled_photos: int
    draws: int
    people: int
    strangers: int
    withheld: int
    questions: int
    strange_questions: int
    figures: dict[str, dict[str, Estimate | None]]


def evaluate(
    faces: Faces,
    systems: Sequence[System],
    *,
    shots: Sequence[int] = SHOTS,
    watch: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Row]:
    """One row for every number of labelled photos for which two people at least can be known; none for the others.

    watch: told how many answers of a system to a draw there are, and how many there will be.
    """
    draws = {number: draw for number in shots if (draw := draw_galleries(faces, number))}
    total = len(systems) * sum(map(len, draws.values()))
    done = 0

    def tell() -> None:
        nonlocal done
        done += 1
        watch(done, total)

    # Matrices of a few hundred rows: threads of their own would wait for one another longer than they compute.
    with threadpool_limits(1, "blas"):
        return [_row(faces, systems, number, draw, tell) for number, draw in draws.items()]


def draw_galleries(faces: Faces, shots: int) -> list[Draw]:
    """The draws with so many labelled photos a person; none when fewer than two people could be known."""
    rng = np.random.default_rng([SEED, shots])
    photos = np.bincount(faces.people)
    able = np.setdiff1d(np.flatnonzero(photos > shots), faces.people[faces.strange])
    enough = len(np.unique(faces.people[faces.strange])) >= ENOUGH_STRANGERS
    withheld = 0 if enough else len(able) // _WITHHELD
    if len(able) - withheld < _FEWEST_KNOWN:
        return []
    of_person = {int(person): np.flatnonzero(faces.people == person) for person in able}
    strangers = np.flatnonzero(faces.strange)

    def draw() -> Draw:
        order = rng.permutation(able).tolist()
        asking = [strangers, *(of_person[person] for person in order[:withheld])]
        labelled = []
        for person in order[withheld:]:
            own = rng.permutation(of_person[person])
            labelled.append(own[:shots])
            asking.append(own[shots:])
        return Draw(np.sort(np.concatenate(labelled)), np.sort(np.concatenate(asking)), withheld)

    first = draw()
    return [first, *(draw() for _ in range(min(DRAWS, _QUESTIONS // len(first.asking)) - 1))]


def _row(faces: Faces, systems: Sequence[System], shots: int, draws: list[Draw], tell: Callable[[], None]) -> Row:
    owners = np.concatenate([faces.people[draw.asking] for draw in draws])
    known = np.concatenate([_known(faces, draw) for draw in draws])
    figures = {}
    for system in systems:
        answers = _join(list(_ask(faces, system, draws, tell)))
        figures[system.name] = estimates(answers, owners, METRICS, np.random.default_rng(SEED))
    return Row(
        labelled_photos=shots,
        draws=len(draws),
        people=len(np.unique(owners[known])),
        strangers=len(np.unique(owners[~known])),
        withheld=draws[0].withheld,
        questions=int(known.sum()),
        strange_questions=int((~known).sum()),
        figures=figures,
    )


def _known(faces: Faces, draw: Draw) -> Flags:
    return np.isin(faces.people[draw.asking], faces.people[draw.labelled])


def _ask(faces: Faces, system: System, draws: Sequence[Draw], tell: Callable[[], None]) -> Iterator[Answers]:
    for draw in draws:
        people, codes = np.unique(faces.people[draw.labelled], return_inverse=True)
        system.fit(faces.encodings[draw.labelled], codes)
        predicted = system.predict(faces.encodings[draw.asking])
        right = people[predicted.best] == faces.people[draw.asking]
        yield Answers(right, _known(faces, draw), predicted.score, predicted.is_probability)
        tell()


def _join(parts: Sequence[Answers]) -> Answers:
    return Answers(
        np.concatenate([part.right for part in parts]),
        np.concatenate([part.known for part in parts]),
        np.concatenate([part.score for part in parts]),
        all(part.is_probability for part in parts),
    )
