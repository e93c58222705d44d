"""Who needs more photos, and why."""

from __future__ import annotations

import numpy as np
import pytest

from app.recognition import pairs
from app.recognition.closeness import needs
from tests.recognition.galleries import crowd, view_of


def test_each_reason_is_found_where_it_is() -> None:
    persons = [1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5]
    places = [
        [9, 0], [9, 0.1],  # few
        [0, 9], [0, 9.6], [0.6, 9],  # unlike each other
        [0, 0], [0.1, 0], [0, 0.1],  # close to the next
        [0.3, 0], [0.4, 0], [0.3, 0.1],
        [-9, 0], [-9, 0.1], [-9.1, 0],  # nothing the matter
    ]  # fmt: skip
    found = {each.person: each for each in needs(view_of(persons, places))}
    assert set(found) == {1, 2, 3, 4}
    assert [(n.few, n.unlike, n.close) for _, n in sorted(found.items())] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
        (False, False, True),
    ]
    assert (found[3].nearest, found[4].nearest) == (4, 3)
    assert found[3].distance == pytest.approx(0.3, abs=1e-6)
    assert (found[2].faces, found[2].cover) == (3, 3)


def test_the_spread_is_the_root_mean_square_of_the_pairs() -> None:
    view = crowd(people=5, faces=40)
    same = pairs.same_person(view)
    for need in needs(view):
        mine = same.distances[view.persons[same.first] == need.person]
        assert need.spread == pytest.approx(float(np.sqrt((mine**2).mean())), rel=1e-4)


def test_the_nearest_is_the_one_with_the_nearest_average() -> None:
    view = crowd(people=600, faces=1200)
    means = np.stack([view.encodings[view.persons == person].mean(axis=0) for person in range(600)])
    for need in needs(view):
        gaps = np.linalg.norm(means - means[need.person], axis=1)
        gaps[need.person] = np.inf
        assert need.distance == pytest.approx(gaps.min(), rel=1e-4)
        assert need.nearest == gaps.argmin()


def test_who_needs_photos_most_comes_first() -> None:
    persons = [1, 1, 2, 3, 4, 5, 5]
    places = [[5, 0], [5, 0.1], [9, 9], [0, 0], [0, 0.2], [-9, 0], [-9, 1]]
    found = needs(view_of(persons, places))
    assert [(need.person, need.weight) for need in found] == [(3, 3), (4, 3), (2, 2), (5, 2), (1, 1)]


def test_one_person_alone_is_close_to_nobody() -> None:
    (need,) = needs(view_of([1], [[1]]))
    assert (need.spread, need.nearest, need.distance, need.close) == (None, None, None, False)
    assert needs(view_of([], np.zeros((0, 1)))) == []
