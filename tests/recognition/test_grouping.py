"""Waiting faces that look like one person are put together, whatever the order they come in."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from app.recognition import grouping
from app.recognition.grouping import Grouping, group

Faces = NDArray[np.float32]


def crowd(people: int, faces: int, seed: int = 0, spread: float = 0.02) -> tuple[Faces, NDArray[np.intp]]:
    """Faces of made-up people, as far apart as real ones, and whose each is."""
    rng = np.random.default_rng(seed)
    whose = np.repeat(np.arange(people), faces)
    middles = rng.normal(0, 0.05, (people, 128))
    return (middles[whose] + rng.normal(0, spread, (len(whose), 128))).astype(np.float32), whose


def partition(found: list[list[int]]) -> set[frozenset[int]]:
    return {frozenset(each) for each in found}


def expected(whose: NDArray[np.intp]) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(whose == person).tolist()) for person in np.unique(whose)}


def followed(faces: Faces, **more: object) -> Grouping:
    found = Grouping()
    count = len(faces)
    found.follow(range(count), faces, np.arange(count), np.zeros(count, bool))
    return found


def test_faces_of_one_person_are_one_group() -> None:
    faces, whose = crowd(12, 5)
    assert partition(followed(faces).groups()) == expected(whose)


def test_the_order_of_the_faces_does_not_matter() -> None:
    faces, whose = crowd(8, 4)
    order = np.random.default_rng(1).permutation(len(faces))
    codes, _cohorts = group(faces[order], np.arange(len(faces)), np.zeros(len(faces), bool))
    assert partition([np.flatnonzero(codes == code).tolist() for code in np.unique(codes)]) == expected(whose[order])


@pytest.mark.parametrize("count", [0, 1])
def test_there_may_be_next_to_nobody(count: int) -> None:
    faces, _whose = crowd(1, 1)
    assert followed(faces[:count]).groups() == [[0]] * count


def test_two_faces_in_one_photo_are_two_people() -> None:
    faces, _whose = crowd(1, 4)
    codes, _cohorts = group(faces, np.array([1, 1, 2, 3]), np.zeros(4, bool))
    assert codes[0] != codes[1]


def test_faces_that_come_later_join_the_groups_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """As large collections do, in which not everything is grouped anew."""
    monkeypatch.setattr(grouping, "_QUICK", 0)
    faces, whose = crowd(40, 6)
    order = np.random.default_rng(2).permutation(len(faces))
    found = Grouping()
    for count in (200, 215, 230, 240):
        rows = order[:count]
        found.follow(rows.tolist(), faces[rows], rows, np.zeros(count, bool))
    assert partition(found.groups()) == expected(whose)


def test_only_so_many_are_looked_at_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "_AT_ONCE", 50)
    monkeypatch.setattr(grouping, "_BLOCK", 7)
    faces, whose = crowd(30, 4)
    assert partition(followed(faces).groups()) == expected(whose)


def test_faces_that_leave_are_gone_and_the_others_stay_together() -> None:
    faces, whose = crowd(5, 4)
    found = followed(faces)
    stay = np.flatnonzero(whose != 2)
    found.follow(stay.tolist(), faces[stay], stay, np.zeros(len(stay), bool))
    assert partition(found.groups()) == expected(whose) - {frozenset(np.flatnonzero(whose == 2).tolist())}


def test_two_people_with_many_faces_each_are_kept_apart_where_single_faces_would_join() -> None:
    """Ten wrongly joined faces are ten to untick."""
    rng = np.random.default_rng(3)
    direction = rng.normal(0, 1, 128)
    direction *= 0.36 / np.linalg.norm(direction)
    noise = rng.normal(0, 0.027, (20, 128))
    faces = np.concatenate([noise[:10], noise[10:] + direction]).astype(np.float32)
    many, _ = group(faces, np.arange(20), np.zeros(20, bool))
    few, _ = group(faces[[0, 10]], np.arange(2), np.zeros(2, bool))
    assert few[0] == few[1]
    assert len(set(many[:10])) == len(set(many[10:])) == 1
    assert many[0] != many[10]


def test_a_face_in_the_background_has_to_be_nearer() -> None:
    rng = np.random.default_rng(4)
    step = rng.normal(0, 1, 128)
    pair = np.array([np.zeros(128), step * 0.56 / np.linalg.norm(step)], np.float32)
    front, _ = group(pair, np.arange(2), np.zeros(2, bool))
    behind, _ = group(pair, np.arange(2), np.array([False, True]))
    assert front[0] == front[1]
    assert behind[0] != behind[1]
