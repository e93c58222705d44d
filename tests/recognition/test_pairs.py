"""Pairs of faces: all of them where there are few, a fair and steady sample where there are many."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from app.recognition import pairs
from app.recognition.gallery import View
from tests.recognition.galleries import crowd, view_of


def spelt(view: View, found: pairs.Pairs) -> set[tuple[int, int]]:
    return {(int(view.face_ids[a]), int(view.face_ids[b])) for a, b in zip(found.first, found.second, strict=True)}


def test_the_order_does_not_depend_on_how_faces_came() -> None:
    view = pairs.by_person(view_of([7, 3, 7, 3], [[1], [2], [3], [4]], face_ids=[20, 11, 4, 10]))
    assert view.face_ids.tolist() == [10, 11, 4, 20]
    assert view.persons.tolist() == [3, 3, 7, 7]
    assert view.encodings[:, 0].tolist() == [4, 2, 3, 1]


def test_every_pair_is_there_once_with_its_distance() -> None:
    view = view_of([1, 1, 1, 2, 2, 5], [[0, 0], [3, 4], [0, 1], [0, 2], [6, 8], [1, 0]])
    same, different = pairs.same_person(view), pairs.different_people(view)
    assert spelt(view, same) == {(1, 2), (1, 3), (2, 3), (4, 5)}
    assert spelt(view, different) == set(combinations(range(1, 7), 2)) - spelt(view, same)
    assert (len(same), same.total, same.sampled) == (4, 4, False)
    assert (len(different), different.total) == (11, 11)
    assert same.distances[0] == pytest.approx(5)
    for each in (same, different):
        measured = np.linalg.norm(view.encodings[each.first] - view.encodings[each.second], axis=1)
        assert each.distances == pytest.approx(measured)


@pytest.mark.parametrize("persons", [[], [1]])
def test_without_two_faces_there_is_no_pair(persons: list[int]) -> None:
    view = view_of(persons, np.zeros((len(persons), 2)))
    for found in (pairs.same_person(view), pairs.different_people(view)):
        assert (len(found), found.total, found.sampled) == (0, 0, False)
        assert pairs.histogram(found, pairs.edges()) == [0] * (len(pairs.edges()) - 1)


def test_one_person_has_no_pair_with_anybody_else() -> None:
    view = view_of([4, 4, 4], [[0], [1], [2]])
    assert (pairs.same_person(view).total, pairs.different_people(view).total) == (3, 0)


def test_of_many_pairs_a_sample_stands_for_all() -> None:
    view = crowd(people=20, faces=1500)
    same, different = pairs.same_person(view), pairs.different_people(view)
    everyone = 1500 * 1499 // 2
    assert same.total + different.total == everyone
    for found in (same, different):
        assert found.sampled
        assert len(found) == pairs.SAMPLE == len(spelt(view, found))
    assert (view.persons[same.first] == view.persons[same.second]).all()
    assert (view.persons[different.first] != view.persons[different.second]).all()
    # Every face is in a share of all pairs that is known; chance moves a count of 27 about by 5.
    appearances = np.bincount(np.concatenate([different.first, different.second]), minlength=1500)
    assert appearances.min() > 0
    assert abs(appearances.mean() - 2 * pairs.SAMPLE / 1500) < 1e-9


def test_the_sample_is_the_same_each_time() -> None:
    first, second = (pairs.different_people(crowd(people=20, faces=1500)) for _ in range(2))
    assert np.array_equal(first.first, second.first)
    assert np.array_equal(first.second, second.second)


def test_bins_hold_what_begins_with_their_edge_and_add_up() -> None:
    view = view_of([1, 1], [[0], [0.35]])
    edges = pairs.edges(0.35)
    assert edges[:3] == [0.0, 0.05, 0.1]
    assert edges[-1] >= 1
    counts = pairs.histogram(pairs.same_person(view), edges)
    low = edges[counts.index(1)]
    assert low <= float(pairs.same_person(view).distances[0]) < low + pairs.BIN + 1e-6


def test_the_last_bin_has_no_end() -> None:
    view = view_of([1, 2, 3], [[0], [1.2], [9]])
    found = pairs.different_people(view)
    edges = pairs.edges(float(found.distances.max()))
    assert edges[-1] == 1.5
    assert pairs.histogram(found, edges)[-1] == 2
    assert sum(pairs.histogram(found, edges)) == 3


@pytest.mark.parametrize("faces", [40, 1500])
def test_a_bin_counts_what_lies_between_its_edges(faces: int) -> None:
    view = crowd(people=8, faces=faces)
    for found in (pairs.same_person(view), pairs.different_people(view)):
        edges = pairs.edges(float(found.distances.max()))
        ends = [*edges[1:-1], float("inf")]
        between = [len(found.between(low, high)) for low, high in zip(edges[:-1], ends, strict=True)]
        assert pairs.histogram(found, edges) == between


def test_some_people_can_be_looked_at_alone() -> None:
    view = pairs.only(view_of([1, 1, 2, 3], [[0], [1], [2], [3]]), 1, 3)
    assert spelt(view, pairs.different_people(view)) == {(1, 4), (2, 4)}
