"""The map of faces: who is on it, and where."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from app.recognition.face_map import SHOWN, draw_map
from tests.recognition.galleries import crowd, view_of


def test_faces_lie_along_the_directions_in_which_they_differ_most() -> None:
    # Spread out along the third coordinate, less so along the first, hardly along the second.
    drawn = draw_map(view_of([1, 1, 2, 2], [[0, 0.01, 0], [1, 0, 0], [0, 0, 4], [1, 0.01, 4]]))
    assert drawn.rows.tolist() == [0, 1, 2, 3]
    x, y = drawn.points.T
    assert sorted(x) == pytest.approx([0, 0, 1, 1], abs=1e-2)
    assert x[0] == pytest.approx(x[1], abs=1e-2)
    assert abs(y[0] - y[1]) == pytest.approx(0.25, abs=1e-2), "one scale for both directions"
    assert 0.999 < drawn.kept < 1


def test_the_share_of_the_variance_is_what_pca_says() -> None:
    from sklearn.decomposition import PCA

    view = crowd(people=10, faces=120)
    pca = PCA(2).fit(view.encodings)
    drawn = draw_map(view)
    assert drawn.kept == pytest.approx(pca.explained_variance_ratio_.sum(), abs=1e-6)
    gaps = np.linalg.norm(np.diff(drawn.points, axis=0), axis=1)
    expected = np.linalg.norm(np.diff(pca.transform(view.encodings[drawn.rows]), axis=0), axis=1)
    assert gaps / gaps.max() == pytest.approx(expected / expected.max(), abs=1e-5)


@pytest.mark.parametrize("faces", [0, 1, 3])
def test_faces_that_are_all_the_same_lie_in_the_middle(faces: int) -> None:
    drawn = draw_map(view_of([1] * faces, np.ones((faces, 5))))
    assert drawn.points.tolist() == [[0.5, 0.5]] * faces
    assert drawn.kept == 1


def test_everyone_gets_as_many_places_as_anybody_else() -> None:
    view = view_of([1] * 900 + [2] * 900 + [3] * 5, np.random.default_rng(0).normal(size=(1805, 128)))
    drawn = draw_map(view)
    counts = Counter(view.persons[drawn.rows].tolist())
    assert counts == {1: 197, 2: 197, 3: 5}
    assert len(set(drawn.rows.tolist())) == len(drawn.rows)


def test_few_faces_are_all_on_it() -> None:
    view = crowd(people=90, faces=SHOWN)
    assert sorted(draw_map(view).rows.tolist()) == list(range(SHOWN))


def test_of_too_many_people_those_with_the_most_faces_are_shown() -> None:
    sizes = {person: 9 if person % 10 == 0 else 1 for person in range(2000)}
    persons = [person for person, size in sizes.items() for _ in range(size)]
    drawn = draw_map(view_of(persons, np.random.default_rng(0).normal(size=(len(persons), 128))))
    counts = Counter(np.array(persons)[drawn.rows].tolist())
    assert sum(counts.values()) == SHOWN
    assert set(counts.values()) == {8}
    assert all(person % 10 == 0 for person in counts)


def test_it_is_the_same_map_each_time() -> None:
    first, second = (draw_map(crowd(people=70, faces=1000)) for _ in range(2))
    assert np.array_equal(first.rows, second.rows)
    assert np.array_equal(first.points, second.points)
